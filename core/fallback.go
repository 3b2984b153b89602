package core

import (
	"fmt"
	"time"

	"bellcrank.example/sdk"
)

// fallBack raises or joins the incident that tells of requests which nobody
// could read: an alert that cannot be parsed still pages someone.
func (f *folding) fallBack(c *Change) {
	if c.Request.Test || c.Request.Fallback != 0 {
		return
	}
	slot := f.slot(c, FallbackSlot, HashKey(string(c.Failure)))
	in := f.Incidents[slot.Open]
	kind := Updated
	if in == nil {
		in, kind = f.raise(c, slot), Created
	} else {
		in.Count++
		in.LastAt = later(in.LastAt, c.Request.ReceivedAt)
	}
	in.Waiting++
	c.Request.Fallback, c.Request.FallbackOf = in.ID, c.Failure
	f.note(c, &Event{Event: sdk.Event{Action: sdk.Trigger, Severity: in.Severity, Title: in.Title}}, in, EffectFallback)
	doubled := in.Count&(in.Count-1) == 0
	if doubled || f.now.Sub(slot.LastReceivedAt) >= time.Hour {
		slot.LastReceivedAt, slot.Changed = f.now, true
		f.version(in, kind)
	}
}

func (f *folding) raise(c *Change, slot *Slot) *Incident {
	at := c.Request.ReceivedAt
	in := &Incident{
		ID: f.NewID(), Tenant: c.Request.Tenant, Integration: c.Request.Integration,
		DedupKey: "fallback:" + string(c.Failure), IdentityRule: "fallback", Fallback: c.Failure,
		Status: Investigating, Severity: sdk.High, SeverityRule: "fallback", Count: 1,
		FirstAt: at, LastAt: at, OpenedAt: at, Previous: slot.Last,
		Title:       fallbackTitle(c.Failure, c.Request.Integration),
		Description: fmt.Sprintf("%s\n\nThe request is stored with receipt %s. Replay it when the adapter is mended.", c.Detail, c.Request.ID),
	}
	slot.Open, slot.Last, slot.Changed = in.ID, in.ID, true
	slot.LastOp = sdk.Trigger
	f.Incidents[in.ID] = in
	f.seen[in.ID] = true
	f.out.Created = append(f.out.Created, in)
	return in
}

func fallbackTitle(code Code, integration string) string {
	switch code {
	case AdapterUnavailable:
		return "Alerts from " + integration + " are stored but not read: its adapter is not available"
	case AdapterFailed:
		return "An alert from " + integration + " could not be read: its adapter failed"
	case SignaturePending:
		return "Alerts from " + integration + " are stored but not read: their signatures can't be verified yet"
	case ConfirmationFailed:
		return "A subscription of " + integration + " is not confirmed: its alerts will not arrive"
	}
	return "An alert from " + integration + " could not be read"
}

// fallbackOf returns the open fallback incident that stands for the request.
func (f *folding) fallbackOf(c *Change) (*Slot, *Incident) {
	if c.Request.Fallback == 0 {
		return nil, nil
	}
	slot := f.slot(c, FallbackSlot, HashKey(string(c.Request.FallbackOf)))
	if slot.Open != c.Request.Fallback {
		return nil, nil // taken over, or resolved by a person
	}
	return slot, f.Incidents[slot.Open]
}

// takeOver lets the first new problem of a request that could be read after
// all correct the fallback incident in place, so that its number stays.
func (f *folding) takeOver(c *Change, e *Event, slot *Slot) *Incident {
	fallback, in := f.fallbackOf(c)
	if in == nil || e.Test {
		return nil
	}
	fallback.Open, fallback.Changed = 0, true
	in.Fallback, in.Waiting, in.Description = "", 0, ""
	f.identify(c, e, in, slot)
	f.note(c, e, in, EffectOpened)
	f.version(in, Updated)
	c.Request.Fallback = 0
	return in
}

// leaveFallback takes a request that was read after all off its fallback
// incident, which ends when nobody waits for it any more.
func (f *folding) leaveFallback(c *Change) {
	slot, in := f.fallbackOf(c)
	c.Request.Fallback = 0
	if in == nil {
		return
	}
	in.Waiting--
	f.changed(in)
	if in.Waiting > 0 {
		return
	}
	in.Status, in.ResolvedAt = Resolved, f.now
	if len(c.Request.Incidents) > 0 && c.Request.Incidents[0] != in.ID {
		in.SupersededBy = c.Request.Incidents[0]
	}
	slot.Open, slot.Changed = 0, true
	f.version(in, ResolvedKind)
}
