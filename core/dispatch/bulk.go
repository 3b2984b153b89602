package dispatch

import (
	"context"
	"log/slog"
	"time"

	"bellcrank.example/core"
)

// BulkStore is what bulk operations are remembered in.
type BulkStore interface {
	// Bulks lists bulk operations, newest first; only those that run if
	// running.
	Bulks(ctx context.Context, running bool) ([]core.Bulk, error)
	StartBulk(ctx context.Context, b core.Bulk) (core.Bulk, error)
	// StepBulk takes an operation on by at most limit deliveries, in one
	// transaction with how far it is.
	StepBulk(ctx context.Context, id core.ID, limit int) (core.Bulk, error)
}

// Bulks carries out what people ask for many deliveries at once, at a limited
// rate, and goes on after a restart.
type Bulks struct {
	store BulkStore
	log   *slog.Logger
	begun chan struct{}
}

// The size of a step, each second: what is tried again is sent at 50 a second.
const (
	retryStep   = 50
	discardStep = 500
	bulkPause   = time.Second
)

// NewBulks returns Bulks that do nothing before Run.
func NewBulks(store BulkStore, log *slog.Logger) *Bulks {
	return &Bulks{store: store, log: log, begun: make(chan struct{}, 1)}
}

// Start begins an operation; Run carries it out.
func (b *Bulks) Start(ctx context.Context, bulk core.Bulk) (core.Bulk, error) {
	started, err := b.store.StartBulk(ctx, bulk)
	select {
	case b.begun <- struct{}{}:
	default:
	}
	return started, err
}

// Run carries out operations until ctx ends.
func (b *Bulks) Run(ctx context.Context) error {
	for {
		running, err := b.step(ctx)
		if err != nil && ctx.Err() == nil {
			b.log.Error("bulk operation", "err", err)
		}
		var again <-chan time.Time
		timer := time.NewTimer(bulkPause)
		if running || err != nil {
			again = timer.C
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-b.begun:
		case <-again:
		}
		timer.Stop()
	}
}

// step takes every operation on, and reports whether one is still running.
func (b *Bulks) step(ctx context.Context) (running bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	list, err := b.store.Bulks(ctx, true)
	if err != nil {
		return false, err
	}
	for _, bulk := range list {
		size := retryStep
		if bulk.Action == core.DiscardDelivery {
			size = discardStep
		}
		after, err := b.store.StepBulk(ctx, bulk.ID, size)
		if err != nil {
			return true, err
		}
		if after.State == core.BulkRunning {
			running = true
			continue
		}
		b.log.Info("bulk operation has ended", "bulk", after.ID.String(), "state", string(after.State),
			"done", after.Done, "changed", after.Changed)
	}
	return running, nil
}
