package opsgenie

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
	"bellcrank.example/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const taken = `{"result": "Request will be processed", "took": 0.3, "requestId": "x"}`

func newSender(t *testing.T, url string, more map[string]any) *Sender {
	t.Helper()
	settings := map[string]any{"url": url, "api_key": "s3cr3t"}
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
		Accept: destinationtest.Answer(202, taken), Disliked: 422,
	})
}

func TestAnIncidentIsOneAlertFromCreateToClose(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(202, taken))
	s := newSender(t, vendor.URL, nil)
	const alias = "/v2/alerts/bellcrank-000000000000e"
	acked := destinationtest.Message(core.AckedKind)
	acked.Kind = core.Created
	tests := map[string]struct {
		m    core.Message
		want []string
	}{
		"created":             {destinationtest.Message(core.Created), []string{"POST /v2/alerts"}},
		"reopened":            {destinationtest.Message(core.Reopened), []string{"POST /v2/alerts"}},
		"escalated":           {destinationtest.Message(core.Escalated), []string{"POST /v2/alerts", "PUT " + alias + "/priority?identifierType=alias", "POST " + alias + "/notes?identifierType=alias"}},
		"acknowledged":        {destinationtest.Message(core.AckedKind), []string{"POST " + alias + "/acknowledge?identifierType=alias"}},
		"resolved":            {destinationtest.Message(core.ResolvedKind), []string{"POST " + alias + "/close?identifierType=alias"}},
		"created, acked then": {acked, []string{"POST /v2/alerts", "POST " + alias + "/acknowledge?identifierType=alias"}},
	}
	for name, tt := range tests {
		if a := destinationtest.Send(t, s, tt.m); a.Status != 202 {
			t.Errorf("%s: answer %+v, want 202", name, a)
		}
		var got []string
		for _, r := range vendor.Requests() {
			got = append(got, r.Method+" "+r.Path)
			if h := r.Header.Get("Authorization"); h != "GenieKey s3cr3t" {
				t.Errorf("%s: authorization %q, want the key", name, h)
			}
		}
		if got, want := strings.Join(got, ", "), strings.Join(tt.want, ", "); got != want {
			t.Errorf("%s: calls %s, want %s", name, got, want)
		}
	}
}

func TestAnAlertHasWhatAResponderNeeds(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(202, taken))
	s := newSender(t, vendor.URL, map[string]any{"responders": []string{"team:SRE", "user:bob@example.com"}, "tags": []string{"eu"}})
	destinationtest.Send(t, s, destinationtest.Message(core.Created))
	body := vendor.Requests()[0].JSON(t)
	for name, want := range map[string]string{
		"message": "[INC-042] High: Disk is full", "alias": "bellcrank-000000000000e", "priority": "P2", "entity": "database",
		"source": "Bellcrank", "tags": "[eu]", "responders": "[map[name:SRE type:team] map[type:user username:bob@example.com]]",
		"description": "98 % of /var is used.\nINC-042: https://bellcrank.example/incidents/INC-042\nSource: https://monitor.example/1\nRunbook: https://wiki.example/disk",
	} {
		if got := fmt.Sprint(body[name]); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if details := body["details"].(map[string]any); details["label.team"] != "sre" || details["severity"] != "High" {
		t.Errorf("details %v, want labels and facts", details)
	}
}

func TestPrioritiesAreMapped(t *testing.T) {
	s := newSender(t, "https://a.example", map[string]any{"priorities": map[string]string{"medium": "P1"}})
	for severity, want := range map[sdk.Severity]string{
		sdk.Critical: "P1", sdk.High: "P2", sdk.Medium: "P1", sdk.Low: "P4", sdk.PreEmptive: "P5", "": "P3",
	} {
		if got := s.priority(severity); got != want {
			t.Errorf("%s is %s, want %s", severity, got, want)
		}
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		"api_key":             {"api_key": " "},
		"url must be":         {"api_key": "x", "url": "opsgenie"},
		"responders: \"SRE\"": {"api_key": "x", "responders": []string{"SRE"}},
		"priorities: \"P9\"":  {"api_key": "x", "priorities": map[string]string{"High": "P9"}},
		"priorities: ":        {"api_key": "x", "priorities": map[string]string{"Loud": "P1"}},
	} {
		if _, err := New(destinationtest.Config(t, settings)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
}
