package core

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"
)

// Destination is where incident changes go. It is immutable: a reload makes a
// new one.
type Destination struct {
	Tenant  int64
	Type    string // such as "webhook"
	Name    string
	Sender  Sender
	Retry   Retry
	Tests   bool   // hears of test incidents
	Events  []Kind // kinds that it takes; all if empty
	Fold    bool   // a newer version stands for older ones that were not delivered
	Notify  bool   // hears of what is wrong with other destinations
	Memory  bool   // its sender remembers something of each incident
	Timeout time.Duration
}

// ID returns "TYPE/NAME".
func (d *Destination) ID() string { return d.Type + "/" + d.Name }

// DefaultAttemptTimeout bounds one attempt.
const DefaultAttemptTimeout = 15 * time.Second

// Retry says when a delivery that failed is tried again.
type Retry struct {
	Name string
	// Schedule holds the delay before each attempt, counted from the end of
	// the one before; the first is usually zero.
	Schedule []time.Duration
	// Jitter lengthens each delay but the first by a random part of up to this
	// fraction.
	Jitter float64
	// OnExhausted says what becomes of the destination: "disable" parks its
	// deliveries and probes it, "dead" gives up only the delivery.
	OnExhausted string
}

// DefaultRetry is the schedule of the first published contract: at once, then
// after 1 minute, 5 minutes, 30 minutes and 2 hours.
func DefaultRetry() Retry {
	return Retry{
		Name:        "default",
		Schedule:    []time.Duration{0, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour},
		Jitter:      0.1,
		OnExhausted: "disable",
	}
}

// Sender makes one attempt at one delivery.
type Sender interface {
	// Send delivers m once, within the deadline of ctx. It follows no
	// redirects and retries nothing. What happened is in the answer, never in
	// a panic.
	Send(ctx context.Context, m Message) Answer
}

// Message is what a destination is sent: one version of one incident.
type Message struct {
	ID          string // "msg_" and the delivery's id; the same on every attempt
	Destination string
	Kind        Kind
	At          time.Time // of the version
	Now         time.Time // of the attempt
	Attempt     int       // from 1
	Incident    *Incident // as of the version
	Author      string    // the person who made the version, empty if no person did
	Note        string    // what they said
	IncidentURL string
	// Memory is what the sender's answers last asked to remember of this
	// incident, empty if they never did. Only a destination with Memory has it.
	Memory string
}

// Answer is how an attempt ended. Status is zero if there was no HTTP answer.
type Answer struct {
	Status     int
	RetryAfter string // the header as received
	Snippet    string // the beginning of the answer's body, for people
	Address    netip.AddrPort
	Err        error // why there was no answer
	// Fault, if not NoFault, says what went wrong in place of the status: some
	// vendors tell it in a body that comes with a 200. Err has the words.
	Fault FaultClass
	// Remember replaces what the sender knows of the incident with later
	// messages, such as the id of what it has posted. It is stored with the
	// attempt, however that ended. Empty: what it knew stays.
	Remember string
}

// SenderConfig is what a sender is made of.
type SenderConfig struct {
	// Settings is a JSON object, validated against the type's settings, with
	// secrets in clear.
	Settings json.RawMessage
	// AllowedCIDRs are networks that the sender may reach although they aren't
	// public.
	AllowedCIDRs []netip.Prefix
	// Templates are those settings that are texts over the incident, by name,
	// as far as they are set.
	Templates map[string]Template
}

// DestinationState is what dispatch remembers of a destination.
type DestinationState struct {
	Tenant      int64
	Destination string
	Disabled    DisabledReason // empty: active
	Since       time.Time      // of the change to or from disabled
	PausedUntil time.Time      // a 429 pauses the whole destination
	// ThrottledSince is the first 429 since the last success, zero if there
	// was none.
	ThrottledSince time.Time
	LastSuccess    time.Time
	LastFailure    time.Time
	LastError      string
	Failures       int       // attempts that failed since the last success
	ProbeAt        time.Time // when a disabled destination is tried next; zero: never
	Probes         int       // probes since it was disabled
}

// DisabledReason says why nothing is sent to a destination.
type DisabledReason string

// The reasons. Only an exhausted destination is probed.
const (
	DisabledExhausted DisabledReason = "exhausted"
	DisabledGone      DisabledReason = "gone" // it answered 410
	DisabledOperator  DisabledReason = "operator"
)

// Active reports whether deliveries are sent.
func (s DestinationState) Active() bool { return s.Disabled == "" }
