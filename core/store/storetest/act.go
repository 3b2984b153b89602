package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// marksComeBack gives a key more events than are remembered, in a disorder.
func marksComeBack(t *testing.T, f *fixture) {
	f.run()
	base := f.clock().Truncate(time.Microsecond)
	for i := range 70 {
		e := trigger("k")
		switch {
		case i%11 == 10:
			e = acknowledge("k")
		case i%17 == 16:
			e = resolve("k")
		}
		e.OccurredAt = base.Add(time.Duration(i^1) * time.Minute)
		if i%23 == 22 {
			e.OccurredAt = time.Time{}
		}
		s := insert(f.request(), e)
		s.Change.Observed = true
		f.commit(s)
		if i%10 == 0 {
			f.restart()
		}
	}
	in := f.incident(1).Incident
	slots := in.Wakings().Slots
	read := func() core.Slot {
		tx, err := f.Begin(t.Context())
		f.must(err)
		gated, err := tx.Gate(t.Context(), gateOf(slots))
		f.must(errors.Join(err, tx.Rollback(t.Context())))
		return *gated.Slots[slots[0]]
	}
	f.stop()
	f.reopen()
	before := read()
	if len(before.Marks) != 32 || !before.Cut {
		t.Fatalf("%d marks, cut %v; want 32 and cut", len(before.Marks), before.Cut)
	}
	if !slices.IsSortedFunc(before.Marks[:20], func(a, b core.Mark) int {
		if a.SourceAt.IsZero() || b.SourceAt.IsZero() {
			return 0
		}
		return a.SourceAt.Compare(b.SourceAt)
	}) {
		t.Errorf("marks aren't in the order in which they were said: %+v", before.Marks)
	}
	f.stop()
	f.reopen()
	if diff := cmp.Diff(before, read()); diff != "" {
		t.Errorf("slot (-before +after a restart):\n%s", diff)
	}
}

func act(do sdk.Action, text string) core.Act { return core.Act{Do: do, Author: "anna", Text: text} }

func personActs(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	for _, a := range []core.Act{
		act(sdk.Acknowledge, ""), act(core.Note, "a disk is on its way"), {Do: core.Assign, Author: "anna", Service: "storage"},
		act(sdk.Resolve, "replaced"), act(core.Reopen, "it wasn't"), act(core.Reopen, "again"),
	} {
		got, err := f.Act(t.Context(), 1, a)
		f.must(err)
		if changed := a.Text != "again"; got.Changed != changed || got.Duplicate {
			t.Errorf("%s %q: %+v, want changed %v", a.Do, a.Text, got, changed)
		}
	}
	f.restart()
	d := f.incident(1)
	var events, told []string
	for _, e := range d.Timeline {
		events = append(events, strings.TrimSpace(fmt.Sprintf("%s %s %s %q", e.Action, e.Effect, e.Author, e.Note)))
	}
	for i, v := range d.Versions {
		told = append(told, fmt.Sprintf("%d %s %s %q -> %s", v.Number, v.Kind, v.Author, v.Note, d.Deliveries[i].Kind))
	}
	wantEvents := []string{
		`trigger opened  ""`, `acknowledge acknowledged anna ""`, `note noted anna "a disk is on its way"`,
		`assign assigned anna "to storage"`, `resolve resolved anna "replaced"`, `reopen reopened anna "it wasn't"`,
		`reopen none anna "again"`,
	}
	wantTold := []string{
		`1 created  "" -> created`, `2 acknowledged anna "" -> acknowledged`, `3 updated anna "a disk is on its way" -> updated`,
		`4 updated anna "" -> updated`, `5 resolved anna "replaced" -> resolved`, `6 reopened anna "it wasn't" -> reopened`,
	}
	if diff := cmp.Diff(wantEvents, events); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantTold, told); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	v, err := f.Version(t.Context(), d.Incident.ID, 3)
	f.must(err)
	if v.Author != "anna" || v.Note != "a disk is on its way" {
		t.Errorf("who delivers version 3 learns of %q by %q", v.Note, v.Author)
	}
	elsewhere := trigger("k")
	elsewhere.Service = "db"
	f.accept(elsewhere)
	if in := f.incident(1).Incident; in.Service != "storage" || in.Assigned != "anna" || in.Count != 2 {
		t.Errorf("after a repeat: service %q by %q, count %d; want storage, anna, 2", in.Service, in.Assigned, in.Count)
	}
}

