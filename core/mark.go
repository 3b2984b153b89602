package core

import (
	"slices"
	"time"

	"bellcrank.example/sdk"
)

// maxMarks bounds what a slot remembers. What is older is merged: only an event
// that arrives behind so many others can't be told from one of an episode
// before.
const maxMarks = 32

// Mark is what a slot remembers of one event on its key.
type Mark struct {
	Op       sdk.Action
	Severity sdk.Severity // of a trigger
	Acked    bool         // an acknowledgement followed, and was merged into this mark
	Request  ID
	Index    int
	SourceAt time.Time // as the vendor says; zero where arrival alone decides
}

// before reports whether the mark was said before another: by the sender's
// times if both have one and they differ, else by arrival.
func (m *Mark) before(other *Mark) bool {
	if !m.SourceAt.IsZero() && !other.SourceAt.IsZero() && !m.SourceAt.Equal(other.SourceAt) {
		return m.SourceAt.Before(other.SourceAt)
	}
	if m.Request != other.Request {
		return m.Request < other.Request
	}
	return m.Index < other.Index
}

// begins reports whether an episode can begin or go on with the mark.
func (m *Mark) begins() bool { return m.Op == sdk.Trigger || m.Op == Reopen }

// remember puts a mark in its place, in the order in which things were said,
// and returns the place. It is -1 for what is older than anything that is
// remembered where older marks were forgotten. A mark that is there already,
// as after a replay of its request, stays the only one.
func (s *Slot) remember(m Mark) (at int, known bool) {
	for at := range s.Marks {
		if old := &s.Marks[at]; old.Request == m.Request && old.Index == m.Index && old.Op == m.Op {
			return at, true
		}
	}
	s.Changed = true
	for len(s.Marks) >= maxMarks {
		s.forget()
	}
	at = len(s.Marks)
	for at > 0 && m.before(&s.Marks[at-1]) {
		at--
	}
	if at == 0 && s.Cut {
		return -1, false
	}
	s.Marks = slices.Insert(s.Marks, at, m)
	return at, false
}

// knows reports whether a mark is there already.
func (s *Slot) knows(m Mark) bool {
	return slices.ContainsFunc(s.Marks, func(old Mark) bool {
		return old.Request == m.Request && old.Index == m.Index && old.Op == m.Op
	})
}

// forget shortens the marks by the oldest, without changing what they say of
// the newest episode.
func (s *Slot) forget() {
	s.Cut = true
	first, second := &s.Marks[0], &s.Marks[1]
	switch {
	case !first.begins():
		s.Marks = s.Marks[1:]
	case second.begins():
		if first.Severity.Above(second.Severity) {
			second.Severity = first.Severity
		}
		second.Acked = second.Acked || first.Acked
		s.Marks = s.Marks[1:]
	case second.Op == sdk.Acknowledge:
		first.Acked = true
		s.Marks = slices.Delete(s.Marks, 1, 2)
	default: // its end
		s.Marks = s.Marks[2:]
	}
}

// episode is what the marks of a slot say of the newest episode: what was said
// of the problem since it was last over, and whether it is over by now.
type episode struct {
	start    int // its first mark
	newest   int // its newest trigger, -1 if nothing was ever said
	triggers int
	severity sdk.Severity
	acked    bool
	over     bool
}

func (s *Slot) episode() episode {
	ep := episode{newest: -1}
	i := len(s.Marks) - 1
	for ; i >= 0 && !s.Marks[i].begins(); i-- {
		ep.over = ep.over || s.Marks[i].Op == sdk.Resolve
	}
	ep.newest = i
	for ; i >= 0 && s.Marks[i].Op != sdk.Resolve; i-- {
		ep.start = i
	}
	for i := ep.start; i < len(s.Marks); i++ {
		ep.add(&s.Marks[i])
	}
	return ep
}

// add takes the next mark of the episode into account. An acknowledgement
// before its first trigger is of nothing.
func (ep *episode) add(m *Mark) {
	switch {
	case m.begins():
		ep.triggers++
		ep.acked = ep.acked || m.Acked
		if m.Severity.Above(ep.severity) {
			ep.severity = m.Severity
		}
	case m.Op == sdk.Acknowledge && ep.triggers > 0:
		ep.acked = true
	}
}

// mark returns what is remembered of an event.
func (c *Change) mark(e *Event) Mark {
	m := Mark{Op: e.Action, Request: c.Request.ID, Index: e.Index}
	if e.Action == sdk.Trigger {
		m.Severity = e.Severity
	}
	if c.Observed {
		m.SourceAt = e.OccurredAt.Truncate(time.Microsecond) // as a store keeps it
	}
	return m
}
