package telegram

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sent = `{"ok": true, "result": {"message_id": 321, "chat": {"id": -100}}}`

func newSender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(destinationtest.Config(t, map[string]any{"token": "123:s3cr3t", "chat": "-100", "topic": 7, "api_url": url}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestItIsHeldToWhatAllAre(t *testing.T) {
	destinationtest.Run(t, destinationtest.Kit{
		New:    func(t *testing.T, url string) core.Sender { return newSender(t, url) },
		Accept: destinationtest.Answer(200, sent),
	})
}

func TestAnIncidentHasOneMessageAndAReplyForEachChange(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, sent))
	s := newSender(t, vendor.URL)
	memory := ""
	var got []string
	for _, kind := range []core.Kind{core.Created, core.Escalated, core.AckedKind, core.ResolvedKind} {
		m := destinationtest.Message(kind)
		m.Memory = memory
		if a := destinationtest.Send(t, s, m); a.Remember != "" {
			memory = a.Remember
		}
		for _, r := range vendor.Requests() {
			body := r.JSON(t)
			first, _, _ := strings.Cut(body["text"].(string), "\n")
			got = append(got, fmt.Sprint(r.Path, " ", body["chat_id"], " topic=", body["message_thread_id"], " id=", body["message_id"],
				" ", body["reply_parameters"], " silent=", body["disable_notification"], " ", first))
		}
	}
	const reply = "map[allow_sending_without_reply:true message_id:321]"
	want := []string{
		"/bot123:s3cr3t/sendMessage -100 topic=7 id=<nil> <nil> silent=<nil> <b>[INC-042] High: Disk is full</b>",
		"/bot123:s3cr3t/editMessageText -100 topic=<nil> id=321 <nil> silent=<nil> <b>[INC-042] Escalated to Critical: Disk is full</b>",
		"/bot123:s3cr3t/sendMessage -100 topic=7 id=<nil> " + reply + " silent=<nil> [INC-042] Escalated to Critical: Disk is full",
		"/bot123:s3cr3t/editMessageText -100 topic=<nil> id=321 <nil> silent=<nil> <b>[INC-042] Acknowledged: Disk is full</b>",
		"/bot123:s3cr3t/sendMessage -100 topic=7 id=<nil> " + reply + " silent=true [INC-042] Acknowledged: Disk is full",
		"/bot123:s3cr3t/editMessageText -100 topic=<nil> id=321 <nil> silent=<nil> <b>[INC-042] Resolved: Disk is full</b>",
		"/bot123:s3cr3t/sendMessage -100 topic=7 id=<nil> " + reply + " silent=<nil> [INC-042] Resolved: Disk is full",
	}
	if got, want := strings.Join(got, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("calls\n%s\nwant\n%s", got, want)
	}
}

func TestAHostileTextIsNoMarkupAndFits(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, sent))
	destinationtest.Send(t, newSender(t, vendor.URL), destinationtest.Hostile())
	text := vendor.Requests()[0].JSON(t)["text"].(string)
	if n := len([]rune(text)); n > 4096 {
		t.Errorf("a text of %d characters, want at most 4096", n)
	}
	if strings.Contains(text, "</p>") || strings.Contains(text, "<!channel>") {
		t.Errorf("text %.200q has markup of the sender's", text)
	}
}

func TestWhatTelegramSaysDecides(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		class  core.FaultClass
		wait   time.Duration
	}{
		"throttled":          {429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 42","parameters":{"retry_after":42}}`, core.Throttled, 42 * time.Second},
		"no such chat":       {400, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, core.DestinationFault, 0},
		"a text it dislikes": {400, `{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities"}`, core.DeliveryFault, 0},
		"thrown out":         {403, `{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked"}`, core.DestinationFault, 0},
		"wrong token":        {401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`, core.DestinationFault, 0},
		"a portal's page":    {200, `<html>`, core.DestinationFault, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			vendor := destinationtest.NewVendor(t, destinationtest.Answer(tt.status, tt.body))
			a := destinationtest.Send(t, newSender(t, vendor.URL), destinationtest.Message(core.Created))
			if class, wait := a.Classify(time.Now()); class != tt.class || wait != tt.wait || a.Err == nil {
				t.Errorf("answer %+v is class %q for %v, want %q for %v", a, class, wait, tt.class, tt.wait)
			}
		})
	}
}

func TestAnUpdateThatCannotBeMadeIsNoFailure(t *testing.T) {
	tests := map[string]struct {
		says     string
		last     string
		remember string
	}{
		"it says all already": {"message is not modified", "sendMessage", ""},
		"it was deleted":      {"message to edit not found", "sendMessage", "321"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			vendor := destinationtest.NewVendor(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/editMessageText") {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = io.WriteString(w, `{"ok":false,"description":"Bad Request: `+tt.says+`"}`)
					return
				}
				_, _ = io.WriteString(w, sent)
			})
			m := destinationtest.Message(core.ResolvedKind)
			m.Memory = "5"
			a := destinationtest.Send(t, newSender(t, vendor.URL), m)
			if class, _ := a.Classify(time.Now()); class != core.NoFault || a.Remember != tt.remember {
				t.Errorf("answer %+v is class %q, want it taken and %q remembered", a, class, tt.remember)
			}
		})
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		"token":           {"token": "s3cr3t/../x", "chat": "1"},
		"chat":            {"token": "1:a", "chat": "ops"},
		"api_url must be": {"token": "1:a", "chat": "1", "api_url": "telegram"},
	} {
		_, err := New(destinationtest.Config(t, settings))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
}
