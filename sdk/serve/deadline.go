package serve

import (
	"context"
	"sync"
	"time"
)

// deadline is the context of one call. Unlike context.WithDeadline's it has a
// timer only once somebody waits for its end, which most adapters never do.
type deadline struct {
	context.Context // of the stream

	at time.Time

	mu     sync.Mutex
	timed  context.Context // nil until somebody waits
	cancel context.CancelFunc
	over   bool // the call has been answered
}

func withDeadline(ctx context.Context, at time.Time) *deadline {
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(at) {
		at = earlier
	}
	return &deadline{Context: ctx, at: at}
}

// end ends the context with its call.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	if d.cancel != nil {
		d.cancel()
	}
}

// Deadline says when the gateway stops waiting.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done is closed at the end.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.timer().Done()
}

// Err says why it has ended, and the same for ever.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil && !d.over && d.Context.Err() == nil && time.Now().Before(d.at) {
		return nil
	}
	return d.timer().Err()
}

// Value leads contexts that are made from this one to the timer, once it is
// there.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	ctx := d.timed
	d.mu.Unlock()
	if ctx == nil {
		ctx = d.Context
	}
	return ctx.Value(key)
}

func (d *deadline) timer() context.Context {
	if d.timed == nil {
		d.timed, d.cancel = context.WithDeadline(d.Context, d.at)
		if d.over {
			d.cancel()
		}
	}
	return d.timed
}
