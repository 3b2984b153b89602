package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

const (
	sweepBatch = 256
	sweepers   = 16 // calls at a time for each plugin
	// patience is how long a request may be open before a fallback incident
	// tells of it.
	patience = 30 * time.Second
	// commitTimeout bounds what the sweep waits for the store.
	commitTimeout = 10 * time.Second
)

// Run sweeps until ctx ends, then cuts off the calls that are under way: what
// they were for stays owed.
func (in *Intake) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, in.cut)()
	began := in.cfg.Now()
	tick := time.NewTicker(in.cfg.SweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			in.cut()
			in.late.Wait()
			return nil
		case <-tick.C:
		}
		if _, err := in.sweep(ctx); err != nil && ctx.Err() == nil {
			in.cfg.Logger.Error("sweep", "err", err)
		}
		if in.cfg.Now().Sub(began) < patience {
			continue
		}
		if err := in.Tell(ctx); err != nil && ctx.Err() == nil {
			in.cfg.Logger.Error("raise fallback incidents", "err", err)
		}
	}
}

// Sweep finishes requests that are owed and whose adapter is ready, those of
// integrations that are no longer paused among them. It returns when it has
// done what it began.
func (in *Intake) Sweep(ctx context.Context) error {
	wait, err := in.sweep(ctx)
	wait()
	return err
}

// sweep begins a sweep: a group of requests for each plugin, so that one which
// hangs delays no other's. A plugin whose last group is still at work is left
// alone.
func (in *Intake) sweep(ctx context.Context) (wait func(), err error) {
	var begun sync.WaitGroup
	if err := in.resume(ctx); err != nil {
		return begun.Wait, fmt.Errorf("resume held requests: %w", err)
	}
	owed, err := in.cfg.Store.Owed(ctx, in.unready(), in.cfg.Now(), in.started, sweepBatch)
	if err != nil {
		return begun.Wait, fmt.Errorf("list owed requests: %w", err)
	}
	integrations := in.cfg.Integrations()
	groups := map[string][]*core.Request{}
	for _, r := range owed {
		if integration := integrations[r.Integration]; integration != nil {
			groups[integration.Plugin] = append(groups[integration.Plugin], r)
		}
	}
	for plugin, group := range groups {
		if !in.occupy(plugin) {
			continue
		}
		begun.Add(1)
		in.late.Go(func() {
			defer begun.Done()
			defer in.vacate(plugin)
			in.redoAll(ctx, group)
		})
	}
	return begun.Wait, nil
}

// redoAll goes through requests in parallel, but those that were in an adapter
// when it crashed one by one, in a process where they are alone, so that the
// guilty one is found and harms nobody.
func (in *Intake) redoAll(ctx context.Context, group []*core.Request) {
	slots := make(chan struct{}, sweepers)
	var atWork sync.WaitGroup
	var alone []*core.Request
	for _, r := range group {
		if in.isSuspect(r.ID) {
			alone = append(alone, r)
			continue
		}
		slots <- struct{}{}
		atWork.Go(func() {
			defer func() { <-slots }()
			in.redo(ctx, r)
		})
	}
	atWork.Wait()
	for _, r := range alone {
		in.redo(ctx, r)
	}
}

// occupy notes that a plugin's owed requests are being worked on, and reports
// whether they weren't before.
func (in *Intake) occupy(plugin string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.swept[plugin] {
		return false
	}
	in.swept[plugin] = true
	return true
}

func (in *Intake) vacate(plugin string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.swept, plugin)
}

func (in *Intake) occupied(plugin string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.swept[plugin]
}

// resume opens what was held for integrations that aren't paused any more.
func (in *Intake) resume(ctx context.Context) error {
	for id, integration := range in.cfg.Integrations() {
		if integration.Paused || !in.resumedAt(id).IsZero() {
			continue
		}
		// Noted first: a request that is held meanwhile takes it back.
		in.note(id, in.cfg.Now())
		for n := 1; n > 0; {
			var err error
			if n, err = in.cfg.Store.Resume(ctx, id); err != nil {
				in.holds(id)
				return err
			}
		}
	}
	return nil
}

// resumedAt returns since when an integration has no held requests, zero if it
// may have some.
func (in *Intake) resumedAt(integration string) time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.resumed[integration]
}

func (in *Intake) note(integration string, resumed time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.resumed[integration] = resumed
}

// holds notes that an integration has held requests.
func (in *Intake) holds(integration string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.resumed, integration)
}

