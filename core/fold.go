package core

import (
	"slices"
	"time"

	"bellcrank.example/sdk"
)

// State is what a batch has locked and loaded: every slot that its changes
// refer to, and for each slot its open incident, else its last one; for each
// of those the incident of its group. Fold changes it in place.
type State struct {
	Slots        map[SlotRef]*Slot
	Incidents    map[ID]*Incident
	Destinations map[string]DestinationState
	NewID        func() ID
}

// Change is what a person does, or what one request does: the events that an
// adapter made of it, or the failure that a fallback incident shall tell of.
type Change struct {
	Request      *Request
	Observed     bool // the vendor's times order the events
	ReopenWindow time.Duration
	Flap         FlapPolicy
	AutoResolve  AutoResolve
	Events       []Event
	Act          *Act   // what a person does; there is no request then
	Failure      Code   // not empty: raise or join the fallback incident
	Detail       string // what failed, for that incident's description
	Last         bool   // no more events of this request follow: it leaves the fallback incident
	Again        bool   // the request was applied before: what is known of it counts no second time
}

// Refs lists the slots that folding the change needs.
func (c *Change) Refs() []SlotRef {
	if c.Act != nil {
		return c.Act.Locked
	}
	ref := SlotRef{Tenant: c.Request.Tenant, Integration: c.Request.Integration}
	var refs []SlotRef
	add := func(kind SlotKind, hash [16]byte) {
		ref.Kind, ref.Hash = kind, hash
		refs = append(refs, ref)
	}
	for i := range c.Events {
		e := &c.Events[i]
		add(KeySlot, e.Key)
		if e.Series != [16]byte{} {
			add(SeriesSlot, e.Series)
		}
		if e.Alias != [16]byte{} {
			add(AliasSlot, e.Alias)
		}
		if e.Group.Rule != "" {
			refs = append(refs, SlotRef{c.Request.Tenant, groupIntegration, GroupSlot, e.Group.Hash})
		}
	}
	if c.Failure != "" {
		add(FallbackSlot, HashKey(string(c.Failure)))
	}
	if c.Request.Fallback != 0 {
		add(FallbackSlot, HashKey(string(c.Request.FallbackOf)))
	}
	return refs
}

// Folded is what folding has made, besides the changed State.
type Folded struct {
	Created    []*Incident // in order; they have no number yet
	Changed    []*Incident // those that were there before
	Timeline   []TimelineEntry
	Versions   []Version
	Deliveries []Delivery
	Amended    []Amendment
}

// Fold applies changes in order. Operations on one slot happen in the order
// of arrival; what is behind the newest event changes no more than counts.
func Fold(s *State, changes []*Change, routes Routes, now time.Time) *Folded {
	f := &folding{State: s, routes: routes, now: now, out: &Folded{}, seen: map[ID]bool{}}
	for _, c := range changes {
		f.apply(c)
	}
	f.schedule()
	return f.out
}

type folding struct {
	*State
	routes Routes
	now    time.Time
	out    *Folded
	seen   map[ID]bool // incidents that are in out.Created or out.Changed
	quiet  bool        // nobody shall hear of what is folded now
}

// apply folds what a person did; or one request's events, then settles what it has to do with a
// fallback incident.
func (f *folding) apply(c *Change) {
	if c.Act != nil {
		f.act(c.Act)
		return
	}
	f.quiet = c.Request.Quiet
	defer func() { f.quiet = false }()
	for i := range c.Events {
		switch e := &c.Events[i]; e.Action {
		case sdk.Trigger:
			f.trigger(c, e)
		case sdk.Acknowledge:
			f.acknowledge(c, e)
		case sdk.Resolve:
			f.resolve(c, e)
		}
	}
	switch {
	case c.Failure != "":
		f.fallBack(c)
	case c.Last:
		f.leaveFallback(c)
	}
}

func (f *folding) slot(c *Change, kind SlotKind, hash [16]byte) *Slot {
	return f.slotOf(SlotRef{c.Request.Tenant, c.Request.Integration, kind, hash})
}

func (f *folding) slotOf(ref SlotRef) *Slot {
	s := f.Slots[ref]
	if s == nil {
		s = &Slot{}
		f.Slots[ref] = s
	}
	return s
}

// note puts the event on the incident's timeline and the incident on the
// request's list.
func (f *folding) note(c *Change, e *Event, in *Incident, effect Effect) {
	if in.Fallback == "" {
		in.AutoResolve = c.AutoResolve.For(in.Severity)
	}
	if !c.Again || effect != EffectNone { // else the timeline has it already
		f.entry(c, e, in.ID, effect)
	}
	f.touch(c, in)
}

func (f *folding) entry(c *Change, e *Event, incident ID, effect Effect) {
	f.out.Timeline = append(f.out.Timeline, TimelineEntry{
		ID: f.NewID(), Tenant: c.Request.Tenant, Incident: incident, Request: c.Request.ID, Index: e.Index,
		Action: e.Action, Effect: effect, At: c.Request.ReceivedAt, OccurredAt: e.OccurredAt,
		Severity: e.Severity, Rule: e.SeverityRule, Title: e.Title,
	})
}

// maxListed bounds how many incidents a request and its answer list.
const maxListed = 100

// changed notes that an incident is to be stored again.
func (f *folding) changed(in *Incident) {
	if !f.seen[in.ID] {
		f.seen[in.ID] = true
		f.out.Changed = append(f.out.Changed, in)
	}
}

// touch puts the incident on the request's list.
func (f *folding) touch(c *Change, in *Incident) {
	f.changed(in)
	if slices.Contains(c.Request.Incidents, in.ID) {
		return
	}
	c.Request.Total++
	if len(c.Request.Incidents) < maxListed {
		c.Request.Incidents = append(c.Request.Incidents, in.ID)
	}
}
