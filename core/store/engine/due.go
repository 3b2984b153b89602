package engine

import (
	"context"
	"time"

	"bellcrank.example/core"
)

// Wake does what time alone makes due of incidents, see core.Wake.
func (e *Engine) Wake(ctx context.Context, due []core.Waking, suspect bool) error {
	it := newItem()
	it.wake, it.suspect = due, suspect
	_, err := e.do(ctx, it)
	return err
}

// Rouse makes every incident whose news is held back due to be woken: what
// holds it may have changed.
func (e *Engine) Rouse(ctx context.Context) error {
	return e.store1(ctx, func(ctx context.Context, tx Tx, now time.Time) error { return tx.Rouse(ctx, now) })
}

// SetSilence stores a new silence, or the end of one.
func (e *Engine) SetSilence(ctx context.Context, s core.Silence) error {
	return e.store1(ctx, func(ctx context.Context, tx Tx, _ time.Time) error { return tx.SetSilence(ctx, s) })
}

// SetPulse stores what is known of a heartbeat.
func (e *Engine) SetPulse(ctx context.Context, p core.Pulse) error {
	return e.store1(ctx, func(ctx context.Context, tx Tx, _ time.Time) error { return tx.SetPulse(ctx, p) })
}

// SetListening stores since when the gateway has been able to hear, and that
// it still was at a time.
func (e *Engine) SetListening(ctx context.Context, since, at time.Time) error {
	return e.store1(ctx, func(ctx context.Context, tx Tx, _ time.Time) error { return tx.SetListening(ctx, since, at) })
}

// store1 runs one statement or two in the writer's next transaction.
func (e *Engine) store1(ctx context.Context, run func(context.Context, Tx, time.Time) error) error {
	it := newItem()
	it.write = run
	_, err := e.do(ctx, it)
	return err
}
