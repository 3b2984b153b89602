package main

import (
	"testing"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/sdktest"
)

func TestAdapter(t *testing.T) { sdktest.Run(t, adapter{}) }

func FuzzAdapter(f *testing.F) { sdktest.Fuzz(f, adapter{}) }

// A client that sent no key is told one; with it the problem must end.
func TestKeyThatTheSenderWasToldEndsTheProblem(t *testing.T) {
	trigger, err := adapter{}.Adapt(t.Context(), sdk.Request{ID: "06receipt", Body: []byte(`{"event_action":"trigger","payload":{"summary":"x"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	resolve, err := adapter{}.Adapt(t.Context(), sdk.Request{ID: "06another", Body: []byte(`{"event_action":"resolve","dedup_key":"06receipt"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if trigger.Events[0].DedupKey != resolve.Events[0].DedupKey {
		t.Errorf("keys %q and %q, want one", trigger.Events[0].DedupKey, resolve.Events[0].DedupKey)
	}
}

func TestKeysOfPagerDutyGoNowhere(t *testing.T) {
	for _, body := range []string{
		`{"routing_key":"R0SECRET","event_action":"trigger","payload":{"summary":"x"}}`,
		`{"service_key":"R0SECRET","event_type":"trigger","description":"x"}`,
	} {
		result, err := adapter{}.Adapt(t.Context(), sdk.Request{ID: "1", Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		for name := range result.Events[0].Metadata {
			if name == "routing_key" || name == "service_key" {
				t.Errorf("%s is on the incident", name)
			}
		}
	}
}
