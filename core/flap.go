package core

import (
	"fmt"
	"slices"
	"time"

	"bellcrank.example/sdk"
)

// FlapPolicy says when a problem that comes and goes counts as flapping. The
// zero value is never.
type FlapPolicy struct {
	Transitions int           // so many comings and goings...
	Window      time.Duration // ...within this time
	Quiet       time.Duration // without one: it flaps no more
}

// Flap is the state of a flapping incident, which is held open.
type Flap struct {
	Since time.Time     // zero: it doesn't flap
	Last  time.Time     // the newest coming or going
	Quiet time.Duration // for how long there must be none
	Over  bool          // the newest was a going
}

// On reports whether the incident flaps.
func (f Flap) On() bool { return !f.Since.IsZero() }

// series is the slot that comings and goings are counted in: the series', so
// that a vendor with a new key for each episode is seen through.
func (f *folding) series(c *Change, e *Event) *Slot {
	if e.Series != [16]byte{} {
		return f.slot(c, SeriesSlot, e.Series)
	}
	return f.slot(c, KeySlot, e.Key)
}

// flaps counts a coming or going of the problem and reports whether its
// incident is to stay open and silent because of it. The first time it says
// so.
func (f *folding) flaps(c *Change, e *Event, in *Incident) bool {
	if c.Flap.Transitions == 0 {
		return false
	}
	at, slot := c.Request.ReceivedAt, f.series(c, e)
	slot.Transitions = slices.DeleteFunc(append(slices.Clone(slot.Transitions), at), func(t time.Time) bool {
		return at.Sub(t) > c.Flap.Window
	})
	if extra := len(slot.Transitions) - c.Flap.Transitions; extra > 0 {
		slot.Transitions = slot.Transitions[extra:]
	}
	slot.Changed = true
	if len(slot.Transitions) < c.Flap.Transitions && !in.Flap.On() {
		return false
	}
	began := !in.Flap.On()
	if began {
		in.Flap.Since, in.Flap.Quiet = at, c.Flap.Quiet
		slot.Open = in.ID
	}
	in.Flap.Last, in.Flap.Over = later(in.Flap.Last, at), e.Action == sdk.Resolve
	if began {
		note := fmt.Sprintf("It came and went %d times within %s: held open until it has done neither for %s.",
			len(slot.Transitions), c.Flap.Window, c.Flap.Quiet)
		f.remark(in, e.Action, EffectFlapping, note)
		f.versionBy(in, Updated, ourselves, note)
	}
	return true
}

// returned counts the coming of a problem whose flapping incident is open
// still.
func (f *folding) returned(c *Change, e *Event, in *Incident) {
	if in.Flap.On() && in.Flap.Over {
		f.flaps(c, e, in)
	}
}

// adopt returns the incident that flaps in the event's series and waits for
// the end of it under another key, and gives it this key.
func (f *folding) adopt(c *Change, e *Event, slot *Slot) *Incident {
	if e.Series == [16]byte{} {
		return nil
	}
	in := f.Incidents[f.slot(c, SeriesSlot, e.Series).Open]
	if in == nil || !in.Open() || !in.Flap.On() || !in.Flap.Over {
		return nil
	}
	if old := f.Slots[in.Wakings().Slots[0]]; old != nil && old.Open == in.ID {
		old.Open, old.Changed = 0, true
	}
	in.DedupKey = e.DedupKey
	slot.Open, slot.Last, slot.Changed = in.ID, in.ID, true
	return in
}

// settle lets go of an incident that hasn't come or gone for long enough: it
// ends if it was gone at last.
func (f *folding) settle(w Waking, in *Incident) {
	if !in.Flap.On() || f.now.Before(in.Flap.Last.Add(in.Flap.Quiet)) {
		return
	}
	over, note := in.Flap.Over, fmt.Sprintf("It has neither come nor gone for %s.", in.Flap.Quiet)
	in.Flap = Flap{}
	for _, ref := range w.Slots {
		slot := f.Slots[ref]
		if slot == nil {
			continue
		}
		slot.Transitions, slot.Changed = nil, true
		if ref.Kind == SeriesSlot && slot.Open == in.ID {
			slot.Open = 0
		}
	}
	if over {
		f.expire(w, in, EffectSettled, note)
		return
	}
	f.remark(in, sdk.Trigger, EffectSettled, note)
}

// AutoResolve says when a problem that nobody speaks of any more counts as
// over. The zero value is never.
type AutoResolve struct {
	After    time.Duration // zero: never
	Severity map[sdk.Severity]time.Duration
}

// For returns the time for a severity.
func (a AutoResolve) For(s sdk.Severity) time.Duration {
	if d, ok := a.Severity[s]; ok {
		return d
	}
	return a.After
}
