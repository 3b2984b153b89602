package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"bellcrank.example/core"
)

// sideEvery is how often what needs no sync of its own is written.
const sideEvery = time.Second

// Run writes until ctx ends, and then what waits still. It returns an error
// when the database is broken: every caller has been told, and nothing more is
// accepted.
func (e *Engine) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.write(ctx) })
	if e.cfg.CheckpointEvery > 0 {
		group.Go(func() error { return e.checkpoint(ctx) })
	}
	return group.Wait()
}

// write is the writer. It finishes what is queued before it returns, unless
// the database is broken.
func (e *Engine) write(ctx context.Context) error {
	defer e.refuseAll()
	work := context.WithoutCancel(ctx)
	tick := time.NewTicker(sideEvery)
	defer tick.Stop()
	p := pruner{engine: e, next: e.cfg.Now().Add(time.Minute)}
	for {
		if err := e.turn(work, &p); err != nil {
			return err
		}
		if p.pass != nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-e.queue.ready:
		case <-tick.C:
			if err := e.idle(work, &p); err != nil {
				return err
			}
		case <-ctx.Done():
			return e.drain(work)
		}
	}
}

// crowd is how many submissions in one batch say that more are on their way.
const crowd = 3

// maxGather bounds how long a batch waits for company.
const maxGather = 2 * time.Millisecond

// gather lets a batch that has few so far wait for company, if the one before
// had it: half as long as that took. Its senders have just been answered, and
// what they send next costs less together, as most of a small commit is for
// pages that all share.
func (e *Engine) gather() {
	if e.before.submissions < crowd {
		return
	}
	enough := time.NewTimer(min(e.before.took/2, maxGather))
	defer enough.Stop()
	for n := e.queue.submissions(); n > 0 && n < e.before.submissions; n = e.queue.submissions() {
		select {
		case <-e.queue.ready:
		case <-enough.C:
			return
		}
	}
}

// turn commits one batch, then prunes a little if there is something to.
func (e *Engine) turn(ctx context.Context, p *pruner) error {
	e.gather()
	if items := e.queue.take(); len(items) > 0 {
		if err := e.commit(ctx, items); err != nil {
			return err
		}
	}
	return p.step(ctx)
}

// idle writes what has gathered beside the batches.
func (e *Engine) idle(ctx context.Context, p *pruner) error {
	p.begin()
	if !e.side.waiting() {
		return nil
	}
	return e.commit(ctx, nil)
}

// drain commits what is queued and refuses everything else.
func (e *Engine) drain(ctx context.Context) error {
	e.queue.close()
	for {
		items := e.queue.take()
		if len(items) == 0 {
			break
		}
		if err := e.commit(ctx, items); err != nil {
			return err
		}
	}
	if e.side.waiting() {
		return e.commit(ctx, nil)
	}
	return nil
}

// refuseAll answers what nobody will write any more.
func (e *Engine) refuseAll() {
	e.queue.close()
	for {
		items := e.queue.take()
		if len(items) == 0 {
			return
		}
		for _, it := range items {
			it.done <- result{err: unavailable(errStopped)}
		}
	}
}

// checkpoint keeps the log short beside the writer, where nobody waits for it.
func (e *Engine) checkpoint(ctx context.Context) error {
	tick := time.NewTicker(e.cfg.CheckpointEvery)
	defer tick.Stop()
	var done int64
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		commits := e.commits.Load()
		if commits == done {
			continue
		}
		began := e.cfg.Now()
		err := e.cfg.Driver.Checkpoint(context.WithoutCancel(ctx))
		switch {
		case errors.Is(err, ErrBroken):
			return fmt.Errorf("checkpoint: %w", err)
		case err != nil && !failing:
			e.cfg.Logger.Warn("checkpoint", "err", err)
		case err == nil:
			done = commits
			e.stats.checkpointed(e.cfg.Now().Sub(began))
		}
		failing = err != nil
	}
}

// pruner deletes what is past its time, a little between two batches.
type pruner struct {
	engine *Engine
	next   time.Time
	pass   Pruning
}

// begin starts a pass when it is time.
func (p *pruner) begin() {
	now := p.engine.cfg.Now()
	if p.pass != nil || now.Before(p.next) || p.engine.cfg.Suspect() {
		return
	}
	p.next = now.Add(p.engine.cfg.PruneEvery)
	p.pass = p.engine.cfg.Driver.Prune(p.engine.cutoffs(now))
}

func (p *pruner) step(ctx context.Context) error {
	if p.pass == nil {
		return nil
	}
	done, err := p.pass.Step(ctx)
	switch {
	case errors.Is(err, ErrBroken):
		return fmt.Errorf("prune: %w", err)
	case err != nil:
		p.engine.cfg.Logger.Warn("prune", "err", err)
		p.pass = nil
	case done:
		p.pass = nil
	}
	p.engine.commits.Add(1)
	return nil
}

// slotLife is how long a key without an open incident is remembered.
const slotLife = core.MaxReopenWindow

func (e *Engine) cutoffs(now time.Time) Cutoffs {
	keep := e.cfg.Retention
	return Cutoffs{
		Requests: now.Add(-keep.Requests), Quarantined: now.Add(-keep.Quarantined),
		Attempts: now.Add(-keep.Attempts), Incidents: now.Add(-keep.Incidents), DeadLetters: now.Add(-keep.DeadLetters),
		DeliveryIDs: now.Add(-keep.DeliveryIDs), Slots: now.Add(-slotLife), Counts: now.Add(-90 * day), Minutes: now.Add(-8 * day), Silences: now.Add(-keep.Incidents),
	}
}

// Prune makes one whole pass over what is past its time, for tests and for
// people who need the space now. The engine must not be running.
func (e *Engine) Prune(ctx context.Context) error {
	pass := e.cfg.Driver.Prune(e.cutoffs(e.cfg.Now()))
	for {
		if done, err := pass.Step(ctx); done || err != nil {
			return err
		}
	}
}
