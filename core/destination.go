package core

import (
	"context"
	"encoding/json"
	"net/http"
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
	// Concurrency is how many attempts are made at a time; 8 if zero.
	Concurrency int
	// Pace is the least time between the beginnings of two attempts; zero:
	// none.
	Pace time.Duration
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
	// MaxAge is how old a delivery may be and still be sent; zero: any age.
	MaxAge time.Duration
	// Notify is the destination ("TYPE/NAME") that hears of what is wrong with
	// those that have this policy; empty: those with notify.
	Notify string
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

// LongRetry is for receivers that may be away over a weekend: three days in
// all, by delays that grow to 12 hours.
func LongRetry() Retry {
	r := DefaultRetry()
	r.Name = "long"
	r.Schedule = []time.Duration{
		0, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5*time.Hour + 24*time.Minute,
		8 * time.Hour, 8 * time.Hour, 12 * time.Hour, 12 * time.Hour, 12 * time.Hour, 12 * time.Hour,
	}
	return r
}

// Latest returns the last moment at which a row that waits may be due: whoever
// waits longer was put off while the clock was wrong.
func (r Retry) Latest(d Delivery, now time.Time) time.Time {
	if len(r.Schedule) == 0 {
		r = DefaultRetry()
	}
	delay := r.Schedule[min(max(0, d.Attempt-d.FaultTries), len(r.Schedule)-1)]
	if disliked := dislikedDelays(); d.FaultTries > 0 {
		delay = max(delay, disliked[min(d.FaultTries, len(disliked))-1])
	}
	if d.Fault == Throttled {
		delay = max(delay, maxRetryAfter)
	}
	return now.Add(delay + time.Duration(r.Jitter*float64(delay)))
}

// Longest is the longest that a row may wait for its next attempt.
func (r Retry) Longest() time.Duration {
	longest := maxRetryAfter
	for _, delay := range append(dislikedDelays(), r.Schedule...) {
		longest = max(longest, delay)
	}
	return longest + time.Duration(r.Jitter*float64(longest))
}

// Sender makes one attempt at one delivery.
type Sender interface {
	// Send delivers m once, within the deadline of ctx. It follows no
	// redirects and retries nothing. What happened is in the answer, never in
	// a panic. In a Rehearsal it sends nothing.
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
	Sent       Sent        // what was asked
	Header     http.Header // of the answer, without secrets
	Err        error       // why there was no answer
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
	// Plugin is the plugin that the type comes from, empty for our own types.
	Plugin string
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
	DisabledExhausted    DisabledReason = "exhausted"
	DisabledGone         DisabledReason = "gone" // it answered 410
	DisabledOperator     DisabledReason = "operator"
	DisabledUnconfigured DisabledReason = "unconfigured" // the configuration doesn't have it
)

// NotAfter returns the state without moments that are still to come by now,
// but for those that are waited for: what was noted while the clock was wrong
// must not count for more than what comes after. The waits are bounded.
func (s DestinationState) NotAfter(now time.Time) DestinationState {
	for _, at := range []*time.Time{&s.Since, &s.ThrottledSince, &s.LastSuccess, &s.LastFailure} {
		if at.After(now) {
			*at = now
		}
	}
	if s.PausedUntil.Sub(now) > maxRetryAfter {
		s.PausedUntil = now
	}
	if s.ProbeAt.Sub(now) > max(maxProbe, maxRetryAfter) {
		s.ProbeAt = now.Add(firstProbe)
	}
	return s
}

// Active reports whether deliveries are sent.
func (s DestinationState) Active() bool { return s.Disabled == "" }
