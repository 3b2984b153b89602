package core

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"bellcrank.example/sdk"
)

// What people do to incidents, besides acknowledging and resolving them. No
// adapter says these.
const (
	Reopen sdk.Action = "reopen" // it turned out not to be over
	Note   sdk.Action = "note"
	Assign sdk.Action = "assign" // to another service
)

// People is under which the ids of what people did are kept, as those of
// deliveries are under their integration.
const People = "bellcrank/people"

// The bounds of what people write about an incident, in bytes.
const (
	maxNote    = 4000
	maxService = 200
)

// Act is what a person does to an incident.
type Act struct {
	ID       ID // of the act itself
	Tenant   int64
	Incident ID
	Locked   []SlotRef // what was locked for it: the incident's Wakings
	Do       sdk.Action
	Author   string
	Text     string // a note; the reason of anything else, may be empty
	Service  string // of Assign
	Expect   int    // the version that the person has seen; zero: any
	At       time.Time
	Key      DeliveryKey // recognises the same act sent again

	// Fold sets these.
	Changed bool  // a version came of it
	Refused error // why nothing was done, a *Error
}

// Acted is what became of an act.
type Acted struct {
	Incident  *Incident // as it is now
	Changed   bool      // a version came of it
	Duplicate bool      // the same act was sent before, and nothing was done now
}

// Check says what is wrong with an act, whatever it is about.
func (a *Act) Check() error {
	switch {
	case !slices.Contains([]sdk.Action{sdk.Acknowledge, sdk.Resolve, Reopen, Note, Assign}, a.Do):
		return fmt.Errorf("%q is nothing that can be done to an incident", a.Do)
	case strings.TrimSpace(a.Author) == "" || len(a.Author) > maxAuthor || strings.ContainsFunc(a.Author, unicode.IsControl):
		return errors.New("an author is needed, of 100 bytes at most, on one line")
	case len(a.Text) > maxNote:
		return errors.New("a text has 4000 bytes at most")
	case a.Do == Note && strings.TrimSpace(a.Text) == "":
		return errors.New("a note needs a text")
	case a.Do == Assign && (strings.TrimSpace(a.Service) == "" || len(a.Service) > maxService || strings.ContainsFunc(a.Service, unicode.IsControl)):
		return errors.New("a service is needed, of 200 bytes at most, on one line")
	}
	return nil
}

// errMoved refuses an act whose incident has got another key since it was read.
var errMoved = errors.New("the incident has another key by now")

// Moved reports whether an act was refused only because its incident has got
// another key since it was read: it can be tried again.
func (a *Act) Moved() bool { return errors.Is(a.Refused, errMoved) }

func (a *Act) refuse(format string, args ...any) {
	a.Refused = &Error{Code: Conflict, Message: fmt.Sprintf(format, args...)}
}

// act does what a person wants. Nothing is undone by saying it twice.
func (f *folding) act(a *Act) {
	in := f.Incidents[a.Incident]
	switch {
	case in == nil:
		a.Refused = &Error{Code: NotFound, Message: "There is no such incident."}
		return
	case !slices.Equal(in.Wakings().Slots, a.Locked):
		a.Refused = &Error{Code: Conflict, Message: "The incident has just been corrected; look at it again.", Err: errMoved}
		return
	case a.Expect != 0 && a.Expect != in.Version:
		a.refuse("%s is at version %d by now, not %d.", in.Name(), in.Version, a.Expect)
		return
	}
	switch a.Do {
	case sdk.Acknowledge:
		f.acknowledgeBy(a, in)
	case sdk.Resolve:
		f.resolveBy(a, in)
	case Reopen:
		f.reopenBy(a, in)
	case Note:
		f.did(a, in, EffectNoted, Updated)
	case Assign:
		f.assignBy(a, in)
	}
}

// did puts the act on the timeline and makes the version that comes of it.
func (f *folding) did(a *Act, in *Incident, effect Effect, kind Kind) {
	a.Changed = true
	f.record(a, in, effect)
	f.versionBy(in, kind, a.Author, a.Text)
}

