package core

import (
	"time"

	"bellcrank.example/sdk"
)

// Page asks for a part of a list, newest first.
type Page struct {
	Before ID  // only what is older than this; zero: from the newest
	Limit  int // 1 to 500; 50 if zero
}

// Size returns the limit within its bounds.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return 50
	}
	return min(p.Limit, 500)
}

// IncidentFilter selects incidents. Zero fields select all.
type IncidentFilter struct {
	Integration string
	Status      Status
	Open        bool // investigating or acknowledged
	Severity    sdk.Severity
	Service     string
	Held        bool      // something keeps its news back
	HeldBy      string    // this does, such as "silence 0C5H2Q8K3M1ZA"
	Untold      bool      // nobody was ever told of it, though nothing holds it back
	Group       ID        // member of this group
	Since       time.Time // last event at or after
	Page        Page
}

// RequestFilter selects requests. Zero fields select all.
type RequestFilter struct {
	Integration string
	State       RequestState
	Since       time.Time
	Page        Page
}

// DeliveryFilter selects deliveries. Zero fields select all.
type DeliveryFilter struct {
	Destination string
	Incident    ID
	State       DeliveryState
	Since       time.Time // made at or after
	Until       time.Time // made before
	DueAfter    time.Time // next attempt after
	Page        Page
}

// IncidentDetail is an incident with everything that happened to it.
type IncidentDetail struct {
	Incident   *Incident
	Timeline   []TimelineEntry // newest 200, oldest first
	Versions   []VersionLine
	Deliveries []Delivery
}

// VersionLine is a version without its snapshot.
type VersionLine struct {
	Number     int
	Kind       Kind
	At         time.Time
	Generation int64 // of the routes
	Author     string
	Note       string
	Why        Why
}

// Tally is how requests or deliveries went over a time.
type Tally struct {
	OK     int // requests accepted; attempts that delivered
	Failed int // requests refused, rejected or quarantined; attempts that failed
	Last   time.Time
	LastOK time.Time
}

// Trouble is one thing that went wrong, for people.
type Trouble struct {
	At      time.Time
	Code    string // a Code, or an HTTP status or fault class of an attempt
	Message string
	Subject string // receipt or delivery id, may be empty
}

// Backlog is what is still owed, for status and readiness.
type Backlog struct {
	Requests       int // open
	OldestRequest  time.Time
	Deliveries     int // due or parked
	OldestDelivery time.Time
	Parked         int
}

// DeadLetters is what was given up at one destination.
type DeadLetters struct {
	Destination string
	Count       int
	Newest      time.Time // when the last was given up
}
