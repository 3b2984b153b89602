package dispatch

import (
	"sync"
	"time"
)

// A destination that fails costs as much as one that works and gains nobody
// anything. All that fail share a number of attempts a second, so that a
// hundred of them don't take the machine from the one that works.
const (
	turnEvery = 20 * time.Millisecond
	// turnLimit is longer than anybody waits: a longer wait is a clock that was
	// set back.
	turnLimit = time.Minute
)

// turns gives those that fail their turns.
type turns struct {
	mu   sync.Mutex
	next time.Time // guarded by mu
}

// take returns when the caller may begin its next attempt.
func (t *turns) take(now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if wait := t.next.Sub(now); wait < 0 || wait > turnLimit {
		t.next = now
	}
	t.next = t.next.Add(turnEvery)
	return t.next
}

// fails reports whether the destination has to wait for its turn: its last
// attempt failed.
func (l *line) fails() bool { return !l.well && l.snapshot().Failures > 0 }
