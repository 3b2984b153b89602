package core

import (
	"time"

	"bellcrank.example/sdk"
)

// HeartbeatType is the type of an integration that is nothing but a named
// heartbeat: it has keys, and no adapter.
const HeartbeatType = "heartbeat"

// Heartbeat is what somebody promises to send.
type Heartbeat struct {
	Integration string        // "TYPE/NAME" whose requests are the beats
	Every       time.Duration // there is at least one in this time
	Grace       time.Duration // how much later it may come
	Severity    sdk.Severity  // of the incident that tells of its absence
	Service     string        // of that incident
	Labels      map[string]string
}

// Pulse is what is remembered of a heartbeat.
type Pulse struct {
	Tenant      int64
	Integration string
	Since       time.Time // it has been waited for since then
	Missing     time.Time // since when its absence is an incident; zero: it isn't
}

// Due returns when the next beat is overdue, after the last one and the time
// since when somebody has been listening without a break.
func (h *Heartbeat) Due(p Pulse, last, listening time.Time) time.Time {
	return later(later(last, p.Since), listening).Add(h.Every + h.Grace)
}
