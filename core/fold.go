package core

import (
	"cmp"
	"slices"
	"time"

	"bellcrank.example/sdk"
)

// aliasWindow is how long an event without identity that is sent again, byte
// for byte, counts as the sender's retry.
const aliasWindow = 10 * time.Second

// SlotKind says what a slot is the gate of.
type SlotKind uint8

// The kinds, in the order in which a batch locks them.
const (
	KeySlot      SlotKind = iota // a dedup key: at most one open incident
	SeriesSlot                   // a recurring problem: links episodes with different keys
	FallbackSlot                 // a failure code: at most one open fallback incident
	AliasSlot                    // an event without identity, by its bytes
	GroupSlot                    // a group of incidents: its newest
)

// SlotRef names a slot within the store.
type SlotRef struct {
	Tenant      int64
	Integration string
	Kind        SlotKind
	Hash        [16]byte
}

// Slot is race gate, out-of-order tombstone and number guard of one key in
// one: who holds it decides what an event on that key does.
type Slot struct {
	Open ID // the incident that is open, zero if none is
	Last ID // the newest incident, open or not

	// Marks are the newest events on the key, in the order in which they were
	// said, which needn't be that of their arrival. Only a key's slot has them.
	Marks []Mark
	Cut   bool // older marks were forgotten

	// The newest event by the order that Fold uses. An event that is behind it
	// never writes these.
	LastOp         sdk.Action
	LastRequest    ID
	LastIndex      int
	LastSourceAt   time.Time
	LastReceivedAt time.Time

	// Transitions are when the series came and went of late, oldest first. Only
	// kept where flapping is looked for.
	Transitions []time.Time

	Changed bool // the batch has changed it
}

// take makes e the newest event of the slot.
func (s *Slot) take(c *Change, e *Event) {
	s.LastOp, s.LastRequest, s.LastIndex = e.Action, c.Request.ID, e.Index
	s.LastSourceAt, s.LastReceivedAt = e.OccurredAt, c.Request.ReceivedAt
	s.Changed = true
}

// State is what a batch has locked and loaded: every slot that its changes
// refer to, and for each slot its open incident, else its last one; for each
// of those the incident of its group. Fold changes it in place.
type State struct {
	Slots        map[SlotRef]*Slot
	Incidents    map[ID]*Incident
	Destinations map[string]DestinationState
	NewID        func() ID
}

// Change is what a person does, or what one request does: the events that an adapter made of it, or
// the failure that a fallback incident shall tell of.
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
}

