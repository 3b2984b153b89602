package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bellcrank.example/core"
)

// commit stores items in one transaction and answers them. When a statement
// fails, the innocent ones are stored one by one. Its error means that the
// database is broken.
func (e *Engine) commit(ctx context.Context, items []*item) error {
	b, err := e.try(ctx, items)
	switch {
	case err == nil:
		e.publish(b)
		e.setFull(nil)
		return nil
	case errors.Is(err, ErrFull):
		e.setFull(err)
		answer(items, unavailable(err))
		return nil
	case errors.Is(err, ErrBroken):
		answer(items, unavailable(err))
		return fmt.Errorf("commit: %w", err)
	case len(items) == 0:
		e.cfg.Logger.Warn("store counters", "err", err)
		return nil
	case len(items) == 1:
		return e.salvage(ctx, items[0], err)
	}
	for _, it := range items {
		if err := e.commit(ctx, []*item{it}); err != nil {
			answer(items, unavailable(err))
			return err
		}
	}
	return nil
}

// setFull logs when the disk becomes full, and when it has room again: in
// between there is a refusal for every batch.
func (e *Engine) setFull(err error) {
	if full := err != nil; full != e.full {
		e.full = full
		if full {
			e.cfg.Logger.Error("the disk is full: nothing can be stored", "err", err)
		} else {
			e.cfg.Logger.Info("the disk has room again")
		}
	}
}

// answer tells everyone who hasn't been told.
func answer(items []*item, err error) {
	for _, it := range items {
		select {
		case it.done <- result{err: err}:
		default:
		}
	}
}

// salvage stores the request of an item that fails by itself without what it
// would have done, so that it isn't lost.
func (e *Engine) salvage(ctx context.Context, it *item, cause error) error {
	internal := &core.Error{Code: core.Internal, Message: "The request could not be applied.", Err: cause}
	if it.submission == nil {
		it.done <- result{err: internal}
		return nil
	}
	e.cfg.Logger.Error("a request can't be applied", "request", it.submission.Change.Request.ID, "err", cause)
	raw := e.raw(it)
	b, err := e.try(ctx, []*item{raw})
	switch {
	case err == nil:
		e.publish(b)
		it.done <- <-raw.done
		return nil
	case errors.Is(err, ErrBroken):
		it.done <- result{err: unavailable(err)}
		return fmt.Errorf("store a request by itself: %w", err)
	}
	it.done <- result{err: internal}
	return nil
}

// salvageDelay is how long a request rests that couldn't be applied.
const salvageDelay = time.Minute

// raw returns the item's request as open work.
func (e *Engine) raw(it *item) *item {
	s := it.submission
	r := *s.Change.Request
	r.State, r.Code, r.Reason = core.RequestOpen, core.Internal, "it could not be applied; the log says why"
	r.Attempt++
	r.NextAt = e.cfg.Now().Add(salvageDelay)
	if !s.Insert {
		r.AppliedTo = s.From
	}
	raw := newItem()
	raw.submission = &core.Submission{Change: core.Change{Request: &r}, Insert: s.Insert, From: s.From}
	raw.stored = Stored{Request: &r, Body: it.stored.Body, Deflate: it.stored.Deflate}
	return raw
}

// batch is one transaction at work. Nothing of it is true before the commit.
type batch struct {
	*Engine
	tx       Tx
	now      time.Time
	items    []*item
	results  []result
	states   map[string]core.DestinationState
	requests counts
	attempts counts
	bell     map[string]bool
	versions []core.Version // that are new
}

// try runs one transaction. After an error it has left nothing behind.
func (e *Engine) try(ctx context.Context, items []*item) (*batch, error) {
	began := e.cfg.Now()
	tx, err := e.cfg.Driver.Begin(ctx)
	if err != nil {
		e.stats.failed()
		return nil, fmt.Errorf("begin: %w", err)
	}
	b := &batch{
		Engine: e, tx: tx, now: began, items: items, results: make([]result, len(items)),
		states: e.states, bell: map[string]bool{},
	}
	if err = b.apply(ctx); err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		e.stats.failed()
		return nil, errors.Join(err, tx.Rollback(ctx))
	}
	e.before = sizeOf(items, e.cfg.Now().Sub(began))
	e.stats.committed(e.before)
	return b, nil
}

// size is how large a transaction was.
type size struct {
	items, submissions int
	took               time.Duration
}

func sizeOf(items []*item, took time.Duration) size {
	s := size{items: len(items), took: took}
	for _, it := range items {
		if it.submission != nil {
			s.submissions++
		}
	}
	return s
}

// publish makes a commit known: to the engine, to who waits, and to who
// delivers.
func (e *Engine) publish(b *batch) {
	e.states = b.states
	e.commits.Add(1)
	e.fresh.add(b.versions)
	if len(b.bell) > 0 {
		e.cfg.Owed(slices.Sorted(maps.Keys(b.bell)))
	}
	for i, it := range b.items {
		it.done <- b.results[i]
	}
}

