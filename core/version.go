package core

import (
	"slices"
	"time"
)

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
		if f.quiet {
			hear, why.Held = nil, unheard
		}
	case f.quiet:
		hear, why.Held = nil, unheard
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

// unheard is why a version is owed to nobody: whoever replayed the request
// wanted it so. Those who are matched by a later one hear of it as an opening.
const unheard = "replayed without deliveries"

// hear adds who is matched now to those who hear of the incident.
func (f *folding) hear(in *Incident, why *Why) []string {
	matched, decisions := f.routes.Decide(in)
	why.decide(decisions)
	in.Told = union(in.Told, matched)
	if more := f.routes.Instead(in, f.down); len(more) > 0 {
		why.Decisions = append(why.Decisions, Decision{Matched: true, Reason: "a destination is disabled, and these stand in for it", To: more})
		in.Told = union(in.Told, more)
	}
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
	if f.down(destination) {
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
