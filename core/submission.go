package core

import (
	"errors"
	"net/netip"
	"time"
)

// Submission is what intake asks the store to do about one request, in one
// durable transaction: store or claim the request, fold its change, and owe
// the deliveries that follow.
type Submission struct {
	Change Change
	// Insert stores the request. Otherwise it is there already and is claimed:
	// it must be open with From of its events applied.
	Insert bool
	From   int
	// Replay claims a request that has come to this end, instead of an open one.
	Replay RequestState
	// Unhurried says that nobody waits for what this stores: it may wait a while
	// for others to share a sync of the disk with.
	Unhurried bool
}

// ErrNotClaimed says that a request isn't open any more, or that somebody else
// has applied more of its events.
var ErrNotClaimed = errors.New("request is not open at this point any more")

// Refusal is a request that was turned away at the door: nothing of it is
// stored but the reason.
type Refusal struct {
	Tenant      int64
	Integration string
	At          time.Time
	Source      netip.Addr
	Code        Code
	Reason      string
}
