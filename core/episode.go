package core

import (
	"cmp"
	"time"
)

// aliasWindow is how long an event without identity that is sent again, byte
// for byte, counts as the sender's retry.
const aliasWindow = 10 * time.Second

// trigger repeats, reopens or opens; in doubt it opens. What the slot remembers
// tells whether the event is of the newest episode, and whether that is over.
func (f *folding) trigger(c *Change, e *Event) {
	slot := f.slot(c, KeySlot, e.Key)
	if twin := f.retried(c, e); twin != nil && (!c.Again || !slot.knows(c.mark(e))) {
		f.twin(c, e, twin)
		return
	}
	at, known := slot.remember(c.mark(e))
	if c.Again && at < 0 {
		return // too long ago to be told from what is new
	}
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

// twin counts a retry of what opened an incident, once.
func (f *folding) twin(c *Change, e *Event, in *Incident) {
	if c.Again {
		f.note(c, e, in, EffectNone)
		return
	}
	f.repeat(c, e, in, true)
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
		f.orphan(c, e, EffectNone)
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
	if c.Again && at < 0 {
		return
	}
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
	if c.Again && at < 0 {
		return
	}
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
	f.orphan(c, e, EffectOrphan)
}

// orphan records what belongs to no incident, once.
func (f *folding) orphan(c *Change, e *Event, effect Effect) {
	if !c.Again {
		f.entry(c, e, 0, effect)
	}
}
