package core

import (
	"fmt"
	"time"

	"bellcrank.example/sdk"
)

// groupIntegration is under which the slots of groups are kept: a group may
// hold incidents of several integrations.
const groupIntegration = "bellcrank/group"

// GroupKey says which group an event's incident belongs to. The zero value is
// none.
type GroupKey struct {
	Rule   string        // the configured group's name
	Values string        // what its members share, such as "cluster=eu1, service=db"
	Hash   [16]byte      // of both
	Window time.Duration // for how long after its opening it takes members
	Wait   time.Duration // for how long its opening waits for more members
}

// Grouped is what only the incident of a group has. Its content is that of its
// first member, so that it is routed alike.
type Grouped struct {
	Rule      string
	Values    string
	First     string    // the title of the first member
	Members   int       // that have joined
	Burning   int       // of them, those that are open
	WaitUntil time.Time // its opening isn't told before
}

func (g *Grouped) title() string {
	if g.Members > 1 {
		return fmt.Sprintf("[%s: %s] %d problems, the first: %s", g.Rule, g.Values, g.Members, g.First)
	}
	return fmt.Sprintf("[%s: %s] %s", g.Rule, g.Values, g.First)
}

// release reports whether the group has waited for members, and makes its
// title tell of those that came.
func (g *Grouped) release(in *Incident) bool {
	if g.WaitUntil.IsZero() {
		return false
	}
	g.WaitUntil = time.Time{}
	in.Title = g.title()
	return true
}

// join lets the group of a new or returning problem tell of it. Within the
// group's window only the first is news; a group that was over begins again.
func (f *folding) join(c *Change, e *Event, in *Incident) {
	if e.Group.Rule == "" || in.Test {
		return
	}
	slot := f.slotOf(SlotRef{c.Request.Tenant, groupIntegration, GroupSlot, e.Group.Hash})
	g := f.Incidents[slot.Last]
	again := g != nil && in.Group == g.ID
	if g == nil || g.Grouped == nil || f.now.Sub(g.OpenedAt) >= e.Group.Window && (!again || !g.Open()) {
		f.openGroup(c, e, in, slot)
		return
	}
	if !again {
		g.Grouped.Members++
		g.Count++
	}
	in.Group = g.ID
	g.Grouped.Burning++
	g.LastAt = later(g.LastAt, c.Request.ReceivedAt)
	f.changed(g)
	raised := in.Severity.Above(g.Severity)
	if raised {
		g.Severity, g.SeverityRule = in.Severity, in.SeverityRule
	}
	switch {
	case !g.Open():
		g.Status, g.ResolvedAt, g.AckedAt = Investigating, time.Time{}, time.Time{}
		slot.Open, slot.Changed = g.ID, true
		f.remark(g, sdk.Trigger, EffectReopened, "")
		f.version(g, Reopened)
	case raised:
		f.remark(g, sdk.Trigger, EffectRaised, "")
		f.version(g, Escalated)
	case g.Held.By != "" && f.speaksUp(g, in):
		f.version(g, Updated)
	}
}

// speaksUp reports whether the group is held back for the sake of its first
// member while this one isn't, and makes it tell of this one.
func (f *folding) speaksUp(g, in *Incident) bool {
	if f.now.Before(g.Grouped.WaitUntil) {
		return false
	}
	if _, held := f.routes.Hold(in, f.now); held {
		return false
	}
	g.like(in)
	return true
}

func (f *folding) openGroup(c *Change, e *Event, in *Incident, slot *Slot) {
	at := c.Request.ReceivedAt
	g := &Incident{
		ID: f.NewID(), Tenant: in.Tenant, DedupKey: groupName(e.Group.Rule, e.Group.Values),
		IdentityRule: "group " + e.Group.Rule, Status: Investigating, Severity: in.Severity, SeverityRule: in.SeverityRule,
		Count: 1, FirstAt: at, LastAt: at, OpenedAt: at, Previous: slot.Last,
		Grouped: &Grouped{Rule: e.Group.Rule, Values: e.Group.Values, Members: 1, Burning: 1},
	}
	if e.Group.Wait > 0 {
		g.Grouped.WaitUntil = f.now.Add(e.Group.Wait)
	}
	g.like(in)
	in.Group = g.ID
	slot.Open, slot.Last, slot.Changed = g.ID, g.ID, true
	f.Incidents[g.ID] = g
	f.seen[g.ID] = true
	f.out.Created = append(f.out.Created, g)
	f.remark(g, sdk.Trigger, EffectOpened, "")
	f.version(g, Created)
}

func groupName(rule, values string) string { return rule + ": " + values }

// NewGroupKey returns the key of the group that shares the values.
func NewGroupKey(rule, values string, window, wait time.Duration) GroupKey {
	return GroupKey{Rule: rule, Values: values, Hash: HashKey(groupName(rule, values)), Window: window, Wait: wait}
}

// like gives a group the content of one of its members.
func (i *Incident) like(member *Incident) {
	i.Integration, i.Service, i.Labels, i.Metadata = member.Integration, member.Service, member.Labels, member.Metadata
	i.Description, i.Affected, i.Impact, i.SourceURL = member.Description, member.Affected, member.Impact, member.SourceURL
	i.Grouped.First = member.Title
	i.Title = i.Grouped.title()
}

// leave takes a member that is over off its group, which ends with its last.
func (f *folding) leave(in *Incident) {
	g := f.Incidents[in.Group]
	if in.Group == 0 || g == nil || !g.Open() {
		return
	}
	g.Grouped.Burning--
	f.changed(g)
	if g.Grouped.Burning > 0 {
		return
	}
	g.Status, g.ResolvedAt = Resolved, f.now
	for ref, slot := range f.Slots {
		if ref.Kind == GroupSlot && slot.Open == g.ID {
			slot.Open, slot.Changed = 0, true
		}
	}
	note := fmt.Sprintf("All %d of its members are over.", g.Grouped.Members)
	f.remark(g, sdk.Resolve, EffectResolved, note)
	f.versionBy(g, ResolvedKind, ourselves, note)
}
