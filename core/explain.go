package core

import "time"

// Explanation is the whole chain that made an incident what it is, as it was
// decided then.
type Explanation struct {
	IncidentDetail
	// First is the event that opened the incident, if it isn't among the
	// newest that the detail has.
	First *TimelineEntry
	// Requests are those that the events came with, without bodies, oldest
	// first: the first one and the newest 20.
	Requests []*Request
	// Attempts are those at each delivery of the detail, oldest first.
	Attempts map[ID][]Attempt
}

// Gap is something that is owed by nobody any more, and was never done.
type Gap struct {
	Kind    string // such as "delivery missing"
	Subject string // a receipt, INC-n with its version, or an integration
	Detail  string
}

// AuditPage is what was found among some of what is stored.
type AuditPage struct {
	Checked int
	States  map[string]int // how many of them are in which state
	Gaps    []Gap
	Owed    []Owing // the oldest of what is still on its way
	Next    ID      // the last that was looked at; zero: there is nothing more
}

// Owing is something that isn't done yet and isn't forgotten either.
type Owing struct {
	Subject string
	State   string
	Since   time.Time
	Detail  string
}

// maxOwing bounds the list of a page.
const maxOwing = 20

// Owe counts what is still on its way; only the oldest are listed. Pages go
// from old to new.
func (p *AuditPage) Owe(o Owing) {
	if len(p.Owed) < maxOwing {
		p.Owed = append(p.Owed, o)
	}
}

// Count counts one thing that was looked at.
func (p *AuditPage) Count(state string) {
	if p.States == nil {
		p.States = map[string]int{}
	}
	p.Checked++
	p.States[state]++
}

// Missing notes a gap.
func (p *AuditPage) Missing(kind, subject, detail string) {
	p.Gaps = append(p.Gaps, Gap{Kind: kind, Subject: subject, Detail: detail})
}
