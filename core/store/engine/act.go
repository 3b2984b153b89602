package engine

import (
	"context"

	"bellcrank.example/core"
)

// actTries bounds how often an act is tried whose incident is corrected under
// its hands.
const actTries = 3

// Act does what a person wants to the incident with a number, in the same
// steps as what vendors send. A refusal is a *core.Error with code NotFound,
// Conflict, StoreUnavailable or Overloaded.
func (e *Engine) Act(ctx context.Context, number int64, a core.Act) (core.Acted, error) {
	a.ID, a.At = e.NewID(), e.cfg.Now()
	for try := 1; ; try++ {
		d, err := e.cfg.Driver.Incident(ctx, number)
		if err != nil {
			return core.Acted{}, err
		}
		a.Tenant, a.Incident, a.Locked = d.Incident.Tenant, d.Incident.ID, d.Incident.Wakings().Slots
		it := newItem()
		it.act = &a
		r, err := e.do(ctx, it)
		switch {
		case err != nil:
			return core.Acted{}, err
		case r.earlier != 0:
			return core.Acted{Incident: d.Incident, Duplicate: true}, nil
		case r.acted.Moved() && try < actTries:
			continue
		case r.acted.Refused != nil:
			return core.Acted{}, r.acted.Refused
		}
		return core.Acted{Incident: r.after, Changed: r.acted.Changed}, nil
	}
}

func claimOf(a *core.Act) DeliveryClaim {
	return DeliveryClaim{Tenant: a.Tenant, Integration: core.People, Key: a.Key, Request: a.ID}
}

// act adds what an act needs.
func (g *Gate) act(a *core.Act) {
	g.Slots = append(g.Slots, a.Locked...)
	g.Incidents = append(g.Incidents, a.Incident)
	if a.Key.ID != [16]byte{} {
		g.Deliveries = append(g.Deliveries, claimOf(a))
	}
}

// admitAct returns the change of an act, on a copy, unless it was done before.
func (b *batch) admitAct(i int, a *core.Act, gated Gated) *core.Change {
	if earlier := gated.Earlier[a.ID]; earlier != 0 {
		b.results[i].earlier = earlier
		return nil
	}
	copied := *a
	b.results[i].acted = &copied
	if gated.Reused[a.ID] {
		copied.Refused = &core.Error{Code: core.Conflict, Message: "This Idempotency-Key was used before for something else."}
		return nil
	}
	return &core.Change{Act: &copied}
}

// acted notes how the batch's acts ended. One that was refused may be sent
// again under the same id; if it came twice in this batch, both are refused.
func (b *batch) acted(gated Gated, w *Writes) {
	refused := map[core.ID]*core.Act{}
	for i := range b.results {
		if a := b.results[i].acted; a != nil && a.Refused != nil {
			refused[a.ID] = a
		}
	}
	for i := range b.results {
		if first := refused[b.results[i].earlier]; first != nil && b.items[i].act != nil {
			b.results[i] = result{acted: first}
			continue
		}
		a := b.results[i].acted
		switch {
		case a == nil:
		case a.Refused == nil:
			b.results[i].after = gated.Incidents[a.Incident].Clone()
		case a.Key.ID != [16]byte{}:
			w.Unclaimed = append(w.Unclaimed, claimOf(a))
		}
	}
}
