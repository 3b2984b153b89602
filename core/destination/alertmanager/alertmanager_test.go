package alertmanager

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSender(t *testing.T, url string, more map[string]any) *Sender {
	t.Helper()
	settings := map[string]any{"url": url + "/am/", "authorization": "Bearer s3cr3t"}
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
		Accept: destinationtest.Answer(200, ""),
	})
}

// posted decodes what came, and checks where.
func posted(t *testing.T, v *destinationtest.Vendor) []alert {
	t.Helper()
	r := v.Requests()[0]
	if r.Path != "/am/api/v2/alerts" || r.Header.Get("Authorization") != "Bearer s3cr3t" {
		t.Errorf("posted to %s with %q", r.Path, r.Header.Get("Authorization"))
	}
	var alerts []alert
	if err := json.Unmarshal(r.Body, &alerts); err != nil {
		t.Fatal(err)
	}
	return alerts
}

func TestAnIncidentIsAnAlertThatFiresUntilItIsOver(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, ""))
	s := newSender(t, vendor.URL, map[string]any{"labels": map[string]string{"origin": "bellcrank"}})
	opened := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	changed := opened.Add(30 * time.Minute)
	tests := map[core.Kind]time.Time{
		core.Created: changed.Add(staysOpen), core.AckedKind: changed.Add(staysOpen), core.ResolvedKind: changed,
	}
	for kind, ends := range tests {
		m := destinationtest.Message(kind)
		m.Incident.Labels = map[string]string{"team": "sre", "k8s.pod/name": "db-0", "0day": "x", "gone": ""}
		destinationtest.Send(t, s, m)
		want := []alert{{
			Labels: map[string]string{
				"alertname": "Disk is full", "incident": "INC-042", "severity": "high", "integration": "datadog/prod",
				"service": "database", "team": "sre", "k8s_pod_name": "db-0", "_0day": "x", "origin": "bellcrank",
			},
			Annotations: map[string]string{
				"summary": "Disk is full", "description": "98 % of /var is used.", "runbook_url": "https://wiki.example/disk",
			},
			StartsAt: opened, EndsAt: ends, GeneratorURL: "https://bellcrank.example/incidents/INC-042",
		}}
		if diff := cmp.Diff(want, posted(t, vendor)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestAnAlertWhoseLabelsChangeIsNotLeftFiring(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, ""))
	s := newSender(t, vendor.URL, nil)
	created := destinationtest.Send(t, s, destinationtest.Message(core.Created))
	first := posted(t, vendor)[0]

	again := destinationtest.Message(core.AckedKind)
	again.Memory = created.Remember
	if a := destinationtest.Send(t, s, again); len(posted(t, vendor)) != 1 || a.Remember != created.Remember {
		t.Errorf("answer %+v; want one alert still", a)
	}

	escalated := destinationtest.Message(core.Escalated)
	escalated.Memory = created.Remember
	destinationtest.Send(t, s, escalated)
	alerts := posted(t, vendor)
	if len(alerts) != 2 || alerts[0].Labels["severity"] != "critical" {
		t.Fatalf("alerts %+v, want the critical one and the end of the other", alerts)
	}
	if diff := cmp.Diff(first.Labels, alerts[1].Labels); diff != "" || !alerts[1].EndsAt.Equal(escalated.At) {
		t.Errorf("the old alert ends at %v, labels (-want +got):\n%s", alerts[1].EndsAt, diff)
	}
}

func TestARefusalRemembersNothing(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(400, `{"code":602,"message":"start must be before end"}`))
	if a := destinationtest.Send(t, newSender(t, vendor.URL, nil), destinationtest.Message(core.Created)); a.Remember != "" {
		t.Errorf("remembered %q of an alert that was refused", a.Remember)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	for want, settings := range map[string]map[string]any{
		"url must be": {}, "authorization": {"url": "http://a.example", "authorization": "a\nb"},
	} {
		if _, err := New(destinationtest.Config(t, settings)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
}
