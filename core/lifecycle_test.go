package core_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"bellcrank.example/core"
	"bellcrank.example/core/store/storetest"
	"bellcrank.example/sdk"
)

// rules are a world of the rules alone: what a batch would load is all there.
type rules struct {
	state core.State
	ids   core.ID
	now   time.Time
	all   []*core.Incident
	owed  []core.Delivery
}

func newRules() *rules {
	r := &rules{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), state: core.State{
		Slots: map[core.SlotRef]*core.Slot{}, Incidents: map[core.ID]*core.Incident{}, Destinations: map[string]core.DestinationState{},
	}}
	r.state.NewID = r.Draw
	return r
}

func (r *rules) Draw() core.ID           { r.ids++; return r.ids }
func (r *rules) Now() time.Time          { return r.now }
func (r *rules) Advance(d time.Duration) { r.now = r.now.Add(d) }
func (r *rules) Restart()                {}

func (r *rules) Decide(*core.Incident) ([]string, []core.Decision) {
	return []string{"webhook/ops"}, nil
}
func (*rules) Instead(*core.Incident, func(string) bool) []string { return nil }

func (r *rules) Wants(string, core.Kind) bool                            { return true }
func (r *rules) Hold(*core.Incident, time.Time) (h core.Hold, held bool) { return h, false }
func (r *rules) Generation() int64                                       { return 1 }

func (r *rules) Say(id core.ID, observed bool, events []sdk.Event) {
	in := &core.Integration{Type: "datadog", Name: "prod"}
	request := &core.Request{ID: id, Tenant: core.DefaultTenant, Integration: in.ID(), ReceivedAt: r.now}
	r.fold(&core.Change{
		Request: request, Observed: observed, ReopenWindow: core.DefaultReopenWindow, Last: true,
		Events: core.PrepareEvents(in, id, false, events),
	})
}

func (r *rules) Do(key string, a core.Act) error {
	all := r.All(key)
	in := all[len(all)-1]
	a.ID, a.Tenant, a.Incident, a.Locked, a.At = r.Draw(), in.Tenant, in.ID, in.Wakings().Slots, r.now
	r.fold(&core.Change{Act: &a})
	return a.Refused
}

func (r *rules) fold(c *core.Change) {
	f := core.Fold(&r.state, []*core.Change{c}, r, r.now)
	for _, in := range f.Created {
		in.Number = int64(len(r.all) + 1)
		r.all = append(r.all, in)
	}
	r.owed = append(r.owed, f.Deliveries...)
}

func (r *rules) All(key string) (all []*core.Incident) {
	for _, in := range r.all {
		if in.DedupKey == key {
			all = append(all, in.Clone())
		}
	}
	return all
}

func (r *rules) Told(key string) (kinds []core.Kind) {
	var rest []core.Delivery
	for _, d := range r.owed {
		if r.state.Incidents[d.Incident].DedupKey != key {
			rest = append(rest, d)
			continue
		}
		kinds = append(kinds, d.Kind)
	}
	r.owed = rest
	return kinds
}

// TestIncidentsFollowTheModelWhateverComes tries 2,000 sequences, or as many
// as BELLCRANK_SEQUENCES says.
func TestIncidentsFollowTheModelWhateverComes(t *testing.T) {
	storetest.Sequences(t, 2000)
	rapid.Check(t, func(t *rapid.T) { storetest.Lifecycle(t, newRules()) })
}

// TestAnyOrderEndsInTheSameState sends a history, some of it twice, in two
// orders.
func TestAnyOrderEndsInTheSameState(t *testing.T) {
	storetest.Sequences(t, 2000)
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.SliceOfN(rapid.SampledFrom([]sdk.Action{sdk.Trigger, sdk.Acknowledge, sdk.Resolve}), 1, 12).Draw(t, "ops")
		var history []sdk.Event
		for i, op := range ops {
			e := sdk.Event{Action: op, DedupKey: "disk", OccurredAt: time.Date(2026, 3, 1, 11, i, 0, 0, time.UTC)}
			if op == sdk.Trigger {
				e.Title = e.OccurredAt.Format(time.TimeOnly)
				e.Severity = rapid.SampledFrom(sdk.Severities()).Draw(t, "severity")
			}
			history = append(history, e)
			if rapid.Bool().Draw(t, "twice") {
				history = append(history, e)
			}
		}
		wait := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(t, "wait")
		want, got := endOf(history, wait), endOf(rapid.Permutation(history).Draw(t, "order"), wait)
		if got != want {
			t.Fatalf("got %+v, in order %+v", got, want)
		}
	})
}

// end is what must not depend on the order of arrival.
type end struct {
	status   core.Status
	severity sdk.Severity
	title    string
	count    int
}

func endOf(history []sdk.Event, wait time.Duration) (e end) {
	r := newRules()
	for _, event := range history {
		r.Say(r.Draw(), true, []sdk.Event{event})
		r.Advance(wait)
	}
	for _, in := range r.All("disk") {
		e.status, e.severity, e.title = in.Status, in.Severity, in.Title
		e.count += in.Count
	}
	return e
}
