package dispatch

import (
	"sync"
	"time"
)

// A destination that fails costs as much as one that works and gains nobody
// anything. All that fail share a number of attempts a second, so that a
// hundred of them don't take the machine from the one that works. The attempts
// come in bunches, so that their ends are stored together: a change of an
// incident waits for a commit of theirs now and then, not every time.
const (
	turnEvery = 200 * time.Millisecond
	turnSize  = 10 // attempts at a time
	// turnLimit is longer than anybody waits: a longer wait is a clock that was
	// set back.
	turnLimit = time.Minute
)

// turns gives those that fail their turns, first come, first served.
type turns struct {
	mu    sync.Mutex
	at    time.Time // of the latest turn that was given; guarded by mu
	given int       // places in it; guarded by mu
}

// take returns when the caller may begin its next attempt: now if there is a
// place left in this turn.
func (t *turns) take(now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch wait := t.at.Sub(now); {
	case wait <= -turnEvery, wait > turnLimit:
		t.at, t.given = now, 0
	case t.given == turnSize:
		t.at, t.given = t.at.Add(turnEvery), 0
	}
	t.given++
	return t.at
}

// fails reports whether the destination has to wait for its turn: its last
// attempt failed.
func (l *line) fails() bool { return !l.well && l.snapshot().Failures > 0 }
