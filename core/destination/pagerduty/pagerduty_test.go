package pagerduty

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
	"bellcrank.example/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const taken = `{"status":"success","message":"Event processed","dedup_key":"bellcrank-000000000000e"}`

func newSender(t *testing.T, url string, more map[string]any) *Sender {
	t.Helper()
	settings := map[string]any{"url": url + "/v2/enqueue", "routing_key": "R0s3cr3t"}
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
		Accept: destinationtest.Answer(202, taken),
	})
}

func TestAnIncidentIsOneAlertFromTriggerToResolve(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(202, taken))
	s := newSender(t, vendor.URL, nil)
	for kind, want := range map[core.Kind]string{
		core.Created: "trigger", core.Updated: "trigger", core.Escalated: "trigger", core.Reopened: "trigger",
		core.AckedKind: "acknowledge", core.ResolvedKind: "resolve",
	} {
		if a := destinationtest.Send(t, s, destinationtest.Message(kind)); a.Status != 202 {
			t.Errorf("%s: answer %+v, want 202", kind, a)
		}
		r := vendor.Requests()[0]
		body := r.JSON(t)
		got := fmt.Sprint(r.Path, body["event_action"], body["dedup_key"], body["routing_key"])
		if want := fmt.Sprint("/v2/enqueue", want, "bellcrank-000000000000e", "R0s3cr3t"); got != want {
			t.Errorf("%s: event %s, want %s", kind, got, want)
		}
		if _, has := body["payload"]; has != (want == "trigger") {
			t.Errorf("%s: a payload %v, want one of a trigger only", kind, has)
		}
	}
}

func TestATriggerHasWhatAResponderNeeds(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(202, taken))
	destinationtest.Send(t, newSender(t, vendor.URL, nil), destinationtest.Message(core.Created))
	body := vendor.Requests()[0].JSON(t)
	p := body["payload"].(map[string]any)
	for name, want := range map[string]string{
		"summary": "[INC-042] High: Disk is full", "source": "database", "severity": "error", "component": "database",
		"group": "datadog/prod", "timestamp": "2026-11-24T08:00:00Z",
	} {
		if p[name] != want {
			t.Errorf("%s is %v, want %s", name, p[name], want)
		}
	}
	details := p["custom_details"].(map[string]any)
	if details["description"] != "98 % of /var is used." || details["label.team"] != "sre" || details["customer_impact"] != "Yes" {
		t.Errorf("details %v, want the description, labels and facts", details)
	}
	if links := body["links"].([]any); len(links) != 3 || body["client_url"] != "https://bellcrank.example/incidents/INC-042" {
		t.Errorf("links %v, client_url %v; want three, and the incident's", links, body["client_url"])
	}
}

func TestAnOpeningThatIsAcknowledgedAlreadyIsBoth(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(202, taken))
	m := destinationtest.Message(core.AckedKind)
	m.Kind = core.Created
	destinationtest.Send(t, newSender(t, vendor.URL, nil), m)
	requests := vendor.Requests()
	if len(requests) != 2 || requests[0].JSON(t)["event_action"] != "trigger" || requests[1].JSON(t)["event_action"] != "acknowledge" {
		t.Errorf("%d events, want a trigger and an acknowledge", len(requests))
	}
}

func TestSeveritiesAreMapped(t *testing.T) {
	want := map[sdk.Severity]string{
		sdk.Critical: "critical", sdk.High: "critical", sdk.Medium: "warning", sdk.Low: "info", sdk.PreEmptive: "info",
	}
	s := newSender(t, "https://a.example", map[string]any{"severities": map[string]string{"high": "critical"}})
	for ours, want := range want {
		if got := s.severity(ours); got != want {
			t.Errorf("%s is %s, want %s", ours, got, want)
		}
	}
}

func TestAKeyThatIsRefusedIsTheDestinationsFault(t *testing.T) {
	const refused = `{"status":"invalid event","message":"Event object is invalid","errors":["'routing_key' is invalid"]}`
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(400, refused))
	a := destinationtest.Send(t, newSender(t, vendor.URL, nil), destinationtest.Message(core.Created))
	if class, _ := a.Classify(time.Now()); class != core.DestinationFault {
		t.Errorf("answer %+v is class %q, want %q", a, class, core.DestinationFault)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		"routing_key":            {"routing_key": " "},
		"url must be":            {"routing_key": "R0", "url": "events"},
		"severities: \"urgent\"": {"routing_key": "R0", "severities": map[string]string{"High": "urgent"}},
		"severities: ":           {"routing_key": "R0", "severities": map[string]string{"Loud": "info"}},
	} {
		if _, err := New(destinationtest.Config(t, settings)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
}
