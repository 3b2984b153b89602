package core_test

import (
	"slices"
	"testing"
	"time"

	"bellcrank.example/core"
)

// settledShape has seen enough requests with title and alerts, one in ten with
// more.
func settledShape(t *testing.T, start time.Time) core.Shape {
	t.Helper()
	s := core.Shape{Integration: "acme/a"}
	for i := range core.ShapeSettled + 1 {
		present := []string{"title", "alerts", "alerts[].id"}
		if i%10 == 0 {
			present = append(present, "more")
		}
		s.Observe("1", present, start.Add(time.Duration(i)*core.ShapeSettledFor/core.ShapeSettled))
	}
	if s.SettledAt.IsZero() {
		t.Fatalf("not settled after %d requests: %+v", s.Seen, s)
	}
	return s
}

func TestAShapeThatChanges(t *testing.T) {
	usual := []string{"title", "alerts", "alerts[].id"}
	tests := map[string]struct {
		present            []string
		times              int
		vanished, appeared []string
	}{
		"as usual":                      {usual, 100, nil, nil},
		"a path is gone":                {[]string{"alerts", "alerts[].id"}, 20, []string{"title"}, nil},
		"not often enough to be sure":   {[]string{"alerts", "alerts[].id"}, 19, nil, nil},
		"with what is below it":         {[]string{"title"}, 20, []string{"alerts"}, nil},
		"what came now and then may go": {usual, 1000, nil, nil},
		"a path is new":                 {append(slices.Clone(usual), "incident"), 20, nil, []string{"incident"}},
		"renamed":                       {[]string{"title", "items", "items[].id"}, 20, []string{"alerts"}, []string{"items"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			s := settledShape(t, start)
			now := start.Add(48 * time.Hour)
			for range tt.times {
				s.Observe("1", tt.present, now)
			}
			vanished, appeared := s.Changes()
			if !slices.Equal(vanished, tt.vanished) || !slices.Equal(appeared, tt.appeared) {
				t.Errorf("vanished %q, appeared %q; want %q, %q", vanished, appeared, tt.vanished, tt.appeared)
			}
			if changed := !s.ChangedAt.IsZero(); changed != (len(tt.vanished)+len(tt.appeared) > 0) {
				t.Errorf("changed: %v", changed)
			}
		})
	}
}

func TestAShapeSaysNothingBeforeItIsSettled(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	s := core.Shape{Integration: "acme/a"}
	for range 10 * core.ShapeSettled { // in one burst
		s.Observe("1", []string{"title"}, now)
	}
	for range 10 * core.ShapeChanged {
		s.Observe("1", []string{"other"}, now)
	}
	if vanished, appeared := s.Changes(); !s.SettledAt.IsZero() || len(vanished)+len(appeared) > 0 {
		t.Errorf("settled %v, vanished %q, appeared %q", s.SettledAt, vanished, appeared)
	}
}

func TestAnotherShapeEnds(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	changed := func() core.Shape {
		s := settledShape(t, start)
		for range core.ShapeChanged {
			s.Observe("1", []string{"alerts", "alerts[].id"}, start.Add(48*time.Hour))
		}
		if s.ChangedAt.IsZero() {
			t.Fatal("not changed")
		}
		return s
	}
	back := changed()
	back.Observe("1", []string{"title", "alerts", "alerts[].id"}, start.Add(49*time.Hour))
	adopted := changed()
	adopted.Observe("1", []string{"alerts"}, start.Add(48*time.Hour+core.ShapeAdopted))
	another := changed()
	another.Observe("2", []string{"alerts"}, start.Add(49*time.Hour))
	for name, s := range map[string]core.Shape{"it is back": back, "it is the usual one by now": adopted, "another adapter": another} {
		if vanished, appeared := s.Changes(); !s.ChangedAt.IsZero() || len(vanished)+len(appeared) > 0 {
			t.Errorf("%s: still changed: %q %q", name, vanished, appeared)
		}
	}
}

func TestAShapeIsBounded(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	s := core.Shape{}
	for i := range 5000 {
		s.Observe("1", []string{"path" + time.Duration(i).String()}, now.Add(time.Duration(i)*time.Hour))
	}
	if len(s.Paths) > 256 {
		t.Errorf("%d paths are remembered", len(s.Paths))
	}
}
