package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bellcrank.example/core"
)

// change is something that people ask of the writer. It runs in a batch of the
// writer's, and may be run again if that fails.
type change func(ctx context.Context, b *batch) error

// ask has the writer make a change.
func (e *Engine) ask(ctx context.Context, c change) error {
	it := newItem()
	it.change = c
	_, err := e.do(ctx, it)
	return err
}

// Redo tries a delivery again, or discards it, and returns it as it is then.
// The error has code NotFound or Conflict if it can't.
func (e *Engine) Redo(ctx context.Context, id core.ID, r core.Redo) (core.Delivery, error) {
	var redone core.Delivery
	var refused error
	err := e.ask(ctx, func(ctx context.Context, b *batch) error {
		d, err := b.tx.Find(ctx, id)
		if err != nil {
			return err
		}
		if d.ID == 0 {
			refused = &core.Error{Code: core.NotFound, Message: "There is no such delivery."}
			return nil
		}
		redone, refused, err = b.redo(ctx, d, r, b.now)
		return err
	})
	return redone, errors.Join(err, refused)
}

// redo changes one delivery. Why it stays as it is, is the second result.
func (b *batch) redo(ctx context.Context, d core.Delivery, r core.Redo, at time.Time) (redone core.Delivery, refused, err error) {
	overtaken, err := b.tx.Overtaken(ctx, d)
	if err != nil {
		return d, nil, fmt.Errorf("look for newer changes: %w", err)
	}
	state, known := b.states[d.Destination]
	redone, refused = r.Apply(d, overtaken, known && !state.Active(), at)
	if refused != nil {
		return d, refused, nil
	}
	if r.NewID && r.Action == core.RetryDelivery {
		redone.ResendOf, redone.ID = d.ID, b.NewID()
		err = b.tx.InsertDelivery(ctx, redone)
	} else {
		err = b.tx.PutDelivery(ctx, redone)
	}
	if err != nil {
		return d, nil, fmt.Errorf("store delivery %s: %w", d.ID, err)
	}
	if redone.State == core.DeliveryDue {
		b.bell[redone.Destination] = true
	}
	return redone, nil, nil
}

// StartBulk begins a bulk operation and returns it with its id. The filter's
// time ends now, so that what fails while it runs isn't taken along for ever.
func (e *Engine) StartBulk(ctx context.Context, bulk core.Bulk) (core.Bulk, error) {
	started := bulk
	err := e.ask(ctx, func(ctx context.Context, b *batch) error {
		started = bulk
		started.ID, started.Tenant, started.CreatedAt, started.State = b.NewID(), core.DefaultTenant, b.now, core.BulkRunning
		if started.Filter.Until.IsZero() || started.Filter.Until.After(b.now) {
			started.Filter.Until = b.now
		}
		var err error
		if started.Total, err = b.tx.Count(ctx, started.Filter); err != nil {
			return fmt.Errorf("count deliveries: %w", err)
		}
		return b.tx.PutBulk(ctx, started)
	})
	return started, err
}

// StepBulk takes a bulk operation on by at most limit deliveries, and stores
// how far it is in the same transaction. What is tried again is due one every
// core.ReleaseStep.
func (e *Engine) StepBulk(ctx context.Context, id core.ID, limit int) (core.Bulk, error) {
	return e.editBulk(ctx, id, func(ctx context.Context, b *batch, bulk *core.Bulk) error {
		rows, err := b.tx.Next(ctx, bulk.Filter, bulk.Cursor, limit)
		if err != nil {
			return fmt.Errorf("read deliveries: %w", err)
		}
		at := b.now
		for _, d := range rows {
			_, refused, err := b.redo(ctx, d, bulk.Redo, at)
			if err != nil {
				return err
			}
			if refused == nil {
				bulk.Changed++
				at = at.Add(core.ReleaseStep)
			}
			bulk.Cursor = d.ID
		}
		bulk.Done += len(rows)
		if len(rows) < limit {
			bulk.State, bulk.EndedAt = core.BulkDone, b.now
		}
		return nil
	})
}

// CancelBulk ends a bulk operation where it is. What it has done stays.
func (e *Engine) CancelBulk(ctx context.Context, id core.ID) (core.Bulk, error) {
	return e.editBulk(ctx, id, func(_ context.Context, b *batch, bulk *core.Bulk) error {
		bulk.State, bulk.EndedAt = core.BulkCancelled, b.now
		return nil
	})
}

// editBulk changes a bulk operation that is running; one that has ended is
// returned as it is.
func (e *Engine) editBulk(ctx context.Context, id core.ID, edit func(context.Context, *batch, *core.Bulk) error) (core.Bulk, error) {
	var bulk core.Bulk
	err := e.ask(ctx, func(ctx context.Context, b *batch) error {
		var err error
		if bulk, err = b.tx.Bulk(ctx, id); err != nil || bulk.State != core.BulkRunning {
			return err
		}
		if err := edit(ctx, b, &bulk); err != nil {
			return err
		}
		return b.tx.PutBulk(ctx, bulk)
	})
	if err == nil && bulk.ID == 0 {
		err = &core.Error{Code: core.NotFound, Message: "There is no such bulk operation."}
	}
	return bulk, err
}
