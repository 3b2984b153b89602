package route

import (
	"slices"
	"time"

	"bellcrank.example/core"
)

// Quiet holds the news of the incidents that it matches back while it is in
// force: a silence or a window.
type Quiet struct {
	Name   string // such as "window nightly", for people
	Author string // for people; may be empty
	Reason string // for people
	Match  Matcher
	// When is a condition beyond Match. An error counts as no match: a
	// condition that breaks must not cost a page. Nil holds always.
	When func(*core.Incident) (bool, error)
	// Active reports whether it is in force at a time, and until when.
	Active func(now time.Time) (until time.Time, ok bool)
}

// Between is the Active of what is in force once.
func Between(from, to time.Time) func(time.Time) (time.Time, bool) {
	return func(now time.Time) (time.Time, bool) {
		return to, !now.Before(from) && now.Before(to)
	}
}

// Silences returns what silences hold back.
func Silences(list []core.Silence) []Quiet {
	quiets := make([]Quiet, len(list))
	for i := range list {
		s := &list[i]
		quiets[i] = Quiet{Name: s.Name(), Match: s.Match, Active: Between(s.StartsAt, s.End())}
	}
	return quiets
}

type quiet struct {
	Quiet
	match matcher
}

func compileQuiets(list []Quiet) []quiet {
	compiled := make([]quiet, len(list))
	for i, q := range list {
		compiled[i] = quiet{q, compile(q.Match)}
	}
	return compiled
}

// With returns the tree with further quiets: what is made at run time joins
// what is configured.
func (t *Tree) With(more []Quiet) *Tree {
	with := *t
	with.quiets = append(slices.Clip(t.quiets), compileQuiets(more)...)
	return &with
}

// Hold returns the quiet that holds the incident's news back for the longest,
// if any does.
func (t *Tree) Hold(in *core.Incident, now time.Time) (hold core.Hold, held bool) {
	for i := range t.quiets {
		q := &t.quiets[i]
		until, active := q.Active(now)
		if active && until.After(hold.Until) && q.matches(in, t) {
			hold, held = core.Hold{By: q.Name, Until: until}, true
		}
	}
	return hold, held
}

func (q *quiet) matches(in *core.Incident, t *Tree) bool {
	if q.match.fails(in) != "" {
		return false
	}
	if q.When == nil {
		return true
	}
	holds, err := q.When(in)
	if err != nil {
		t.log.Warn("condition failed, taken as no match", "of", q.Name, "incident", in.Name(), "err", err)
	}
	return err == nil && holds
}

// Matches reports whether a matcher holds for an incident.
func Matches(m Matcher, in *core.Incident) bool {
	c := compile(m)
	return c.fails(in) == ""
}

// QuietState is a quiet at a time.
type QuietState struct {
	Name   string
	Author string
	Reason string
	Active bool
	Until  time.Time // when it ends, if it is active
}

// Quiets tells which quiets the tree was configured with, and how they are.
// Those that joined later are left out.
func (t *Tree) Quiets(now time.Time) []QuietState {
	states := make([]QuietState, t.configured)
	for i := range states {
		q := &t.quiets[i]
		states[i] = QuietState{Name: q.Name, Author: q.Author, Reason: q.Reason}
		states[i].Until, states[i].Active = q.Active(now)
		if !states[i].Active {
			states[i].Until = time.Time{}
		}
	}
	return states
}
