package core

import (
	"fmt"
	"time"

	"bellcrank.example/sdk"
)

// Waking is an incident for which something is due by time alone.
type Waking struct {
	Incident ID
	Slots    []SlotRef
}

// Wakings returns what has to be locked before an incident is woken.
func (i *Incident) Wakings() Waking {
	ref := SlotRef{Tenant: i.Tenant, Integration: i.Integration, Kind: KeySlot, Hash: HashKey(i.DedupKey)}
	switch {
	case i.Grouped != nil:
		ref.Kind, ref.Integration = GroupSlot, groupIntegration
	case i.Fallback != "":
		ref.Kind, ref.Hash = FallbackSlot, HashKey(string(i.Fallback))
	}
	w := Waking{Incident: i.ID, Slots: []SlotRef{ref}}
	if i.SeriesKey != "" && i.SeriesKey != i.DedupKey {
		ref.Kind, ref.Hash = SeriesSlot, HashKey(i.SeriesKey)
		w.Slots = append(w.Slots, ref)
	}
	return w
}

// Wake does what time alone makes due: it ends holds, lets go of what flapped,
// and resolves what nobody has spoken of for long enough. Incidents that are
// over meanwhile are left alone. While the clock is suspect nothing resolves by
// itself.
func Wake(s *State, due []Waking, routes Routes, now time.Time, suspect bool) *Folded {
	f := &folding{State: s, routes: routes, now: now, out: &Folded{}, seen: map[ID]bool{}}
	for _, w := range due {
		if in := f.Incidents[w.Incident]; in != nil && !in.WakeAt.IsZero() {
			f.wake(w, in, suspect)
		}
	}
	f.schedule()
	return f.out
}

func (f *folding) wake(w Waking, in *Incident, suspect bool) {
	in.WakeAt = time.Time{}
	f.changed(in)
	if !in.Open() {
		return
	}
	f.settle(w, in)
	switch silent := !in.Open() || in.AutoResolve == 0 || f.now.Before(in.LastAt.Add(in.AutoResolve)); {
	case silent:
	case suspect:
		in.WakeAt = f.now.Add(suspectDelay)
	default:
		f.expire(w, in, EffectExpired, fmt.Sprintf("Nobody has spoken of it for %s.", in.AutoResolve))
	}
	if in.Open() {
		f.endHold(in)
	}
}

// suspectDelay is when what a suspect clock says is due is looked at again.
const suspectDelay = 30 * time.Second

// expire resolves an incident without an event, and says why.
func (f *folding) expire(w Waking, in *Incident, effect Effect, note string) {
	in.Status, in.ResolvedAt = Resolved, f.now
	for _, ref := range w.Slots {
		if slot := f.Slots[ref]; slot != nil && slot.Open == in.ID {
			slot.Open, slot.Changed = 0, true
			// What is reported from now on is newer than this.
			slot.LastOp, slot.LastReceivedAt = sdk.Resolve, f.now
			if ref.Kind == KeySlot {
				slot.remember(Mark{Op: sdk.Resolve, Request: slot.LastRequest, Index: slot.LastIndex + 1})
			}
		}
	}
	f.remark(in, sdk.Resolve, effect, note)
	f.versionBy(in, ResolvedKind, ourselves, note)
}

// ourselves is the author of what neither a request nor a person said.
const ourselves = "bellcrank"

// remark puts on the timeline what no request said.
func (f *folding) remark(in *Incident, action sdk.Action, effect Effect, note string) {
	f.out.Timeline = append(f.out.Timeline, TimelineEntry{
		ID: f.NewID(), Tenant: in.Tenant, Incident: in.ID, Action: action, Effect: effect,
		At: f.now, Severity: in.Severity, Title: in.Title, Author: ourselves, Note: note,
	})
}

// schedule notes when each incident that was touched has to be looked at
// again. A time that is merely too early stays: moving it at every repeat would
// cost more than one look in vain.
func (f *folding) schedule() {
	for _, list := range [][]*Incident{f.out.Created, f.out.Changed} {
		for _, in := range list {
			next := in.due()
			if next.IsZero() || in.WakeAt.IsZero() || next.Before(in.WakeAt) {
				in.WakeAt = next
			}
		}
	}
}

// due returns when something is next due by time alone, zero if nothing is.
func (i *Incident) due() time.Time {
	if !i.Open() {
		return time.Time{}
	}
	next := i.Held.Until
	if i.AutoResolve > 0 {
		next = sooner(next, i.LastAt.Add(i.AutoResolve))
	}
	if i.Flap.On() {
		next = sooner(next, i.Flap.Last.Add(i.Flap.Quiet))
	}
	return next
}

// sooner returns the earlier of two times; a zero one doesn't count.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
