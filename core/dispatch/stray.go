package dispatch

import (
	"context"
	"slices"
	"time"

	"bellcrank.example/core"
)

// What is owed to a destination that isn't configured is parked as
// unconfigured: visible, counted, and sent when the destination returns.

// stray notes a destination without a line that is owed something. One that
// had a line needs nothing: that parks what it leaves. The caller holds the
// lock.
func (d *Dispatcher) stray(id string) {
	if s := d.states[id]; !s.Active() || d.retired[id] != nil || slices.Contains(d.strays, id) {
		return
	}
	d.strays = append(d.strays, id)
	select {
	case d.strayed <- struct{}{}:
	default: // somebody is on the way
	}
}

// findStrays looks for what an earlier configuration has left.
func (d *Dispatcher) findStrays(ctx context.Context) error {
	var owed []string
	err := persist(ctx, d.cfg.Logger, "list who is owed something", func(ctx context.Context) (err error) {
		owed, err = d.cfg.Store.Creditors(ctx)
		return err
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range owed {
		if d.lines[id] == nil {
			d.stray(id)
		}
	}
	return err
}

// parkStrays parks what strays are owed, until ctx ends.
func (d *Dispatcher) parkStrays(ctx context.Context) {
	if err := d.findStrays(ctx); err != nil {
		return // ctx has ended
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.strayed:
		}
		d.mu.Lock()
		strays := d.strays
		d.strays = nil
		d.mu.Unlock()
		for _, id := range strays {
			d.park(ctx, id)
		}
	}
}

// park parks what one stray is owed. It may have been configured meanwhile:
// its line can't have known.
func (d *Dispatcher) park(ctx context.Context, id string) {
	d.mu.Lock()
	if d.lines[id] != nil {
		d.mu.Unlock()
		return
	}
	before := d.states[id]
	before.Tenant, before.Destination = core.DefaultTenant, id
	state := unconfigured(before, d.cfg.Now())
	d.states[id] = state
	d.mu.Unlock()
	store := func(ctx context.Context) error { return d.cfg.Store.SetDestination(ctx, state) }
	if persist(ctx, d.cfg.Logger.With("destination", id), "park what is owed", store) == nil {
		d.cfg.Logger.Warn("parked what is owed to a destination that isn't configured", "destination", id)
	}
	if d.line(id) != nil {
		_ = d.Enable(ctx, id) // fails only if it is gone once more, or we are
	}
}

// unconfigured returns the state of a destination that the configuration
// doesn't have any more. One that was disabled before stays so.
func unconfigured(s core.DestinationState, at time.Time) core.DestinationState {
	if s.Active() {
		s.Disabled, s.Since = core.DisabledUnconfigured, at
	}
	return s
}

// returned returns the state of a destination that is configured again.
func returned(s core.DestinationState, at time.Time) core.DestinationState {
	if s.Disabled == core.DisabledUnconfigured {
		s.Disabled, s.Since = "", at
	}
	return s
}