// unready lists the integrations whose adapter can't be called now, or has
// enough to do.
func (in *Intake) unready() []string {
	var ids []string
	for id, integration := range in.cfg.Integrations() {
		if integration.Paused || in.occupied(integration.Plugin) || !in.cfg.Adapters.Ready(integration.Plugin) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// redo calls the adapter for a request that is owed, unless its first call is
// still under way.
func (in *Intake) redo(ctx context.Context, r *core.Request) {
	integration := in.cfg.Integrations()[r.Integration]
	if integration == nil || ctx.Err() != nil || in.owns(r.ID) {
		return
	}
	var a answer
	if decoded, err := core.Decode(r.Body, r.Encoding, integration.Limits.Body); err != nil {
		// The limit was higher when it came in.
		a.err = &sdk.Failure{Code: sdk.TooLarge, Message: "the body can't be decoded: " + err.Error()}
	} else if !in.prove(ctx, integration, r, decoded) {
		return
	} else if a = in.confirm(ctx, integration, r, <-in.call(ctx, integration, r, decoded)); in.cutOff(a) {
		return
	}
	// What the adapter has answered is applied even when we are told to stop.
	in.finish(context.WithoutCancel(ctx), integration, r, a)
}

func (in *Intake) owns(id core.ID) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.owned[id]
}

// finish applies an adapter's answer to a request that is stored already,
// chunk by chunk when it has very many events.
func (in *Intake) finish(ctx context.Context, integration *core.Integration, r *core.Request, a answer) {
	c := in.conclude(integration, r, a, later)
	if c.Request.State != core.RequestOpen {
		in.clear(r.ID)
	}
	// That it is tried again later is only our own note: it shall not have its
	// neighbours wait for the disk.
	s := &core.Submission{Change: c, From: r.AppliedTo, Unhurried: c.Request.State == core.RequestOpen && c.Failure == ""}
	if _, err := in.applyChunks(ctx, s, a); err != nil && !errors.Is(err, core.ErrNotClaimed) {
		in.cfg.Logger.Error("finish a stored request", "request", r.ID, "integration", r.Integration, "err", err)
	}
}

// applyChunks commits a change, at most so many events at a time. Each commit
// advances how far the request is, so that a crash goes on where it stopped,
// as long as the adapter still says the same.
func (in *Intake) applyChunks(ctx context.Context, s *core.Submission, a answer) (core.Receipt, error) {
	r, events, end := s.Change.Request, s.Change.Events, s.Change.Request.State
	if len(events) <= chunk {
		r.AppliedTo, r.AppliedOf = 0, ""
		return in.submit(ctx, s)
	}
	hash, err := core.ListHash(a.result.Events)
	if err != nil {
		return core.Receipt{}, err
	}
	done := s.From
	if r.AppliedOf != hash {
		done = 0 // another adapter version, or a replay: repeats fold
	}
	part := *s
	for {
		next := min(done+chunk, len(events))
		part.Change.Events = events[done:next]
		part.Change.Last = next == len(events)
		r.State, r.AppliedTo, r.AppliedOf = core.RequestOpen, next, hash
		r.NextAt = in.cfg.Now().Add(lease)
		part.Change.Failure = ""
		if part.Change.Last {
			r.State, part.Change.Failure = end, s.Change.Failure
		}
		receipt, err := in.submit(ctx, &part)
		if err != nil || part.Change.Last {
			return receipt, err
		}
		done = next
		part.Insert, part.Replay, part.From = false, "", next
	}
}

func (in *Intake) submit(ctx context.Context, s *core.Submission) (core.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return in.cfg.Store.Commit(ctx, s)
}

func (in *Intake) claim(ctx context.Context, c core.Change, from int) error {
	_, err := in.submit(ctx, &core.Submission{Change: c, From: from})
	return err
}

// Tell raises or joins the fallback incident for requests that nobody could
// adapt for too long: an adapter that is down must not silence its vendor.
func (in *Intake) Tell(ctx context.Context) error {
	neglected, err := in.cfg.Store.Neglected(ctx, in.cfg.Now().Add(-patience), sweepBatch)
	if err != nil {
		return fmt.Errorf("list neglected requests: %w", err)
	}
	for _, r := range neglected {
		if in.cfg.Now().Sub(in.resumedAt(r.Integration)) < patience {
			continue // it has been held: its time begins now
		}
		reason := r.Reason
		if reason == "" {
			reason = "no adapter has answered for it"
		}
		c := core.Change{Request: r, Failure: core.AdapterUnavailable, Detail: reason}
		if r.Unverified {
			c.Failure = core.SignaturePending
		}
		err := in.claim(ctx, c, r.AppliedTo)
		if err != nil && !errors.Is(err, core.ErrNotClaimed) {
			return err
		}
	}
	return nil
}
