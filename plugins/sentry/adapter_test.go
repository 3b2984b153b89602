package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/sdktest"
)

func TestAdapter(t *testing.T) { sdktest.Run(t, adapter{}) }

func FuzzAdapter(f *testing.F) { sdktest.Fuzz(f, adapter{}) }

// An alert rule opens and the issue's own webhook closes: one incident.
func TestAlertAndIssueShareOneIncident(t *testing.T) {
	alert := adaptOne(t, resourceEventAlert, `{"action":"triggered","data":{"event":{"title":"x","issue_id":77}}}`)
	for _, action := range []string{"created", "unresolved", "resolved", "archived"} {
		issue := adaptOne(t, resourceIssue, `{"action":"`+action+`","data":{"issue":{"id":"77","title":"another title"}}}`)
		if issue.DedupKey != alert.DedupKey {
			t.Errorf("issue.%s has key %q, event_alert %q; want one", action, issue.DedupKey, alert.DedupKey)
		}
	}
}

// Ids of issues, rules and metric alerts are numbers of their own and may be
// equal.
func TestIdsOfDifferentThingsStayApart(t *testing.T) {
	seen := map[string]string{}
	for name, key := range map[string]string{
		"issue":              adaptOne(t, resourceIssue, `{"action":"created","data":{"issue":{"id":"5","title":"x"}}}`).DedupKey,
		"rule":               adaptOne(t, resourceMetricAlert, `{"action":"open","data":{"metric_alert":{"alert_rule":{"id":"5"}}}}`).DedupKey,
		"alert of no rule":   adaptOne(t, resourceMetricAlert, `{"action":"open","data":{"metric_alert":{"id":"5"}}}`).DedupKey,
		"sample of Sentry's": adaptOne(t, resourceEventAlert, `{"action":"triggered","data":{"event":{"title":"x","issue_id":"5","tags":[["sample_event","yes"]]}}}`).DedupKey,
	} {
		if other, taken := seen[key]; taken {
			t.Errorf("%s and %s share the key %q", name, other, key)
		}
		seen[key] = name
	}
}

// A device with a wrong clock, or one that was offline, must not make an
// alert look older than the resolve before it.
func TestTheTimeIsSentrysNotTheDevices(t *testing.T) {
	body := `{"action":"triggered","data":{"event":{"title":"x","issue_id":"5","timestamp":1600000000.5,"datetime":"2020-09-13T12:26:40Z","received":1767880003}}}`
	for stamp, want := range map[string]int64{"1767880010": 1767880010, "": 1767880003, "soon": 1767880003} {
		r := sdk.Request{Body: []byte(body), Header: http.Header{}}
		r.Header.Set(headerResource, resourceEventAlert)
		r.Header.Set(headerTimestamp, stamp)
		result, err := adapter{}.Adapt(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if got := result.Events[0].OccurredAt.Unix(); got != want {
			t.Errorf("header %q: occurred at %d, want %d", stamp, got, want)
		}
	}
}

// Events are full of people's data. What leaves is a list of chosen members.
func TestNobodysDataLeaves(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join("testdata", "*", "want.json"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		answer, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, private := range []string{"jo@acme.example", "203.0.113.9", "token=t", "sid", "password", "clicked"} {
			if strings.Contains(string(answer), private) {
				t.Errorf("%s holds %q", file, private)
			}
		}
	}
}

// The declared scheme is the whole of what Sentry does: the hex HMAC of the
// raw body, keyed with the client secret.
func TestDeclaredSignature(t *testing.T) {
	schemes := adapter{}.Describe().Signatures
	if len(schemes) != 1 {
		t.Fatalf("%d schemes, want 1", len(schemes))
	}
	s := schemes[0]
	if s.Kind != sdk.SchemeHMAC || s.Algorithm != "sha256" || s.Encoding != "hex" || s.Header != "Sentry-Hook-Signature" ||
		s.Signed != "" || s.Prefix != "" || s.TimestampHeader != "" || s.Tolerance != 0 || s.Optional {
		t.Errorf("scheme %+v, want a plain required HMAC over the body", s)
	}
}

// The bodies of issue and metric_alert repeat when a problem comes back: they
// must not be taken for a repeated delivery.
func TestOnlyBodiesWithAnIDAreDeliveries(t *testing.T) {
	when := adapter{}.Describe().DeliveryID.BodyHashWhen
	for resource, want := range map[string]bool{"event_alert": true, "error": true, "issue": false, "metric_alert": false, "": false} {
		header := http.Header{}
		header.Set(headerResource, resource)
		if got := when.Matches(header); got != want {
			t.Errorf("resource %q: body hash is the delivery id = %v, want %v", resource, got, want)
		}
	}
}

func adaptOne(t *testing.T, resource, body string) sdk.Event {
	t.Helper()
	r := sdk.Request{Body: []byte(body), Header: http.Header{}, Settings: json.RawMessage(`{}`)}
	r.Header.Set(headerResource, resource)
	result, err := adapter{}.Adapt(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Events) != 1 {
		t.Fatalf("%d events, want 1: %+v", len(result.Events), result)
	}
	return result.Events[0]
}
