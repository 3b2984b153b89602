package storetest

import (
	"reflect"
	"testing"
	"time"

	"bellcrank.example/core"
)

// wake does what is due, as the scheduler would, and returns how many
// incidents were looked at.
func (f *fixture) wake() int {
	f.t.Helper()
	due, err := f.Waking(f.t.Context(), f.clock(), 100)
	f.must(err)
	if len(due) > 0 {
		f.must(f.Wake(f.t.Context(), due, false))
	}
	return len(due)
}

func (f *fixture) holdBack(by string, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = core.Hold{By: by, Until: until}
}

func heldIsOwedAfterRestart(t *testing.T, f *fixture) {
	f.run()
	until := f.clock().Add(time.Hour).Truncate(time.Microsecond)
	f.holdBack("silence x", until)
	f.accept(trigger("a"), trigger("b"))
	f.accept(resolve("b"))
	list, err := f.Incidents(t.Context(), core.IncidentFilter{HeldBy: "silence x"})
	f.must(err)
	if len(list) != 1 || list[0].DedupKey != "a" || !list[0].Held.Until.Equal(until) || len(f.due()) != 0 {
		t.Fatalf("held back: %+v, due: %d", list, len(f.due()))
	}
	f.restart()
	f.holdBack("", time.Time{})
	if n := f.wake(); n != 0 {
		t.Errorf("%d are due before the end", n)
	}
	f.advance(time.Hour)
	if n := f.wake(); n != 1 || len(f.due()) != 1 || f.delivery(1, 1).Kind != core.Created {
		t.Errorf("at the end %d are woken and %d owed", n, len(f.due()))
	}
	if n := f.wake(); n != 0 || f.incident(1).Incident.Held.By != "" {
		t.Errorf("%d are due again", n)
	}
}

func rousedIsDue(t *testing.T, f *fixture) {
	f.run()
	f.holdBack("silence x", f.clock().Add(time.Hour))
	f.accept(trigger("a"))
	f.holdBack("", time.Time{})
	f.must(f.Rouse(t.Context()))
	if n := f.wake(); n != 1 || len(f.due()) != 1 {
		t.Errorf("%d are woken and %d owed, want one", n, len(f.due()))
	}
}

func groupsSurvive(t *testing.T, f *fixture) {
	f.run()
	grouped := func(key string) {
		s := insert(f.request(), trigger(key))
		s.Change.Events[0].Group = core.NewGroupKey("storm", "all", time.Hour, 0)
		f.commit(s)
	}
	grouped("a")
	f.restart()
	grouped("b")
	g := f.incident(2).Incident
	list, err := f.Incidents(t.Context(), core.IncidentFilter{Group: g.ID})
	f.must(err)
	if g.Grouped == nil || g.Grouped.Members != 2 || len(list) != 2 || len(f.due()) != 1 {
		t.Fatalf("group %+v has %d members, %d deliveries are due", g.Grouped, len(list), len(f.due()))
	}
	f.accept(resolve("a"))
	f.restart()
	if f.incident(2).Incident.Status != core.Investigating {
		t.Error("the group is over before its last member")
	}
	f.accept(resolve("b"))
	if got := f.incident(2).Incident; got.Status != core.Resolved || got.Grouped.Burning != 0 {
		t.Errorf("the group is %s with %d burning", got.Status, got.Grouped.Burning)
	}
}

func flappingSurvives(t *testing.T, f *fixture) {
	f.run()
	say := func(key string, over bool) {
		e := trigger(key)
		if over {
			e = resolve(key)
		}
		e.SeriesKey = "s"
		s := insert(f.request(), e)
		s.Change.Flap = core.FlapPolicy{Transitions: 3, Window: time.Hour, Quiet: time.Hour}
		f.commit(s)
	}
	say("a", false)
	say("a", true)
	f.restart()
	say("b", false)
	say("b", true)
	f.restart()
	say("c", false) // taken over by the one that flaps
	say("c", true)
	if in := f.incident(2).Incident; !in.Flap.On() || in.DedupKey != "c" || in.Status != core.Investigating {
		t.Fatalf("%+v", in)
	}
	f.restart()
	f.advance(time.Hour)
	if n := f.wake(); n != 1 || f.incident(2).Incident.Status != core.Resolved {
		t.Errorf("%d woken, it is %s", n, f.incident(2).Incident.Status)
	}
	if list, err := f.Incidents(t.Context(), core.IncidentFilter{}); err != nil || len(list) != 2 {
		t.Errorf("%d incidents (%v), want 2", len(list), err)
	}
}

