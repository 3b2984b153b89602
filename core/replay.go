package core

// Replay is what a person wants done with a stored request.
type Replay struct {
	Mode ReplayMode
	// Version of the adapter that reads it; the one that serves if empty.
	Version string
	// Deliver lets those hear of what changes whom it concerns.
	Deliver bool
}

// ReplayMode says what becomes of the adapter's new answer.
type ReplayMode string

// The modes.
const (
	ReplayDry     ReplayMode = "dry"      // nothing: it is only shown
	ReplayInPlace ReplayMode = "in-place" // it takes the place of the old one
	ReplayAsNew   ReplayMode = "as-new"   // it is that of a request which has come in now
)

// Replayed is what became of it.
type Replayed struct {
	Receipt Receipt // of the new request, if there is one; what it would be, of a dry one
	Adapter string  // "name version" of the one that read it
	Events  []Event // what it says, of a dry one
}
