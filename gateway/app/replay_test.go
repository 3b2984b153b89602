package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// unreadable is an adapter that doesn't know the vendor's new format yet.
func unreadable(context.Context, sdk.Request) (sdk.Result, error) {
	return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "what is this"}
}

// mended is an adapter that says more than trigger.
func mended(_ context.Context, r sdk.Request) (sdk.Result, error) {
	return sdk.Result{Events: []sdk.Event{{
		Action: sdk.Trigger, DedupKey: string(r.Body), Title: "better " + string(r.Body), Severity: sdk.Critical,
	}}}, nil
}

// triggers is an adapter that makes so many events of every request.
func triggers(n int) func(context.Context, sdk.Request) (sdk.Result, error) {
	return func(context.Context, sdk.Request) (sdk.Result, error) {
		var result sdk.Result
		for i := range n {
			result.Events = append(result.Events, sdk.Event{Action: sdk.Trigger, DedupKey: fmt.Sprint(i), Title: fmt.Sprint("one of many ", i)})
		}
		return result, nil
	}
}

// take accepts a request and waits until it has come to its end.
func (r *rig) take(in *core.Integration, body string) core.ID {
	r.t.Helper()
	id := r.accept(in, body).Request
	r.ends(id)
	return id
}

// ends waits for the end of a request; what a busy machine didn't store in
// time the sweep does.
func (r *rig) ends(id core.ID) {
	r.t.Helper()
	eventually(r.t, func() bool {
		if r.request(id).State != core.RequestOpen {
			return true
		}
		r.pass(time.Minute)
		_ = r.intake.Sweep(r.t.Context()) // it tries again
		return false
	})
}

func (r *rig) replay(id core.ID, want core.Replay) core.Replayed {
	r.t.Helper()
	done, err := r.intake.Replay(r.t.Context(), r.request(id), want)
	if e, ok := errors.AsType[*core.Error](err); ok && e.Code == core.StoreUnavailable {
		r.ends(id) // a busy machine; what it has begun is gone on with
		done, err = r.intake.Replay(r.t.Context(), r.request(id), want)
	}
	if err != nil {
		r.t.Fatalf("replay: %v", err)
	}
	return done
}

// refuses replays a request, which must change nothing.
func (r *rig) refuses(id core.ID) {
	r.t.Helper()
	before := r.everything()
	_, err := r.intake.Replay(r.t.Context(), r.request(id), inPlace)
	if e, ok := errors.AsType[*core.Error](err); !ok || e.Code != core.Conflict {
		r.t.Errorf("replay: %v, want a conflict", err)
	}
	r.sameAs(before)
}

var inPlace = core.Replay{Mode: core.ReplayInPlace}

// state is all that a replay may change.
type state struct {
	Requests   []*core.Request
	Incidents  []*core.Incident
	Details    []core.IncidentDetail // of the first few
	Deliveries []core.Delivery
}

func (r *rig) everything() (s state) {
	r.t.Helper()
	page := core.Page{Limit: 500}
	var err error
	if s.Requests, err = r.store.Requests(r.t.Context(), core.RequestFilter{Page: page}); err != nil {
		r.t.Fatal(err)
	}
	for more := page; ; more.Before = s.Incidents[len(s.Incidents)-1].ID {
		list, err := r.store.Incidents(r.t.Context(), core.IncidentFilter{Page: more})
		if err != nil {
			r.t.Fatal(err)
		}
		if s.Incidents = append(s.Incidents, list...); len(list) < page.Limit {
			break
		}
	}
	if s.Deliveries, err = r.store.Deliveries(r.t.Context(), core.DeliveryFilter{Page: page}); err != nil {
		r.t.Fatal(err)
	}
	for _, in := range s.Incidents[:min(len(s.Incidents), 20)] {
		detail, err := r.store.Incident(r.t.Context(), in.Number)
		if err != nil {
			r.t.Fatal(err)
		}
		s.Details = append(s.Details, detail)
	}
	return s
}

func (r *rig) sameAs(before state) {
	r.t.Helper()
	if diff := cmp.Diff(before, r.everything(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		r.t.Errorf("something changed (-before +after):\n%.3000s", diff)
	}
}

func TestReplayCorrectsInPlaceAndOnce(t *testing.T) {
	r := newRig(t)
	r.says(unreadable)
	id := r.take(r.machine, "a")
	r.wantIncidents("An alert from datadog/test could not be read: investigating x1")
	r.refuses(id) // the adapter isn't mended yet
	r.wantState(id, core.RequestQuarantined, core.AdapterRejected)

	r.says(trigger)
	done := r.replay(id, inPlace)
	if done.Receipt.State != core.RequestDone || len(done.Receipt.Incidents) != 1 || done.Adapter != "datadog 1.0.0" {
		t.Fatalf("replayed %+v", done)
	}
	// The incident that stood for it is the one that it opens.
	r.wantState(id, core.RequestDone, "")
	r.wantIncidents("problem a: investigating x1")
	after := r.everything()
	r.replay(id, inPlace)
	r.sameAs(after)
}

func TestReplayOfWhatWasAppliedCorrectsAndCountsOnce(t *testing.T) {
	for name, accept := range map[string]func(r *rig) core.ID{
		"with a key":    func(r *rig) core.ID { return r.take(r.machine, "a") },
		"without a key": func(r *rig) core.ID { return r.take(r.human, "") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.says(trigger)
			id := accept(r)
			before := r.everything()
			r.replay(id, inPlace)
			if got := r.everything(); got.Incidents[0].Count != 1 || len(got.Deliveries) != len(before.Deliveries) {
				t.Errorf("after the same once more: count %d, %d deliveries", got.Incidents[0].Count, len(got.Deliveries))
			}
			r.says(mended)
			r.replay(id, inPlace)
			after := r.everything()
			in := after.Incidents[0]
			if len(after.Incidents) != 1 || in.Count != 1 || in.Severity != sdk.Critical || in.Title[:6] != "better" {
				t.Errorf("corrected to %+v", in)
			}
			if len(after.Deliveries) != len(before.Deliveries) {
				t.Errorf("%d deliveries, %d before: nobody asked for any", len(after.Deliveries), len(before.Deliveries))
			}
			r.replay(id, inPlace)
			r.sameAs(after)
		})
	}
}