// apply runs the batch's steps. What attempts changed comes first: what is
// folded then inherits from it.
func (b *batch) apply(ctx context.Context) error {
	for i, it := range b.items {
		var err error
		switch {
		case it.outcome != nil:
			err = b.record(ctx, *it.outcome)
		case it.state != nil:
			err = b.setDestination(ctx, *it.state)
		case it.resume != "":
			b.results[i].resumed, err = b.tx.Resume(ctx, it.resume, b.now, resumeBatch)
		case it.write != nil:
			err = it.write(ctx, b.tx, b.now)
		case it.change != nil:
			err = it.change(ctx, b)
		case it.submission == nil && it.wake == nil && it.act == nil:
			err = b.tx.Touch(ctx, b.now)
		}
		if err != nil {
			return err
		}
	}
	return b.fold(ctx)
}

// fold takes the batch's submissions through gate, folding and writing.
func (b *batch) fold(ctx context.Context) error {
	gate := b.gate()
	gated, err := b.tx.Gate(ctx, gate)
	if err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	w := &Writes{Slots: gated.Slots, Now: b.now}
	changes := b.admit(gated, w)
	folded, err := b.foldAll(gated, changes)
	if err != nil {
		return err
	}
	w.Created, w.Changed, w.Timeline = folded.Created, folded.Changed, folded.Timeline
	b.acted(gated, w)
	w.Versions, w.Deliveries, w.Amended = folded.Versions, folded.Deliveries, folded.Amended
	if err := b.number(ctx, w, gated.Incidents); err != nil {
		return fmt.Errorf("draw incident numbers: %w", err)
	}
	if err := b.inherit(ctx, w.Deliveries); err != nil {
		return fmt.Errorf("load lanes: %w", err)
	}
	b.takeAlong(w)
	if err := b.tx.Write(ctx, w); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	b.versions = w.Versions
	for i := range b.results {
		if r := b.results[i].request; r != nil {
			b.results[i].receipt = receipt(r, gated.Incidents)
		}
	}
	return nil
}

// gate collects what the submissions need, in the order in which every writer
// takes it.
func (b *batch) gate() Gate {
	var g Gate
	for _, it := range b.items {
		for _, w := range it.wake {
			g.Slots = append(g.Slots, w.Slots...)
		}
		if it.act != nil {
			g.act(it.act)
		}
		if it.submission == nil {
			continue
		}
		s := it.submission
		r := s.Change.Request
		switch {
		case !s.Insert:
			g.Claims = append(g.Claims, Claim{Request: r.ID, From: s.From, State: cmp.Or(s.Replay, core.RequestOpen)})
			g.Slots = append(g.Slots, fallbackSlots(r)...)
		case r.Delivery.ID != [16]byte{} && r.State != core.RequestRejected:
			g.Deliveries = append(g.Deliveries, DeliveryClaim{r.Tenant, r.Integration, r.Delivery, r.ID})
		}
		g.Slots = append(g.Slots, s.Change.Refs()...)
	}
	slices.SortFunc(g.Deliveries, compareDeliveries)
	slices.SortFunc(g.Claims, func(a, b Claim) int { return cmp.Compare(a.Request, b.Request) })
	slices.SortFunc(g.Slots, compareSlots)
	g.Slots = slices.Compact(g.Slots)
	slices.Sort(g.Incidents)
	g.Incidents = slices.Compact(g.Incidents)
	return g
}

// fallbackSlots lists every slot that a stored request's fallback incident may
// hold: which it is only the claim tells.
func fallbackSlots(r *core.Request) []core.SlotRef {
	codes := []core.Code{core.AdapterRejected, core.AdapterUnavailable, core.AdapterFailed}
	refs := make([]core.SlotRef, len(codes))
	for i, code := range codes {
		refs[i] = core.SlotRef{
			Tenant: r.Tenant, Integration: r.Integration, Kind: core.FallbackSlot, Hash: core.HashKey(string(code)),
		}
	}
	return refs
}

func compareDeliveries(a, b DeliveryClaim) int {
	return cmp.Or(
		cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Integration, b.Integration),
		bytes.Compare(a.Key.ID[:], b.Key.ID[:]), bytes.Compare(a.Key.Body[:], b.Key.Body[:]),
		cmp.Compare(a.Request, b.Request),
	)
}

func compareSlots(a, b core.SlotRef) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Tenant, b.Tenant),
		cmp.Compare(a.Integration, b.Integration), bytes.Compare(a.Hash[:], b.Hash[:]),
	)
}

