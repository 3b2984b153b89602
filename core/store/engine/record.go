package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"bellcrank.example/core"
)

// record stores the outcome of an attempt.
func (b *batch) record(ctx context.Context, o core.Outcome) error {
	destination := destinationOf(&o)
	state := b.states[destination]
	if o.Destination != nil {
		state = *o.Destination
	}
	if !state.Active() {
		o.Deliveries = parked(o.Deliveries)
	}
	if o.Attempt.Delivery != 0 && o.Attempt.ID == 0 {
		o.Attempt.ID = b.NewID()
	}
	if err := b.tx.Record(ctx, o); err != nil {
		return fmt.Errorf("record an attempt: %w", err)
	}
	if a := &o.Attempt; a.Delivery != 0 && a.Class != core.Throttled { // to be told to wait is no attempt
		b.attempts.add(a.Tenant, destination, a.At, a.Class == core.NoFault)
	}
	if o.Destination != nil {
		if err := b.store(ctx, *o.Destination); err != nil {
			return err
		}
	}
	if !o.Release {
		return nil
	}
	b.bell[destination] = true
	if err := b.tx.Release(ctx, destination, o.ReleaseFrom, o.ReleaseStep); err != nil {
		return fmt.Errorf("release the deliveries of %s: %w", destination, err)
	}
	return nil
}

func destinationOf(o *core.Outcome) string {
	switch {
	case o.Attempt.Destination != "":
		return o.Attempt.Destination
	case o.Destination != nil:
		return o.Destination.Destination
	case len(o.Deliveries) > 0:
		return o.Deliveries[0].Destination
	}
	return ""
}

// parked returns the rows as a disabled destination has them. Somebody may
// have disabled it while the attempt was under way.
func parked(rows []core.Delivery) []core.Delivery {
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].State == core.DeliveryDue || rows[i].State == core.DeliveryLeased {
			rows[i].State = core.DeliveryParked
		}
	}
	return rows
}

// setDestination stores a state that no attempt caused, and releases what
// waited for it.
func (b *batch) setDestination(ctx context.Context, s core.DestinationState) error {
	if err := b.store(ctx, s); err != nil {
		return err
	}
	if !s.Active() {
		return nil
	}
	b.bell[s.Destination] = true
	if err := b.tx.Release(ctx, s.Destination, s.Since, core.ReleaseStep); err != nil {
		return fmt.Errorf("release the deliveries of %s: %w", s.Destination, err)
	}
	return nil
}

// store keeps a destination's state, in the batch's own view until the commit.
// When it goes down, others hear of what it isn't told.
func (b *batch) store(ctx context.Context, s core.DestinationState) error {
	if err := b.tx.SetDestination(ctx, s); err != nil {
		return fmt.Errorf("store the state of %s: %w", s.Destination, err)
	}
	fell := b.states[s.Destination].Active() && !s.Active()
	b.states = maps.Clone(b.states)
	b.states[s.Destination] = s
	if !fell {
		return nil
	}
	return b.tellInstead(ctx, s.Destination)
}

// maxInstead bounds the incidents that others hear of when a destination goes
// down: whoever is told of so many looks at the list.
const maxInstead = 1000

func (b *batch) tellInstead(ctx context.Context, destination string) error {
	incidents, err := b.tx.Waiting(ctx, destination, maxInstead)
	if err != nil {
		return fmt.Errorf("list what %s isn't told: %w", destination, err)
	}
	folded, err := guarded(func() *core.Folded {
		state := &core.State{Destinations: b.states, NewID: b.NewID}
		return core.TellInstead(state, incidents, b.cfg.Routes(), b.now)
	})
	if err != nil {
		b.cfg.Logger.Error("tell others of what a destination isn't told", "destination", destination, "err", err)
		return nil // its own rows are parked all the same
	}
	if len(folded.Changed) == 0 {
		return nil
	}
	for _, d := range folded.Deliveries {
		b.bell[d.Destination] = true
	}
	w := &Writes{Changed: folded.Changed, Deliveries: folded.Deliveries, Now: b.now}
	if err := b.tx.Write(ctx, w); err != nil {
		return fmt.Errorf("tell others of what %s isn't told: %w", destination, err)
	}
	return nil
}
