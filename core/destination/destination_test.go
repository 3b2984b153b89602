package destination

import (
	"encoding/json"
	"testing"

	"bellcrank.example/core"
)

func TestEveryTypeMakesASenderOfItsSettings(t *testing.T) {
	examples := map[string]string{
		"discord":      `{"url": "https://discord.com/api/webhooks/1/x"}`,
		"mattermost":   `{"url": "https://chat.example/hooks/x"}`,
		"teams":        `{"url": "https://flow.example/x"}`,
		"alertmanager": `{"url": "http://alertmanager.example:9093"}`,
		"email":        `{"server": "smtp.example:587", "from": "a@a.example", "to": ["b@b.example"]}`,
		"opsgenie":     `{"api_key": "x"}`,
		"telegram":     `{"token": "1:a", "chat": "-100"}`,
		"log":          `{"path": "-"}`,
		"pagerduty":    `{"routing_key": "R0"}`,
		"runframe":     `{"url": "https://api.runframe.io/webhooks/key"}`,
		"slack":        `{"url": "https://hooks.slack.com/services/T0/B0/x"}`,
		"webhook":      `{"url": "https://example.com/hook", "signing_secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}`,
	}
	for _, typ := range Types() {
		t.Run(typ.Name, func(t *testing.T) {
			if typ.Summary == "" || len(typ.Settings) == 0 {
				t.Errorf("%+v says too little", typ)
			}
			for _, s := range typ.Settings {
				if s.Doc == "" {
					t.Errorf("setting %s has no doc", s.Name)
				}
			}
			var sender core.Sender
			sender, err := typ.New(Config{Settings: json.RawMessage(examples[typ.Name])})
			if err != nil || sender == nil {
				t.Errorf("New = %v, %v; want a sender", sender, err)
			}
			if _, err := typ.New(Config{Settings: json.RawMessage(`[]`)}); err == nil {
				t.Error("settings that aren't an object were taken")
			}
		})
	}
}

func TestAnUnknownTypeIsAnError(t *testing.T) {
	if _, err := Find("pigeon"); err == nil {
		t.Error("pigeon was found")
	}
	if typ, err := Find("webhook"); err != nil || typ.Name != "webhook" {
		t.Errorf("Find(webhook) = %q, %v", typ.Name, err)
	}
}
