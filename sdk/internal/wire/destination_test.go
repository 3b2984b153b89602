package wire

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/destinationv1"
)

func TestADeliveryArrivesAsItWasSent(t *testing.T) {
	impact := true
	want := sdk.Delivery{
		ID: "msg_1", Destination: "acme/a", Kind: "created", Attempt: 2, At: time.Unix(1, 5).UTC(), Now: time.Unix(2, 0).UTC(),
		Author: "anna", Note: "n", Memory: "m", Texts: map[string]string{"title": "a\nb"}, Headline: "[INC-001] High: t",
		Incident: sdk.Incident{ID: "INC-001", Title: "t", Severity: sdk.High, CustomerImpact: &impact, AffectedServices: []string{"a"}, Labels: map[string]string{"a": "b"}},
		Answers:  []sdk.HTTPAnswer{{Status: 503, Header: http.Header{"Retry-After": {"3"}}, Body: []byte("x")}},
	}
	m, err := FromDelivery(want, 1, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ToDelivery(m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := ToDelivery(&destinationv1.DeliverRequest{IncidentJson: []byte("{")}); err == nil {
		t.Error("a broken incident is read")
	}
}

func TestAStepArrivesAsItWasSent(t *testing.T) {
	for name, want := range map[string]sdk.Step{
		"a request":  sdk.Ask(sdk.HTTPRequest{Method: "PUT", URL: "https://a.example/", Header: http.Header{"X-A": {"1", "2"}}, Body: []byte("x")}),
		"an outcome": {Outcome: &sdk.Outcome{Class: sdk.Refused, Message: "no", Remember: "7"}},
		"a wait":     {Outcome: &sdk.Outcome{Class: sdk.Retry, RetryAfter: time.Minute}},
		"nothing":    {},
	} {
		if diff := cmp.Diff(want, ToStep(FromStep(want))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	unknown := ToStep(&destinationv1.DeliverResponse{Step: &destinationv1.DeliverResponse_Outcome{Outcome: &destinationv1.Outcome{Class: 99, RetryAfterSeconds: 1 << 62}}})
	if unknown.Outcome == nil || unknown.Outcome.Class != sdk.Retry || unknown.Outcome.RetryAfter < 0 {
		t.Errorf("an unknown class is %+v, want a retry", unknown.Outcome)
	}
}
