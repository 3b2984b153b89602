package discord

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const made = `{"id": "1203456789012345678", "channel_id": "1"}`

func newSender(t *testing.T, url string, mentions ...string) *Sender {
	t.Helper()
	s, err := New(destinationtest.Config(t, map[string]any{"url": url + "/api/webhooks/1/s3cr3t", "mentions": mentions}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestItIsHeldToWhatAllAre(t *testing.T) {
	destinationtest.Run(t, destinationtest.Kit{
		New:    func(t *testing.T, url string) core.Sender { return newSender(t, url) },
		Accept: destinationtest.Answer(200, made),
	})
}

func TestAnIncidentHasOneMessageAndANoteForEachChange(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, made))
	s := newSender(t, vendor.URL, "here", "role:77")
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
			title := "-"
			if embeds, ok := body["embeds"].([]any); ok {
				title = fmt.Sprint(embeds[0].(map[string]any)["title"])
			}
			got = append(got, fmt.Sprintf("%s %s %q %s", r.Method, r.Path, body["content"], title))
		}
	}
	want := []string{
		`POST /api/webhooks/1/s3cr3t?wait=true "@here <@&77>" \[INC\-042\] High: Disk is full`,
		`PATCH /api/webhooks/1/s3cr3t/messages/1203456789012345678 "" \[INC\-042\] Escalated to Critical: Disk is full`,
		`POST /api/webhooks/1/s3cr3t "@here <@&77> \\[INC\\-042\\] Escalated to Critical: Disk is full" -`,
		`PATCH /api/webhooks/1/s3cr3t/messages/1203456789012345678 "" \[INC\-042\] Acknowledged: Disk is full`,
		`POST /api/webhooks/1/s3cr3t "\\[INC\\-042\\] Acknowledged: Disk is full" -`,
		`PATCH /api/webhooks/1/s3cr3t/messages/1203456789012345678 "" \[INC\-042\] Resolved: Disk is full`,
		`POST /api/webhooks/1/s3cr3t "\\[INC\\-042\\] Resolved: Disk is full" -`,
	}
	if got, want := strings.Join(got, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("calls\n%s\nwant\n%s", got, want)
	}
}

func TestOnlyThoseWhoAreNamedAreCalled(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, made))
	destinationtest.Send(t, newSender(t, vendor.URL, "user:5", "role:7"), destinationtest.Hostile())
	body := vendor.Requests()[0].JSON(t)
	if got, want := fmt.Sprint(body["allowed_mentions"]), "map[parse:[] roles:[7] users:[5]]"; got != want {
		t.Errorf("allowed mentions %s, want %s", got, want)
	}
	if body["content"] != "<@5> <@&7>" {
		t.Errorf("content %q, want those who are called", body["content"])
	}
	length := 0
	for _, value := range body["embeds"].([]any)[0].(map[string]any) {
		length += len([]rune(fmt.Sprint(value)))
	}
	if length > 6000 {
		t.Errorf("an embed of %d characters, want at most 6000", length)
	}
}

func TestAMessageThatWasDeletedIsPostedAnew(t *testing.T) {
	vendor := destinationtest.NewVendor(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message": "Unknown Message", "code": 10008}`)
			return
		}
		_, _ = io.WriteString(w, made)
	})
	m := destinationtest.Message(core.ResolvedKind)
	m.Memory = "5"
	if a := destinationtest.Send(t, newSender(t, vendor.URL), m); a.Status != 200 || a.Remember != "1203456789012345678" {
		t.Errorf("answer %+v, want a new message, remembered", a)
	}
}

func TestAThreadInTheURLStays(t *testing.T) {
	s, err := New(destinationtest.Config(t, map[string]any{"url": "https://discord.example/api/webhooks/1/x?thread_id=9"}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.at("/messages/5", ""), "https://discord.example/api/webhooks/1/x/messages/5?thread_id=9"; got != want {
		t.Errorf("update goes to %s, want %s", got, want)
	}
	if got, want := s.at("", "wait=true"), "https://discord.example/api/webhooks/1/x?thread_id=9&wait=true"; got != want {
		t.Errorf("post goes to %s, want %s", got, want)
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