// admit returns the changes of those submissions that may be folded, on copies:
// folding writes on requests, and the batch may have to be run again.
func (b *batch) admit(gated Gated, w *Writes) []*core.Change {
	var changes []*core.Change
	claimed := map[core.ID]bool{}
	for i, it := range b.items {
		if it.act != nil {
			if c := b.admitAct(i, it.act, gated); c != nil {
				changes = append(changes, c)
			}
			continue
		}
		if it.submission == nil {
			continue
		}
		c := it.submission.Change
		r := *c.Request
		c.Request = &r
		r.Incidents = slices.Clone(r.Incidents)
		if it.submission.Insert {
			if earlier := gated.Earlier[r.ID]; earlier != 0 {
				b.results[i].earlier = earlier
				continue
			}
			if gated.Reused[r.ID] {
				r.Notes = append(slices.Clone(r.Notes), "this delivery id was used before with another body")
			}
			w.Inserted = append(w.Inserted, Stored{Request: &r, Body: it.stored.Body, Deflate: it.stored.Deflate})
		} else {
			p, ok := gated.Claimed[r.ID]
			if !ok || claimed[r.ID] {
				b.results[i].err = core.ErrNotClaimed
				continue
			}
			claimed[r.ID] = true
			r.Incidents, r.Total, r.Fallback, r.FallbackOf = p.Incidents, p.Total, p.Fallback, p.FallbackOf
			if c.Again && it.submission.Replay != "" {
				r.Incidents, r.Total = nil, 0 // they are listed afresh
			}
			w.Updated = append(w.Updated, &r)
		}
		b.count(it.submission.Insert, &r)
		b.results[i].request = &r
		changes = append(changes, &c)
	}
	return changes
}

// count counts a request as accepted when it is stored, and as failed when it
// turns out that nobody can read it.
func (b *batch) count(insert bool, r *core.Request) {
	failed := r.State == core.RequestQuarantined || r.State == core.RequestRejected
	if insert || failed {
		b.requests.add(r.Tenant, r.Integration, r.ReceivedAt, !failed)
	}
}

// foldAll folds, and turns a panic of the rules into an error: one request
// that they can't bear must not take the others with it.
func (b *batch) foldAll(gated Gated, changes []*core.Change) (*core.Folded, error) {
	return guarded(func() *core.Folded {
		folded := core.Fold(b.state(gated), changes, b.cfg.Routes(), b.now)
		b.wake(gated, folded)
		return folded
	})
}

// guarded turns a panic of the rules into an error.
func guarded(fold func() *core.Folded) (folded *core.Folded, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fold: %v", p)
		}
	}()
	return fold(), nil
}

func (b *batch) state(gated Gated) *core.State {
	return &core.State{Slots: gated.Slots, Incidents: gated.Incidents, Destinations: b.states, NewID: b.NewID}
}

// wake adds what time alone makes due.
func (b *batch) wake(gated Gated, folded *core.Folded) {
	for _, it := range b.items {
		if len(it.wake) == 0 {
			continue
		}
		woken := core.Wake(b.state(gated), it.wake, b.cfg.Routes(), b.now, it.suspect)
		folded.Changed = append(folded.Changed, woken.Changed...)
		folded.Timeline = append(folded.Timeline, woken.Timeline...)
		folded.Versions = append(folded.Versions, woken.Versions...)
		folded.Deliveries = append(folded.Deliveries, woken.Deliveries...)
		folded.Amended = append(folded.Amended, woken.Amended...)
	}
}

// number draws numbers for the new incidents, and completes their snapshots.
func (b *batch) number(ctx context.Context, w *Writes, incidents map[core.ID]*core.Incident) error {
	created := map[int64]int{}
	for _, in := range w.Created {
		created[in.Tenant]++
	}
	next := map[int64]int64{}
	for _, tenant := range slices.Sorted(maps.Keys(created)) {
		first, err := b.tx.Draw(ctx, tenant, created[tenant])
		if err != nil {
			return err
		}
		next[tenant] = first
	}
	for _, in := range w.Created {
		in.Number = next[in.Tenant]
		next[in.Tenant]++
	}
	for i := range w.Versions {
		v := &w.Versions[i]
		v.Snapshot.Number = incidents[v.Incident].Number
	}
	return nil
}

// inherit lets new deliveries wait as their predecessors do.
func (b *batch) inherit(ctx context.Context, deliveries []core.Delivery) error {
	var refs []LaneRef
	for i := range deliveries {
		if d := &deliveries[i]; d.Version > 1 {
			refs = append(refs, LaneRef{d.Destination, d.Incident})
		}
		if deliveries[i].State == core.DeliveryDue {
			b.bell[deliveries[i].Destination] = true
		}
	}
	if len(refs) == 0 {
		return nil
	}
	newest, err := b.tx.Lanes(ctx, refs)
	if err != nil {
		return err
	}
	for i := range deliveries {
		d := &deliveries[i]
		ref := LaneRef{d.Destination, d.Incident}
		if before, ok := newest[ref]; ok {
			core.Inherit(d, before)
		}
		newest[ref] = *d
	}
	return nil
}

// takeAlong adds the counters, and about once a second what has gathered
// beside the batches.
func (b *batch) takeAlong(w *Writes) {
	var g gathered
	if len(b.items) == 0 || b.now.Sub(b.sideAt) >= sideEvery {
		g = b.side.take()
		b.sideAt = b.now
	}
	for _, r := range g.refusals {
		w.Refusals = append(w.Refusals, Refused{ID: b.NewID(), Refusal: r})
	}
	w.Repeats = g.repeats
	w.Requests = b.requests.list(g.counts)
	w.Attempts = b.attempts.list(nil)
}
