package main

import (
	"encoding/json"
	"testing"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/sdktest"
)

func TestDestination(t *testing.T) {
	sdktest.RunDestination(t, ntfy{}, json.RawMessage(`{"topic":"on-call","url":"https://ntfy.example/"}`))
}

func TestTheEndIsToldOnlyIfItIsWanted(t *testing.T) {
	for settings, want := range map[string]bool{`{"topic":"a"}`: true, `{"topic":"a","resolved":false}`: false} {
		step, err := ntfy{}.Deliver(t.Context(), sdk.Delivery{ID: "msg_1", Kind: "resolved", Settings: json.RawMessage(settings)})
		if err != nil || (step.Request != nil) != want {
			t.Errorf("%s: %+v, %v; want a request: %v", settings, step, err, want)
		}
	}
}