func actedOnce(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	a := act(core.Note, "once")
	a.Key = core.DeliveryKey{ID: core.HashKey("1"), Body: core.HashKey("once")}
	for i := range 3 {
		got, err := f.Act(t.Context(), 1, a)
		f.must(err)
		if got.Duplicate != (i > 0) || got.Incident.Version != 2 {
			t.Errorf("time %d: duplicate %v, version %d; want the note once", i, got.Duplicate, got.Incident.Version)
		}
	}
	a.Key.Body = core.HashKey("another body")
	if _, err := f.Act(t.Context(), 1, a); !isCode(err, core.Conflict) {
		t.Errorf("the same id for something else: %v, want a conflict", err)
	}
	if n := len(f.incident(1).Timeline); n != 2 {
		t.Errorf("%d events, want the trigger and one note", n)
	}
}

func refusedLeavesNothing(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	a := act(sdk.Resolve, "")
	a.Expect = 2
	a.Key = core.DeliveryKey{ID: core.HashKey("1"), Body: core.HashKey("1")}
	if _, err := f.Act(t.Context(), 1, a); !isCode(err, core.Conflict) {
		t.Fatalf("an act on a version that there isn't: %v, want a conflict", err)
	}
	if d := f.incident(1); len(d.Timeline) != 1 || d.Incident.Version != 1 {
		t.Errorf("it left %d events and version %d", len(d.Timeline), d.Incident.Version)
	}
	a.Expect = 1
	got, err := f.Act(t.Context(), 1, a)
	f.must(err)
	if !got.Changed || got.Duplicate || got.Incident.Status != core.Resolved {
		t.Errorf("sent again after the refusal: %+v, want it done", got)
	}
	if _, err := f.Act(t.Context(), 1, act(sdk.Acknowledge, "")); !isCode(err, core.Conflict) {
		t.Errorf("acknowledge what is resolved: %v, want a conflict", err)
	}
	if _, err := f.Act(t.Context(), 9, act(core.Note, "x")); !isCode(err, core.NotFound) {
		t.Errorf("an incident that there isn't: %v, want not found", err)
	}
	f.advance(time.Hour)
	f.accept(trigger("k"))
	if _, err := f.Act(t.Context(), 1, act(core.Reopen, "")); !isCode(err, core.Conflict) {
		t.Errorf("reopen beside a newer incident: %v, want a conflict", err)
	}
}

func refusedTwiceInOneBatch(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	f.stop()
	f.reopen()
	a := act(sdk.Resolve, "")
	a.Expect = 2
	a.Key = core.DeliveryKey{ID: core.HashKey("1"), Body: core.HashKey("1")}
	errs := make([]error, 2)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() { _, errs[i] = f.Act(t.Context(), 1, a) })
		f.await(func() bool { return f.Stats().Waiting == i+1 })
	}
	f.run()
	wait.Wait()
	for _, err := range errs {
		if !isCode(err, core.Conflict) {
			t.Errorf("got %v, want both refused: neither was done", err)
		}
	}
}

func isCode(err error, code core.Code) bool {
	e, ok := errors.AsType[*core.Error](err)
	return ok && e.Code == code
}

func peopleRace(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			for i := range 20 {
				var err error
				switch (w + i) % 4 {
				case 0:
					_, err = f.Act(t.Context(), 1, act(sdk.Resolve, ""))
				case 1:
					_, err = f.Act(t.Context(), 1, act(core.Note, "n"))
				case 2:
					_, err = f.Commit(t.Context(), insert(f.request(), resolve("k")))
				default:
					_, err = f.Commit(t.Context(), insert(f.request(), trigger("k")))
				}
				if err != nil {
					t.Errorf("worker %d: %v", w, err)
				}
			}
		})
	}
	wait.Wait()
	all, err := f.Incidents(t.Context(), core.IncidentFilter{})
	f.must(err)
	if len(all) != 1 || all[0].Count != 41 {
		t.Fatalf("%d incidents, count %d; want one with 41", len(all), all[0].Count)
	}
	for n := 1; n <= all[0].Version; n++ {
		if _, err := f.Version(t.Context(), all[0].ID, n); err != nil {
			t.Errorf("version %d of %d: %v", n, all[0].Version, err)
		}
	}
}

func versionsSayWhy(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	f.accept(resolve("k"))
	want := []core.Why{
		{Decisions: []core.Decision{{Route: "all", Matched: true, To: []string{webhook}}}, Owed: []string{webhook}},
		{Owed: []string{webhook}},
	}
	for i, v := range f.incident(1).Versions {
		if diff := cmp.Diff(want[i], v.Why); diff != "" || v.Generation != 7 {
			t.Errorf("version %d of generation %d (-want +got):\n%s", v.Number, v.Generation, diff)
		}
	}
}
