package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bellcrank.example/sdk"
)

// Status says how far an incident is.
type Status string

// The statuses.
const (
	Investigating Status = "investigating"
	Acknowledged  Status = "acknowledged"
	Resolved      Status = "resolved"
)

// Incident is a problem with a beginning and an end. Events with one dedup
// key share it for an episode: from its opening to its resolve.
type Incident struct {
	ID          ID
	Tenant      int64
	Number      int64 // the n of INC-n; drawn when the incident is stored
	Integration string

	DedupKey     string
	SeriesKey    string
	IdentityRule string // where the dedup key comes from

	Status       Status
	Severity     sdk.Severity
	SeverityRaw  string
	SeverityRule string // which rule gave the severity
	Title        string
	Description  string
	Service      string
	Affected     []string
	Impact       *bool // customer impact; nil: the vendor didn't say
	SourceURL    string
	Labels       map[string]string
	Metadata     map[string]any
	Links        []sdk.Link
	Test         bool
	Assigned     string // the person who gave it to Service; empty: nobody did

	Count      int       // triggers, the first included
	Version    int       // changes that somebody may want to hear of
	FirstAt    time.Time // receipt of the first event
	LastAt     time.Time // receipt of the newest event
	OpenedAt   time.Time // receipt of the event that opened the episode
	AckedAt    time.Time // zero: not acknowledged
	ResolvedAt time.Time // zero: not resolved

	Previous     ID   // the incident of the series' last episode
	Fallback     Code // set on a fallback incident: what its requests failed with
	Waiting      int  // requests that wait for this fallback incident to be corrected
	SupersededBy ID   // what a fallback incident turned out to be

	Held        Hold          // what keeps its newest versions back
	Group       ID            // the incident that tells of it and others like it
	Grouped     *Grouped      // set on the incident of a group
	Flap        Flap          // it comes and goes too often
	AutoResolve time.Duration // without an event for so long it is over; zero: never
	WakeAt      time.Time     // when one of these is due, or earlier; zero: none is

	// Told lists the destinations that are owed a resolve because they were
	// owed an opening, sorted.
	Told []string
}

// Name returns the number as people say it: "INC-042".
func (i *Incident) Name() string { return IncidentName(i.Number) }

// IncidentName returns "INC-" and the number with three digits or more.
func IncidentName(number int64) string { return fmt.Sprintf("INC-%03d", number) }

// IncidentURL returns where an incident is to be looked at. The base is the
// gateway's public URL, without a slash at its end.
func IncidentURL(base string, number int64) string {
	return base + "/incidents/" + IncidentName(number)
}

// ParseIncidentName reads an incident's number: "INC-042", "inc-42" or "42".
func ParseIncidentName(s string) (int64, error) {
	digits := s
	if len(s) > 4 && strings.EqualFold(s[:4], "INC-") {
		digits = s[4:]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("incident %q: want a name such as INC-042", s)
	}
	return n, nil
}

// Open reports whether the episode goes on.
func (i *Incident) Open() bool { return i.Status != Resolved }

// Summary returns what a list or an answer shows.
func (i *Incident) Summary() IncidentSummary {
	return IncidentSummary{ID: i.ID, Number: i.Number, Title: i.Title, Severity: i.Severity, Status: i.Status}
}

// IncidentSummary is an incident in one line.
type IncidentSummary struct {
	ID       ID
	Number   int64
	Title    string
	Severity sdk.Severity
	Status   Status
}

// Clone returns a copy that shares nothing which folding changes in place.
func (i *Incident) Clone() *Incident {
	c := *i
	c.Told = slices.Clone(i.Told)
	if i.Grouped != nil {
		grouped := *i.Grouped
		c.Grouped = &grouped
	}
	return &c
}

// describe takes over what the newest event says of the problem. Severity is
// the episode's maximum and not touched here.
func (i *Incident) describe(e *Event) {
	if e.Title != "" {
		i.Title = e.Title
	}
	if e.Description != "" {
		i.Description = e.Description
	}
	if e.Service != "" && i.Assigned == "" {
		i.Service = e.Service
	}
	if len(e.AffectedServices) > 0 {
		i.Affected = e.AffectedServices
	}
	if e.CustomerImpact != nil {
		i.Impact = e.CustomerImpact
	}
	if e.SourceURL != "" {
		i.SourceURL = e.SourceURL
	}
	if len(e.Links) > 0 {
		i.Links = e.Links
	}
	if len(e.Labels) > 0 {
		i.Labels = e.Labels
	}
	if len(e.Metadata) > 0 {
		i.Metadata = e.Metadata
	}
}

// rate takes over an event's severity.
func (i *Incident) rate(e *Event) {
	i.Severity, i.SeverityRaw, i.SeverityRule = e.Severity, e.SeverityRaw, e.SeverityRule
}

// Kind says what a version of an incident tells.
type Kind string

// The kinds.
const (
	Created      Kind = "created"
	Updated      Kind = "updated" // a note, a new service, a doubled count of a fallback incident
	Escalated    Kind = "escalated"
	AckedKind    Kind = "acknowledged"
	ResolvedKind Kind = "resolved"
	Reopened     Kind = "reopened"
)

// Kinds lists the kinds in the order of an incident's life.
func Kinds() []Kind {
	return []Kind{Created, Updated, Escalated, AckedKind, ResolvedKind, Reopened}
}

// Opening reports whether a version of this kind begins an episode.
func (k Kind) Opening() bool { return k == Created || k == Reopened }

// Version is a change of an incident, kept as it was then: deliveries are
// rendered from it, however late they are.
type Version struct {
	ID         ID
	Incident   ID
	Number     int // 1 for the opening
	Kind       Kind
	At         time.Time
	Generation int64     // of the routes that decided who hears of it
	Snapshot   *Incident // the incident as of this version
	Author     string    // the person who made it; empty: no person did
	Note       string    // what they said
	Why        Why       // who hears of it; not read for deliveries
}

// NewIncident returns the incident that a trigger opens if nothing else is
// known. Folding makes those that are stored.
func NewIncident(e *Event, r *Request, at time.Time) *Incident {
	in := &Incident{
		Tenant: r.Tenant, Integration: r.Integration, Status: Investigating, Count: 1, FirstAt: at, LastAt: at, OpenedAt: at,
		DedupKey: e.DedupKey, SeriesKey: e.SeriesKey, IdentityRule: e.IdentityRule,
		Severity: e.Severity, SeverityRaw: e.SeverityRaw, SeverityRule: e.SeverityRule, Test: e.Test,
	}
	in.describe(e)
	return in
}