func silencesSurvive(t *testing.T, f *fixture) {
	f.run()
	s := core.Silence{
		ID: f.NewID(), Tenant: tenant, Author: "ada", Reason: "a new disk", CreatedAt: f.clock().Truncate(time.Microsecond).UTC(),
		Match:    core.Matcher{Services: []string{"db*"}, Labels: map[string]string{"team": "core"}},
		StartsAt: f.clock().Truncate(time.Microsecond).UTC(), EndsAt: f.clock().Add(time.Hour).Truncate(time.Microsecond).UTC(),
	}
	f.must(f.SetSilence(t.Context(), s))
	f.restart()
	list, err := f.Silences(t.Context(), f.clock())
	f.must(err)
	if len(list) != 1 || list[0].Reason != s.Reason || list[0].Match.Labels["team"] != "core" || !list[0].EndsAt.Equal(s.EndsAt) {
		t.Fatalf("silences %+v", list)
	}
	s.ExpiredAt, s.ExpiredBy = f.clock(), "ada"
	f.must(f.SetSilence(t.Context(), s))
	if list, err = f.Silences(t.Context(), f.clock()); err != nil || len(list) != 0 {
		t.Errorf("%d silences are left (%v)", len(list), err)
	}
	if got, err := f.Silence(t.Context(), s.ID); err != nil || got.ExpiredBy != "ada" {
		t.Errorf("on record: %+v (%v)", got, err)
	}
	if _, err := f.Silence(t.Context(), 1); err == nil {
		t.Error("a silence that nobody made is there")
	}
}

func pulsesSurvive(t *testing.T, f *fixture) {
	f.run()
	since := f.clock().Truncate(time.Microsecond).UTC()
	f.must(f.SetPulse(t.Context(), core.Pulse{Tenant: tenant, Integration: integration, Since: since}))
	f.must(f.SetListening(t.Context(), since, since.Add(time.Minute)))
	f.accept(trigger("by ourselves")) // has no key
	if at, err := f.LastBeat(t.Context(), integration); err != nil || !at.IsZero() {
		t.Errorf("our own request counts as a beat of %v (%v)", at, err)
	}
	r := f.request()
	r.KeyID = "a"
	f.commit(insert(r, trigger("by its sender")))
	f.restart()
	if at, err := f.LastBeat(t.Context(), integration); err != nil || !at.Equal(r.ReceivedAt.Truncate(time.Microsecond)) {
		t.Errorf("last beat %v (%v), want %v", at, err, r.ReceivedAt)
	}
	pulses, err := f.Pulses(t.Context())
	f.must(err)
	if len(pulses) != 1 || !pulses[0].Since.Equal(since) || !pulses[0].Missing.IsZero() {
		t.Errorf("pulses %+v", pulses)
	}
	if from, to, err := f.Listening(t.Context()); err != nil || !from.Equal(since) || !to.Equal(since.Add(time.Minute)) {
		t.Errorf("listening from %v to %v (%v)", from, to, err)
	}
}

func shapesSurvive(t *testing.T, f *fixture) {
	f.run()
	at := f.clock().Truncate(time.Microsecond).UTC()
	want := core.Shape{
		Tenant: tenant, Integration: integration, Watched: "w", Since: at, Seen: 7, SettledAt: at.Add(time.Hour),
		Paths: map[string]core.PathSeen{"a[].b": {Usual: 7, Missed: 2}, "c": {Extra: 3}},
	}
	f.must(f.SetShape(t.Context(), core.Shape{Tenant: tenant, Integration: integration, Since: at, Seen: 1}))
	f.must(f.SetShape(t.Context(), want))
	f.restart()
	list, err := f.Shapes(t.Context())
	f.must(err)
	if len(list) != 1 || !reflect.DeepEqual(list[0], want) {
		t.Errorf("got %+v, want %+v", list, want)
	}
}
