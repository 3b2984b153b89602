package pluginhost

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// errFull is a queue without room.
var errFull = errors.New("too many requests wait for the adapter")

// admission bounds the calls in one plugin. Those that find no room wait, each
// integration in a line of its own, and the lines take turns: one noisy
// integration delays itself.
type admission struct {
	mu       sync.Mutex
	free     int
	inFlight int
	waiting  int
	room     int                  // for waiting calls
	lines    map[string][]*waiter // none of them is empty
	turns    []string             // the integrations that have a line, the next one first
}

// waiter is a call that waits. Its channel has room for the one answer: nil,
// or errFull.
type waiter struct{ admitted chan error }

func newAdmission(inFlight, queue int) *admission {
	return &admission{free: inFlight, room: queue, lines: map[string][]*waiter{}}
}

// acquire waits until the call may begin. Every nil is followed by one
// release. Errors are errFull, and ctx's.
func (a *admission) acquire(ctx context.Context, integration string) error {
	w, err := a.enter(integration)
	if w == nil {
		return err
	}
	select {
	case err := <-w.admitted:
		return err
	case <-ctx.Done():
	}
	if !a.leave(integration, w) {
		// The answer came at the same moment.
		if err := <-w.admitted; err != nil {
			return err
		}
		a.release()
	}
	return ctx.Err()
}

// enter admits a call at once, refuses it, or returns its place in the line.
func (a *admission) enter(integration string) (*waiter, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.free > 0 {
		a.free--
		a.inFlight++
		return nil, nil
	}
	if a.waiting >= a.room && !a.makeRoom(integration) {
		return nil, errFull
	}
	w := &waiter{admitted: make(chan error, 1)}
	if len(a.lines[integration]) == 0 {
		a.turns = append(a.turns, integration)
	}
	a.lines[integration] = append(a.lines[integration], w)
	a.waiting++
	return w, nil
}

// makeRoom sends away the last in the longest line, if that is longer than the
// newcomer's would be.
func (a *admission) makeRoom(integration string) bool {
	longest := ""
	for name, line := range a.lines {
		if len(line) > len(a.lines[longest]) {
			longest = name
		}
	}
	line := a.lines[longest]
	if len(line) <= len(a.lines[integration])+1 {
		return false
	}
	last := line[len(line)-1]
	a.remove(longest, last)
	last.admitted <- errFull
	return true
}

// leave gives up a place; false if the call has been answered meanwhile.
func (a *admission) leave(integration string, w *waiter) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.remove(integration, w)
}

func (a *admission) remove(integration string, w *waiter) bool {
	line := a.lines[integration]
	i := slices.Index(line, w)
	if i < 0 {
		return false
	}
	a.waiting--
	a.lines[integration] = slices.Delete(line, i, i+1)
	if len(a.lines[integration]) == 0 {
		delete(a.lines, integration)
		turn := slices.Index(a.turns, integration)
		a.turns = slices.Delete(a.turns, turn, turn+1)
	}
	return true
}

// release ends a call; the first in the line whose turn it is takes its place.
func (a *admission) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.turns) == 0 {
		a.free++
		a.inFlight--
		return
	}
	integration := a.turns[0]
	next := a.lines[integration][0]
	a.remove(integration, next)
	if len(a.lines[integration]) > 0 {
		a.turns = append(a.turns[1:], integration)
	}
	next.admitted <- nil
}

// len returns how many calls are in the plugin and how many wait.
func (a *admission) len() (inFlight, waiting int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inFlight, a.waiting
}
