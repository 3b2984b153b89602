package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSender(t *testing.T, settings map[string]any) *Sender {
	t.Helper()
	s, err := New(destinationtest.Config(t, settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newBot(t *testing.T, url string, more map[string]any) *Sender {
	t.Helper()
	settings := map[string]any{"token": "xoxb-s3cr3t", "channel": "C0123456789", "api_url": url + "/api"}
	for name, value := range more {
		settings[name] = value
	}
	return newSender(t, settings)
}

// api answers as Slack's Web API does when all is well.
func api(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"ok": true, "channel": "C0123456789", "ts": "1795508400.000100"}`)
}

func TestAnIncomingWebhookIsHeldToWhatAllAre(t *testing.T) {
	destinationtest.Run(t, destinationtest.Kit{
		New: func(t *testing.T, url string) core.Sender {
			return newSender(t, map[string]any{"url": url + "/services/T0/B0/s3cr3t"})
		},
		Accept: destinationtest.Answer(200, "ok"),
	})
}

func TestABotIsHeldToWhatAllAre(t *testing.T) {
	destinationtest.Run(t, destinationtest.Kit{
		New:    func(t *testing.T, url string) core.Sender { return newBot(t, url, nil) },
		Accept: api,
	})
}

func TestABotKeepsOneMessagePerIncidentUpToDate(t *testing.T) {
	vendor := destinationtest.NewVendor(t, api)
	s := newBot(t, vendor.URL, map[string]any{"mentions": []string{"here", "S0123456"}})
	memory := ""
	var got []string
	for _, kind := range []core.Kind{core.Created, core.Escalated, core.AckedKind, core.ResolvedKind} {
		m := destinationtest.Message(kind)
		m.Memory = memory
		a := destinationtest.Send(t, s, m)
		if a.Status != 200 || a.Err != nil {
			t.Fatalf("%s: answer %+v, want 200", kind, a)
		}
		if a.Remember != "" {
			memory = a.Remember
		}
		for _, r := range vendor.Requests() {
			body := r.JSON(t)
			got = append(got, fmt.Sprintf("%s %v ts=%v thread=%v broadcast=%v %v", r.Path, body["channel"],
				body["ts"], body["thread_ts"], body["reply_broadcast"], body["text"]))
			if h := r.Header.Get("Authorization"); h != "Bearer xoxb-s3cr3t" {
				t.Errorf("authorization %q, want the token", h)
			}
		}
	}
	want := []string{
		"/api/chat.postMessage C0123456789 ts=<nil> thread=<nil> broadcast=<nil> <!here> <!subteam^S0123456> *[INC-042] High: Disk is full*",
		"/api/chat.update C0123456789 ts=1795508400.000100 thread=<nil> broadcast=<nil> *[INC-042] Escalated to Critical: Disk is full*",
		"/api/chat.postMessage C0123456789 ts=<nil> thread=1795508400.000100 broadcast=true <!here> <!subteam^S0123456> [INC-042] Escalated to Critical: Disk is full",
		"/api/chat.update C0123456789 ts=1795508400.000100 thread=<nil> broadcast=<nil> *[INC-042] Acknowledged: Disk is full*",
		"/api/chat.postMessage C0123456789 ts=<nil> thread=1795508400.000100 broadcast=<nil> [INC-042] Acknowledged: Disk is full",
		"/api/chat.update C0123456789 ts=1795508400.000100 thread=<nil> broadcast=<nil> *[INC-042] Resolved: Disk is full*",
		"/api/chat.postMessage C0123456789 ts=<nil> thread=1795508400.000100 broadcast=<nil> [INC-042] Resolved: Disk is full",
	}
	if got, want := strings.Join(got, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("calls\n%s\nwant\n%s", got, want)
	}
}

func TestChangesGoWhereTheOperatorWants(t *testing.T) {
	for changes, want := range map[string]string{"update": "/api/chat.update", "note": "/api/chat.postMessage"} {
		vendor := destinationtest.NewVendor(t, api)
		m := destinationtest.Message(core.ResolvedKind)
		m.Memory = "C1 1.2"
		destinationtest.Send(t, newBot(t, vendor.URL, map[string]any{"changes": changes}), m)
		if got := vendor.Requests(); len(got) != 1 || got[0].Path != want {
			t.Errorf("changes = %s: %d calls, want one of %s", changes, len(got), want)
		}
	}
}

func TestAMessageThatWasDeletedIsPostedAnew(t *testing.T) {
	var calls atomic.Int32
	vendor := destinationtest.NewVendor(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			_, _ = io.WriteString(w, `{"ok": false, "error": "message_not_found"}`)
			return
		}
		api(w, r)
	})
	m := destinationtest.Message(core.AckedKind)
	m.Memory = "C1 1.2"
	a := destinationtest.Send(t, newBot(t, vendor.URL, nil), m)
	if a.Fault != core.NoFault || a.Err != nil || !strings.Contains(a.Remember, "1795508400.000100") {
		t.Errorf("answer %+v, want a new message, remembered", a)
	}
}

func TestWhatSlackSaysInA200Decides(t *testing.T) {
	tests := map[string]struct {
		body  string
		class core.FaultClass
	}{
		"throttled":        {`{"ok": false, "error": "ratelimited"}`, core.Throttled},
		"token revoked":    {`{"ok": false, "error": "token_revoked"}`, core.DestinationFault},
		"not in channel":   {`{"ok": false, "error": "not_in_channel"}`, core.DestinationFault},
		"a new error":      {`{"ok": false, "error": "mercury_retrograde"}`, core.DestinationFault},
		"too long":         {`{"ok": false, "error": "msg_too_long"}`, core.DeliveryFault},
		"no reason":        {`{"ok": false}`, core.DestinationFault},
		"a portal's page":  {`<html>log in</html>`, core.DestinationFault},
		"half of a answer": {`{"ok": tr`, core.DestinationFault},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, tt.body))
			a := destinationtest.Send(t, newBot(t, vendor.URL, nil), destinationtest.Message(core.Created))
			if class, _ := a.Classify(time.Now()); class != tt.class || a.Err == nil || a.Remember != "" {
				t.Errorf("answer %+v is class %q, want %q with a reason and nothing remembered", a, class, tt.class)
			}
		})
	}
}

func TestNobodyIsCalledByASender(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, "ok"))
	destinationtest.Send(t, newSender(t, map[string]any{"url": vendor.URL}), destinationtest.Hostile())
	body := vendor.Requests()[0].JSON(t)
	texts := []string{body["text"].(string)}
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, member := range v {
				if s, ok := member.(string); ok && name == "text" {
					texts = append(texts, s)
				}
				walk(member)
			}
		case []any:
			for _, element := range v {
				walk(element)
			}
		}
	}
	walk(body["attachments"])
	for _, s := range texts {
		if strings.Contains(s, "<!") || strings.Contains(s, "@everyone") || strings.Contains(s, "</p>") {
			t.Errorf("text %.80q has markup of the sender's", s)
		}
		if n := utf8.RuneCountInString(s); n > maxSection {
			t.Errorf("a text of %d characters, want at most %d", n, maxSection)
		}
	}
}

func TestTheMessageShowsWhatIsKnown(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, "ok"))
	destinationtest.Send(t, newSender(t, map[string]any{"url": vendor.URL}), destinationtest.Message(core.Created))
	text := string(vendor.Requests()[0].Body)
	var shown message
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.Attachments) != 1 || shown.Attachments[0].Color != "#e8590c" {
		t.Errorf("attachments %+v, want one in the colour of High", shown.Attachments)
	}
	b := shown.Attachments[0].Blocks
	if len(b) != 3 || b[0].Text.Text != "98 % of /var is used." || b[1].Fields[2].Text != "*Service*\ndatabase" {
		t.Errorf("blocks %+v, want the description and the facts", b)
	}
	if got, want := b[2].Elements[0].Text, "<https://bellcrank.example/incidents/INC-042|INC-042>  <https://monitor.example/1|Source>  <https://wiki.example/disk|Runbook>"; got != want {
		t.Errorf("links %s, want %s", got, want)
	}
}

func TestTemplatesReplaceTheTexts(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, "ok"))
	cfg := destinationtest.Config(t, map[string]any{"url": vendor.URL})
	cfg.Templates = map[string]core.Template{
		"title": func(m core.Message) (string, error) { return "<" + m.Incident.Title + ">", nil },
		"text":  func(core.Message) (string, error) { return "", errors.New("no such member") },
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	destinationtest.Send(t, s, destinationtest.Message(core.Created))
	text := string(vendor.Requests()[0].Body)
	if !strings.Contains(text, `*\u0026lt;Disk is full\u0026gt;*`) || !strings.Contains(text, "98 % of /var is used.") {
		t.Errorf("body %s, want the template's title and the default text", text)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	tests := map[string]struct {
		settings map[string]any
		want     string
	}{
		"nothing":          {map[string]any{}, "url or token is required"},
		"both":             {map[string]any{"url": "https://a.example", "token": "x", "channel": "C1"}, "can't both"},
		"no channel":       {map[string]any{"token": "x"}, "channel is required"},
		"channel of a url": {map[string]any{"url": "https://a.example", "channel": "C1"}, "channel can't be set"},
		"a url":            {map[string]any{"url": "hooks.slack.com/services/s3cr3t"}, "url must be"},
		"an API":           {map[string]any{"token": "x", "channel": "C1", "api_url": "slack"}, "api_url must be"},
		"a mention":        {map[string]any{"url": "https://a.example", "mentions": []string{"@bob"}}, "mentions"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(destinationtest.Config(t, tt.settings))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) && !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
