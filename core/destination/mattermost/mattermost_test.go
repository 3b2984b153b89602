package mattermost

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSender(t *testing.T, url string, more map[string]any) *Sender {
	t.Helper()
	settings := map[string]any{"url": url + "/hooks/s3cr3t"}
	for name, value := range more {
		settings[name] = value
	}
	s, err := New(destinationtest.Config(t, settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestItIsHeldToWhatAllAre(t *testing.T) {
	destinationtest.Run(t, destinationtest.Kit{
		New:    func(t *testing.T, url string) core.Sender { return newSender(t, url, nil) },
		Accept: destinationtest.Answer(200, "ok"),
	})
}

func TestEachChangeIsAMessage(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, "ok"))
	s := newSender(t, vendor.URL, map[string]any{"channel": "ops", "username": "bells", "mentions": []string{"channel", "sre"}})
	for kind, want := range map[core.Kind]string{
		core.Created:      `ops bells "@channel @sre" \[INC\-042\] High: Disk is full #e8590c`,
		core.Escalated:    `ops bells "@channel @sre" \[INC\-042\] Escalated to Critical: Disk is full #c4162a`,
		core.AckedKind:    `ops bells "" \[INC\-042\] Acknowledged: Disk is full #e8590c`,
		core.ResolvedKind: `ops bells "" \[INC\-042\] Resolved: Disk is full #2eb67d`,
	} {
		destinationtest.Send(t, s, destinationtest.Message(kind))
		r := vendor.Requests()[0]
		body := r.JSON(t)
		a := body["attachments"].([]any)[0].(map[string]any)
		text, _ := body["text"].(string)
		if got := fmt.Sprintf("%v %v %q %v %v", body["channel"], body["username"], text, a["title"], a["color"]); got != want || r.Path != "/hooks/s3cr3t" {
			t.Errorf("%s to %s\n%s\nwant\n%s", kind, r.Path, got, want)
		}
		if text := a["text"].(string); !strings.Contains(text, "98 % of /var is used.") || !strings.Contains(text, "[Runbook](https://wiki.example/disk)") {
			t.Errorf("%s: text %q, want the description and the links", kind, text)
		}
	}
}

func TestNobodyIsCalledByASender(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, "ok"))
	destinationtest.Send(t, newSender(t, vendor.URL, nil), destinationtest.Hostile())
	body := string(vendor.Requests()[0].Body)
	if strings.Contains(body, "@everyone") || strings.Contains(body, "[x](") {
		t.Error("the body has a call or a link of the sender's")
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		"url must be": {}, "mentions: ": {"url": "https://a.example", "mentions": []string{"@bob"}},
	} {
		if _, err := New(destinationtest.Config(t, settings)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
}