// apply folds what a person did; or one request's events, then settles what it has to do with a
// fallback incident.
func (f *folding) apply(c *Change) {
	if c.Act != nil {
		f.act(c.Act)
		return
	}
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

// trigger repeats, reopens or opens; in doubt it opens. What the slot remembers
// tells whether the event is of the newest episode, and whether that is over.
func (f *folding) trigger(c *Change, e *Event) {
	slot := f.slot(c, KeySlot, e.Key)
	if twin := f.retried(c, e); twin != nil {
		f.repeat(c, e, twin, true)
		return
	}
	at, known := slot.remember(c.mark(e))
	ep := slot.episode()
	open, last := f.Incidents[slot.Open], f.Incidents[slot.Last]
	newest, current := at == ep.newest, at >= ep.start
	if open == nil && !ep.over && !known {
		open = f.adopt(c, e, slot)
	}
	switch {
	case known:
		f.again(c, e, slot, at)
	case open != nil && current:
		if newest {
			f.returned(c, e, open)
		}
		f.repeat(c, e, open, newest)
	case open != nil:
		f.late(c, e, open)
	case ep.over:
		f.tooLate(c, e, slot, ep, current, newest)
	case last != nil && last.Status == Resolved && c.reopens(last.ResolvedAt):
		f.reopen(c, e, slot, last)
	default:
		f.open(c, e, slot)
	}
	if at == len(slot.Marks)-1 {
		slot.take(c, e)
	}
	f.acknowledged(c, slot, ep)
}

// reopens reports whether a problem that was over at a time and returns now is
// still the same incident.
func (c *Change) reopens(over time.Time) bool {
	return c.ReopenWindow > 0 && c.Request.ReceivedAt.Sub(over) <= c.ReopenWindow
}

// retried returns the open incident that the same bytes opened a moment ago.
func (f *folding) retried(c *Change, e *Event) *Incident {
	if e.Alias == [16]byte{} {
		return nil
	}
	alias := f.slot(c, AliasSlot, e.Alias)
	twin := f.Incidents[alias.Last]
	if twin == nil || !twin.Open() || c.Request.ReceivedAt.Sub(alias.LastReceivedAt) > aliasWindow {
		return nil
	}
	return twin
}

// repeat counts. Only a higher severity is news: a summary with a value in it
// would otherwise page for ever.
func (f *folding) repeat(c *Change, e *Event, in *Incident, newest bool) {
	in.Count++
	in.LastAt = later(in.LastAt, c.Request.ReceivedAt)
	if newest {
		in.describe(e)
	}
	if !e.Severity.Above(in.Severity) {
		f.note(c, e, in, EffectRepeated)
		return
	}
	in.rate(e)
	f.note(c, e, in, EffectRaised)
	f.version(in, Escalated)
}

// again takes a trigger whose request was replayed: it counts once. What a
// mended adapter makes of it is the better word.
func (f *folding) again(c *Change, e *Event, slot *Slot, at int) {
	slot.Marks[at].Severity, slot.Changed = e.Severity, true
	ep := slot.episode()
	in := f.Incidents[cmp.Or(slot.Open, slot.Last)]
	if in == nil {
		f.entry(c, e, 0, EffectNone)
		return
	}
	if at == ep.newest {
		in.describe(e)
	}
	if at < ep.start || !e.Severity.Above(in.Severity) {
		f.note(c, e, in, EffectNone)
		return
	}
	in.rate(e)
	f.note(c, e, in, EffectRaised)
	if in.Open() {
		f.version(in, Escalated)
	}
}

// late counts a trigger of an episode that is over, on the incident at hand.
func (f *folding) late(c *Change, e *Event, in *Incident) {
	in.Count++
	f.note(c, e, in, EffectLate)
}

// tooLate takes a trigger that was said before the resolve which came first:
// nobody is told of what is over.
func (f *folding) tooLate(c *Change, e *Event, slot *Slot, ep episode, current, newest bool) {
	last := f.Incidents[slot.Last]
	switch {
	case last == nil, current && ep.triggers == 1 && !c.reopens(last.ResolvedAt):
		f.openEnded(c, e, slot)
		return
	case current && ep.triggers == 1 || current && e.Severity.Above(last.Severity):
		last.rate(e)
	}
	if newest {
		last.describe(e)
	}
	f.late(c, e, last)
}

// openEnded records a problem whose end was heard of first.
func (f *folding) openEnded(c *Change, e *Event, slot *Slot) {
	in := f.create(c, e, slot)
	in.Status, in.ResolvedAt = Resolved, later(slot.LastReceivedAt, in.OpenedAt)
	slot.Open, slot.Changed = 0, true
	f.note(c, e, in, EffectLate)
}

func (f *folding) reopen(c *Change, e *Event, slot *Slot, in *Incident) {
	in.Status, in.OpenedAt, in.LastAt = Investigating, c.Request.ReceivedAt, c.Request.ReceivedAt
	in.AckedAt, in.ResolvedAt = time.Time{}, time.Time{}
	in.rate(e)
	in.Count++
	in.describe(e)
	slot.Open, slot.Changed = in.ID, true
	f.note(c, e, in, EffectReopened)
	f.join(c, e, in)
	if !f.flaps(c, e, in) {
		f.version(in, Reopened)
	}
}

func (f *folding) open(c *Change, e *Event, slot *Slot) {
	if in := f.takeOver(c, e, slot); in != nil {
		return
	}
	in := f.create(c, e, slot)
	f.note(c, e, in, EffectOpened)
	f.join(c, e, in)
	if !f.flaps(c, e, in) {
		f.version(in, Created)
	}
}

// create makes the incident of a new episode and puts it into its slots.
func (f *folding) create(c *Change, e *Event, slot *Slot) *Incident {
	at := c.Request.ReceivedAt
	in := &Incident{
		ID: f.NewID(), Tenant: c.Request.Tenant, Integration: c.Request.Integration,
		Status: Investigating, Count: 1, FirstAt: at, LastAt: at, OpenedAt: at, Previous: slot.Last,
	}
	f.identify(c, e, in, slot)
	f.Incidents[in.ID] = in
	f.seen[in.ID] = true
	f.out.Created = append(f.out.Created, in)
	return in
}

// identify gives an incident the event's identity, content and slots.
func (f *folding) identify(c *Change, e *Event, in *Incident, slot *Slot) {
	in.DedupKey, in.SeriesKey, in.IdentityRule = e.DedupKey, e.SeriesKey, e.IdentityRule
	in.rate(e)
	in.Test = e.Test
	in.describe(e)
	slot.Open, slot.Last, slot.Changed = in.ID, in.ID, true
	if e.Series != [16]byte{} {
		series := f.slot(c, SeriesSlot, e.Series)
		if in.Previous == 0 {
			in.Previous = series.Last
		}
		series.Last = in.ID
		series.take(c, e)
	}
	if e.Alias != [16]byte{} {
		alias := f.slot(c, AliasSlot, e.Alias)
		alias.Last = in.ID
		alias.take(c, e)
	}
}

// acknowledge marks an open incident, unless it was said before the episode
// began. One that comes before its trigger waits for it.
func (f *folding) acknowledge(c *Change, e *Event) {
	slot := f.slot(c, KeySlot, e.Key)
	at, known := slot.remember(c.mark(e))
	if at == len(slot.Marks)-1 {
		slot.take(c, e)
	}
	ep := slot.episode()
	switch open := f.Incidents[slot.Open]; {
	case open == nil:
		f.noteOrphan(c, e, slot)
	case known || open.Status == Acknowledged:
		f.note(c, e, open, EffectNone)
	case !ep.acked:
		f.note(c, e, open, EffectStale)
	default:
		f.note(c, e, open, EffectAcked)
		f.acknowledged(c, slot, ep)
	}
}

// acknowledged makes the open incident acknowledged if its episode is.
func (f *folding) acknowledged(c *Change, slot *Slot, ep episode) {
	in := f.Incidents[slot.Open]
	if in == nil || !ep.acked || in.Status != Investigating {
		return
	}
	in.Status, in.AckedAt = Acknowledged, c.Request.ReceivedAt
	f.version(in, AckedKind)
}

// resolve ends the episode, unless it was said before the newest trigger.
func (f *folding) resolve(c *Change, e *Event) {
	slot := f.slot(c, KeySlot, e.Key)
	before := slot.episode()
	at, known := slot.remember(c.mark(e))
	if at == len(slot.Marks)-1 {
		slot.take(c, e) // also without an incident: a later trigger may have been said earlier
	}
	ep := slot.episode()
	switch open := f.Incidents[slot.Open]; {
	case known && open != nil:
		f.note(c, e, open, EffectNone)
	case open == nil:
		f.noteOrphan(c, e, slot)
		f.part(f.Incidents[slot.Last], before, ep)
	case !ep.over:
		f.note(c, e, open, EffectStale)
		f.part(open, before, ep)
	case f.flaps(c, e, open):
		f.note(c, e, open, EffectHeldOpen)
	default:
		open.Status, open.ResolvedAt = Resolved, c.Request.ReceivedAt
		open.LastAt = later(open.LastAt, c.Request.ReceivedAt)
		slot.Open = 0
		f.note(c, e, open, EffectResolved)
		f.version(open, ResolvedKind)
	}
}

// part takes off an incident what a resolve that came late shows to be of the
// episode before: its severity travels with the next version, but that nobody
// has acknowledged the newest episode is news.
func (f *folding) part(in *Incident, before, after episode) {
	if in == nil || in.Flap.On() {
		return
	}
	if after.severity != before.severity && in.Severity == before.severity && after.triggers > 0 {
		in.Severity, in.SeverityRaw, in.SeverityRule = after.severity, "", "newest episode"
		f.changed(in)
	}
	if in.Status == Acknowledged && before.acked && !after.acked {
		in.Status, in.AckedAt = Investigating, time.Time{}
		f.changed(in)
		f.version(in, Reopened)
	}
}

// noteOrphan records what has no open incident: on the last one if there is
// one, else on none.
func (f *folding) noteOrphan(c *Change, e *Event, slot *Slot) {
	if last := f.Incidents[slot.Last]; last != nil {
		f.note(c, e, last, EffectNone)
		return
	}
	f.entry(c, e, 0, EffectOrphan)
}

// note puts the event on the incident's timeline and the incident on the
// request's list.
func (f *folding) note(c *Change, e *Event, in *Incident, effect Effect) {
	if in.Fallback == "" {
		in.AutoResolve = c.AutoResolve.For(in.Severity)
	}
	f.entry(c, e, in.ID, effect)
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

// version makes a version of the incident and what it owes: to those who are
// matched now and to those who were told of an earlier version. A resolve goes
// only to the latter; who is matched for the first time gets an opening. What
// is held back is owed to nobody yet, but for the resolve of what was told.
func (f *folding) version(in *Incident, kind Kind) { f.versionBy(in, kind, "", "") }

// versionBy makes a version that a person is the author of, with what they say.
func (f *folding) versionBy(in *Incident, kind Kind, author, note string) {
	in.Version++
	told, hear := in.Told, in.Told
	var why Why
	switch {
	case kind == ResolvedKind:
		in.Held = Hold{}
		f.leave(in)
	case f.holdBack(in):
		hear, why.Held = nil, in.heldBy()
	default:
		hear = f.hear(in, &why)
	}
	for _, destination := range hear {
		says := kind
		if !slices.Contains(told, destination) {
			says = Created
		}
		f.tell(in, destination, says, &why)
	}
	f.out.Versions = append(f.out.Versions, Version{
		ID: f.NewID(), Incident: in.ID, Number: in.Version, Kind: kind, At: f.now, Author: author, Note: note,
		Generation: f.routes.Generation(), Snapshot: in.Clone(), Why: why,
	})
}

// hear adds who is matched now to those who hear of the incident.
func (f *folding) hear(in *Incident, why *Why) []string {
	matched, decisions := f.routes.Decide(in)
	why.decide(decisions)
	in.Told = union(in.Told, matched)
	return in.Told
}

// tell owes the destination a delivery if it takes the kind.
func (f *folding) tell(in *Incident, destination string, kind Kind, why *Why) {
	if !f.routes.Wants(destination, kind) {
		why.Unwanted = append(why.Unwanted, destination)
		return
	}
	why.Owed = append(why.Owed, destination)
	f.owe(in, destination, kind)
}

func (f *folding) owe(in *Incident, destination string, kind Kind) {
	d := Delivery{
		ID: f.NewID(), Tenant: in.Tenant, Incident: in.ID, Version: in.Version, Kind: kind,
		Destination: destination, State: DeliveryDue, NextAt: f.now, CreatedAt: f.now,
	}
	if state, ok := f.Destinations[destination]; ok && !state.Active() {
		d.State = DeliveryParked
	}
	f.out.Deliveries = append(f.out.Deliveries, d)
}

// union returns the sorted union of a sorted list and another one.
func union(sorted, more []string) []string {
	all := append(slices.Clone(sorted), more...)
	slices.Sort(all)
	return slices.Compact(all)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Inherit lets a new delivery wait as long as its predecessor on the lane that
// failed by the destination's fault: a newer version makes nobody try sooner.
// After a delivery-fault it starts afresh.
func Inherit(d *Delivery, predecessor Delivery) {
	if predecessor.Fault != DestinationFault || predecessor.State != DeliveryDue || d.State != DeliveryDue {
		return
	}
	d.Attempt, d.Fault, d.FirstAt = predecessor.Attempt, predecessor.Fault, predecessor.FirstAt
	d.NextAt = later(d.NextAt, predecessor.NextAt)
}