func (f *folding) record(a *Act, in *Incident, effect Effect) {
	text := a.Text
	if a.Do == Assign {
		text = strings.TrimSpace("to " + a.Service + "\n" + a.Text)
	}
	f.changed(in)
	f.out.Timeline = append(f.out.Timeline, TimelineEntry{
		ID: f.NewID(), Tenant: in.Tenant, Incident: in.ID, Action: a.Do, Effect: effect, At: a.At,
		Severity: in.Severity, Title: in.Title, Author: a.Author, Note: text,
	})
}

func (f *folding) acknowledgeBy(a *Act, in *Incident) {
	switch in.Status {
	case Resolved:
		a.refuse("%s is resolved; reopen it first.", in.Name())
	case Acknowledged:
		f.record(a, in, EffectNone)
	default:
		f.markBy(a, in)
		in.Status, in.AckedAt = Acknowledged, a.At
		f.did(a, in, EffectAcked, AckedKind)
	}
}

func (f *folding) resolveBy(a *Act, in *Incident) {
	if !in.Open() {
		f.record(a, in, EffectNone)
		return
	}
	f.markBy(a, in)
	in.Status, in.ResolvedAt, in.Flap = Resolved, a.At, Flap{}
	for _, ref := range a.Locked {
		if slot := f.slotOf(ref); slot.Open == in.ID {
			slot.Open, slot.Changed = 0, true
		}
	}
	f.did(a, in, EffectResolved, ResolvedKind)
}

// reopenBy makes the problem's newest incident go on. An older one stays what
// it is: a key has one open incident at most.
func (f *folding) reopenBy(a *Act, in *Incident) {
	slot := f.slotOf(a.Locked[0])
	switch {
	case in.Open():
		f.record(a, in, EffectNone)
		return
	case slot.Open != 0 || slot.Last != 0 && slot.Last != in.ID:
		a.refuse("%s can't be reopened: its problem has a newer incident.", in.Name())
		return
	}
	f.markBy(a, in)
	slot.Open, slot.Last, slot.Changed = in.ID, in.ID, true
	in.Status, in.OpenedAt, in.LastAt = Investigating, a.At, later(in.LastAt, a.At)
	in.AckedAt, in.ResolvedAt = time.Time{}, time.Time{}
	f.rejoin(in)
	f.did(a, in, EffectReopened, Reopened)
}

// rejoin makes a reopened incident burn in its group again. If that is over,
// the incident tells of itself.
func (f *folding) rejoin(in *Incident) {
	if in.Group == 0 {
		return
	}
	if g := f.Incidents[in.Group]; g != nil && g.Open() && g.Grouped != nil {
		g.Grouped.Burning++
		f.changed(g)
		return
	}
	in.Group = 0
}

// assignBy gives the incident to another service. What its vendor says of the
// service from now on doesn't take it back.
func (f *folding) assignBy(a *Act, in *Incident) {
	if in.Service == a.Service && in.Assigned != "" {
		f.record(a, in, EffectNone)
		return
	}
	in.Service, in.Assigned = a.Service, a.Author
	f.did(a, in, EffectAssigned, Updated)
}

// markBy remembers the act as the newest of what was said on the incident's
// key. A person speaks of what they see: of everything that has come in.
func (f *folding) markBy(a *Act, in *Incident) {
	slot := f.slotOf(a.Locked[0])
	slot.LastOp, slot.LastReceivedAt, slot.Changed = a.Do, a.At, true
	if a.Locked[0].Kind != KeySlot {
		return
	}
	m := Mark{Op: a.Do, Request: f.NewID(), SourceAt: a.At.Truncate(time.Microsecond)}
	if a.Do == Reopen {
		m.Severity = in.Severity
	}
	if n := len(slot.Marks); n > 0 {
		m.SourceAt = later(m.SourceAt, slot.Marks[n-1].SourceAt.Add(time.Microsecond))
	}
	slot.remember(m)
}
