package app

import (
	"context"
	"errors"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// unreadable is an adapter that doesn't know the vendor's new format yet.
func unreadable(context.Context, sdk.Request) (sdk.Result, error) {
	return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "what is this"}
}

// refuses replays a request, which must change nothing.
func (r *rig) refuses(id core.ID) {
	r.t.Helper()
	before := r.incidents()
	_, err := r.intake.Replay(r.t.Context(), r.request(id))
	if e, ok := errors.AsType[*core.Error](err); !ok || e.Code != core.Conflict {
		r.t.Errorf("replay: %v, want a conflict", err)
	}
	r.wantIncidents(before...)
}

func TestReplayCorrectsInPlaceAndOnce(t *testing.T) {
	r := newRig(t)
	r.says(unreadable)
	id := r.accept(r.machine, "a").Request
	r.wantIncidents("An alert from datadog/test could not be read: investigating x1")
	r.refuses(id) // the adapter isn't mended yet
	r.wantState(id, core.RequestQuarantined, core.AdapterRejected)

	r.says(trigger)
	receipt, err := r.intake.Replay(t.Context(), r.request(id))
	if err != nil || receipt.State != core.RequestDone || len(receipt.Incidents) != 1 {
		t.Fatalf("replay: %+v, %v", receipt, err)
	}
	// The incident that stood for it is the one that it opens.
	r.wantState(id, core.RequestDone, "")
	r.wantIncidents("problem a: investigating x1")
	r.refuses(id)
}

func TestReplayTakesOnlyWhatWasNotApplied(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.refuses(r.accept(r.machine, "done").Request)
	r.ready = false
	r.refuses(r.accept(r.machine, "open").Request)
}

func TestTwoReplaysAtOnceApplyOnce(t *testing.T) {
	r := newRig(t)
	r.says(unreadable)
	stored := r.request(r.accept(r.machine, "a").Request)
	r.says(trigger)
	if _, err := r.intake.Replay(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	// The other one has read the request before the first one was through.
	if _, err := r.intake.Replay(t.Context(), stored); err == nil {
		t.Error("both were applied")
	}
	r.wantIncidents("problem a: investigating x1")
}