func TestReplayDeliversWhenAskedTo(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	id := r.take(r.machine, "a")
	r.says(mended)
	r.replay(id, core.Replay{Mode: core.ReplayInPlace, Deliver: true})
	kinds := []core.Kind{}
	for _, d := range r.everything().Deliveries {
		kinds = append(kinds, d.Kind)
	}
	slices.Sort(kinds)
	if want := []core.Kind{core.Created, core.Escalated}; !slices.Equal(kinds, want) {
		t.Errorf("deliveries %v, want %v", kinds, want)
	}
}

// TestQuietIncidentIsToldOfByWhatComesNext: what a replay opened without
// deliveries isn't hidden for ever.
func TestQuietIncidentIsToldOfByWhatComesNext(t *testing.T) {
	r := newRig(t)
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) { return sdk.Result{Ignored: "not now"}, nil })
	id := r.take(r.machine, "a")
	r.says(trigger)
	r.replay(id, inPlace)
	r.wantIncidents("problem a: investigating x1")
	if n := len(r.everything().Deliveries); n != 0 {
		t.Errorf("%d deliveries, want none", n)
	}
	r.says(mended)
	r.take(r.machine, "a")
	if got := r.everything().Deliveries; len(got) != 1 || got[0].Kind != core.Created {
		t.Errorf("deliveries %+v, want that it is told of as new", got)
	}
}

func TestReplayAsNewComesInOnce(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	id := r.take(r.machine, "a")
	before := len(r.everything().Deliveries)
	asNew := core.Replay{Mode: core.ReplayAsNew}
	first := r.replay(id, asNew)
	if first.Receipt.Request == id || first.Receipt.State != core.RequestDone {
		t.Errorf("receipt %+v, want a new request", first.Receipt)
	}
	second := r.replay(id, asNew)
	if !second.Receipt.Duplicate || second.Receipt.Request != first.Receipt.Request {
		t.Errorf("the second time %+v, want the first one's receipt", second.Receipt)
	}
	r.wantIncidents("problem a: investigating x2")
	if after := r.everything(); len(after.Requests) != 2 || len(after.Deliveries) != before {
		t.Errorf("%d requests, %d deliveries; want 2 and %d", len(after.Requests), len(after.Deliveries), before)
	}
}

func TestDryReplayChangesNothing(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	id := r.take(r.machine, "a")
	before := r.everything()
	r.says(mended)
	dry := core.Replay{Mode: core.ReplayDry}
	done := r.replay(id, dry)
	if len(done.Events) != 1 || done.Events[0].Title != "better a" || done.Receipt.State != core.RequestDone {
		t.Errorf("dry run %+v", done)
	}
	r.says(unreadable)
	if done := r.replay(id, dry); done.Receipt.State != core.RequestQuarantined || done.Receipt.Reason != "what is this" {
		t.Errorf("dry run of what can't be read %+v", done.Receipt)
	}
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) {
		return sdk.Result{}, &core.AdaptError{Fault: core.AdapterCrash, Plugin: "datadog", Err: errors.New("gone")}
	})
	if done := r.replay(id, dry); done.Receipt.State != core.RequestQuarantined || done.Receipt.Code != core.AdapterFailed {
		t.Errorf("dry run of what kills it %+v", done.Receipt)
	}
	r.sameAs(before)
}

func TestReplayOfThousandsOfEvents(t *testing.T) {
	const n = 1100
	for name, first := range map[string]func(context.Context, sdk.Request) (sdk.Result, error){
		"of what nobody could read": unreadable,
		"of what was applied":       triggers(n),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.says(first)
			id := r.take(r.machine, "a")
			r.says(triggers(n))
			if done := r.replay(id, inPlace); done.Receipt.State != core.RequestDone || done.Receipt.Total != n {
				t.Errorf("receipt %+v, want %d incidents", done.Receipt, n)
			}
			after := r.everything()
			if len(after.Incidents) != n || slices.ContainsFunc(after.Incidents, func(in *core.Incident) bool { return in.Count != 1 }) {
				t.Errorf("%d incidents, want %d that happened once", len(after.Incidents), n)
			}
			r.replay(id, inPlace)
			r.sameAs(after)
		})
	}
}

func TestReplayTakesNothingThatIsStillOwed(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.ready = false
	r.refuses(r.accept(r.machine, "open").Request)
}

func TestTwoReplaysAtOnceApplyOnce(t *testing.T) {
	r := newRig(t)
	r.says(unreadable)
	stored := r.request(r.take(r.machine, "a"))
	r.says(trigger)
	if _, err := r.intake.Replay(t.Context(), stored, inPlace); err != nil {
		t.Fatal(err)
	}
	// The other one has read the request before the first one was through.
	if _, err := r.intake.Replay(t.Context(), stored, inPlace); err == nil {
		t.Error("both were applied")
	}
	r.wantIncidents("problem a: investigating x1")
}
