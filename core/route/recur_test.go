package route

import (
	"testing"
	"time"
	_ "time/tzdata" // the test must not depend on the machine's zones

	"bellcrank.example/core"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func TestRecurrence(t *testing.T) {
	zurich := zone(t, "Europe/Zurich")
	nightly := Recurrence{From: 22 * 60, To: 6 * 60, Zone: zurich}
	inGap := Recurrence{From: 2*60 + 30, To: 5 * 60, Zone: zurich}
	intoGap := Recurrence{From: 60, To: 2*60 + 30, Zone: zurich}
	fall := Recurrence{From: 2*60 + 30, To: 2*60 + 45, Zone: zurich}
	weekend := Recurrence{Days: []time.Weekday{time.Saturday, time.Sunday}, From: 0, To: 1440, Zone: zurich}
	monthEnd := Recurrence{MonthDays: []int{-1}, From: 8 * 60, To: 9 * 60}
	tests := map[string]struct {
		r     Recurrence
		now   string
		until string // "" for not active
	}{
		"before it begins":                          {nightly, "2026-06-10T21:59:59+02:00", ""},
		"at its beginning":                          {nightly, "2026-06-10T22:00:00+02:00", "2026-06-11T06:00:00+02:00"},
		"after midnight":                            {nightly, "2026-06-11T03:00:00+02:00", "2026-06-11T06:00:00+02:00"},
		"at its end":                                {nightly, "2026-06-11T06:00:00+02:00", ""},
		"the night when clocks go forward":          {nightly, "2026-03-28T23:00:00+01:00", "2026-03-29T06:00:00+02:00"},
		"the night when clocks go back":             {nightly, "2026-10-24T23:00:00+02:00", "2026-10-25T06:00:00+01:00"},
		"a beginning that isn't shown: before":      {inGap, "2026-03-29T01:59:59+01:00", ""},
		"a beginning that isn't shown: at the leap": {inGap, "2026-03-29T03:00:00+02:00", "2026-03-29T05:00:00+02:00"},
		"an end that isn't shown":                   {intoGap, "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"},
		"after an end that isn't shown":             {intoGap, "2026-03-29T03:00:00+02:00", ""},
		"a time that comes twice: first":            {fall, "2026-10-25T02:30:00+02:00", "2026-10-25T02:45:00+01:00"},
		"a time that comes twice: between":          {fall, "2026-10-25T02:00:00+01:00", "2026-10-25T02:45:00+01:00"},
		"a time that comes twice: over":             {fall, "2026-10-25T02:45:00+01:00", ""},
		"a whole day":                               {weekend, "2026-06-13T12:00:00+02:00", "2026-06-14T00:00:00+02:00"},
		"the next whole day":                        {weekend, "2026-06-14T00:00:00+02:00", "2026-06-15T00:00:00+02:00"},
		"no such day":                               {weekend, "2026-06-15T00:00:00+02:00", ""},
		"the zone decides which day it is":          {weekend, "2026-06-12T22:30:00Z", "2026-06-14T00:00:00+02:00"},
		"the last of February":                      {monthEnd, "2026-02-28T08:30:00Z", "2026-02-28T09:00:00Z"},
		"not the last of a leap year's February":    {monthEnd, "2028-02-28T08:30:00Z", ""},
		"of another month":                          {Recurrence{Months: []time.Month{time.May}, From: 0, To: 1440}, "2026-06-01T08:30:00Z", ""},
		"before it is to start":                     {Recurrence{From: 0, To: 1440, Starts: at(t, "2026-06-01T12:00:00Z")}, "2026-06-01T11:59:59Z", ""},
		"it ends in the middle":                     {Recurrence{From: 0, To: 1440, Ends: at(t, "2026-06-01T12:00:00Z")}, "2026-06-01T11:00:00Z", "2026-06-01T12:00:00Z"},
		"it has ended":                              {Recurrence{From: 0, To: 1440, Ends: at(t, "2026-06-01T12:00:00Z")}, "2026-06-01T12:00:00Z", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			until, ok := tt.r.Active(at(t, tt.now))
			if ok != (tt.until != "") || ok && !until.Equal(at(t, tt.until)) {
				t.Errorf("at %s: %v until %v, want %q", tt.now, ok, until, tt.until)
			}
		})
	}
}

// TestEveryMinuteOfAYearIsInTheNightOrNot holds Active to the clock on the
// wall, whatever the zone does.
func TestEveryMinuteOfAYearIsInTheNightOrNot(t *testing.T) {
	for _, name := range []string{"Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"} {
		loc := zone(t, name)
		night := Recurrence{From: 23 * 60, To: 4 * 60, Zone: loc}
		for now := at(t, "2026-01-01T00:00:00Z"); now.Year() == 2026; now = now.Add(17 * time.Minute) {
			hour := now.In(loc).Hour()
			until, ok := night.Active(now)
			if want := hour >= 23 || hour < 4; ok != want {
				t.Fatalf("%s at %s: %v, want %v", name, now.In(loc), ok, want)
			}
			if ok && (until.Sub(now) > 7*time.Hour || until.In(loc).Hour() != 4) {
				t.Fatalf("%s at %s: until %s", name, now.In(loc), until.In(loc))
			}
		}
	}
}

func TestTheLongestQuietHolds(t *testing.T) {
	noon := at(t, "2026-06-01T12:00:00Z")
	routes := tree(t, Route{Name: "all", To: []string{"webhook/ops"}})
	matching := Matcher{Services: []string{"check*"}}
	with := routes.With([]Quiet{
		{Name: "short", Match: matching, Active: Between(noon, noon.Add(time.Hour))},
		{Name: "long", Match: matching, Active: Between(noon, noon.Add(2*time.Hour))},
		{Name: "other", Match: Matcher{Services: []string{"db"}}, Active: Between(noon, noon.Add(9*time.Hour))},
		{Name: "no", Match: matching, When: func(*core.Incident) (bool, error) { return false, nil }, Active: Between(noon, noon.Add(9*time.Hour))},
	})
	if hold, held := with.Hold(critical(), noon); !held || hold.By != "long" || !hold.Until.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("held %v by %+v, want long", held, hold)
	}
	for name, moment := range map[string]time.Time{"before": noon.Add(-1), "after": noon.Add(2 * time.Hour)} {
		if hold, held := with.Hold(critical(), moment); held {
			t.Errorf("%s: held by %+v", name, hold)
		}
	}
	if _, held := routes.Hold(critical(), noon); held {
		t.Error("the tree that With was called on has changed")
	}
}
