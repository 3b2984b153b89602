package sqlite

import (
	"context"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
	"bellcrank.example/sdk"
)

// tx is the writer's transaction. As there is only one writer, nothing needs
// to be locked: the gate merely looks.
type tx struct{ *conn }

// Begin starts the writer's transaction.
func (db *DB) Begin(context.Context) (engine.Tx, error) {
	if err := db.writer.query(`BEGIN IMMEDIATE`).exec(); err != nil {
		return nil, err
	}
	return tx{db.writer}, nil
}

// Commit ends the transaction; what it wrote is on stable storage.
func (t tx) Commit(context.Context) error { return t.query(`COMMIT`).exec() }

// Rollback undoes the transaction unless SQLite has done so already, as it
// does on a full disk.
func (t tx) Rollback(context.Context) error {
	if t.GetAutocommit() {
		return nil
	}
	return t.query(`ROLLBACK`).exec()
}

// Touch writes a row, so that the commit has something to sync.
func (t tx) Touch(_ context.Context, now time.Time) error {
	return t.query(`INSERT INTO meta (name, value) VALUES ('touched', ?1) ON CONFLICT DO UPDATE SET value = ?1`).when(now).exec()
}

// Gate stores the delivery ids, takes the claims and loads the slots with
// their incidents.
func (t tx) Gate(_ context.Context, g engine.Gate) (engine.Gated, error) {
	out := engine.Gated{
		Earlier: map[core.ID]core.ID{}, Reused: map[core.ID]bool{}, Claimed: map[core.ID]engine.Progress{},
		Slots:     make(map[core.SlotRef]*core.Slot, len(g.Slots)),
		Incidents: make(map[core.ID]*core.Incident, len(g.Slots)),
	}
	for _, d := range g.Deliveries {
		if err := t.claimDelivery(d, &out); err != nil {
			return out, err
		}
	}
	for _, c := range g.Claims {
		if err := t.claim(c, &out); err != nil {
			return out, err
		}
	}
	for _, ref := range g.Slots {
		if err := t.loadSlot(ref, &out); err != nil {
			return out, err
		}
	}
	for _, id := range g.Incidents {
		if err := t.loadIncident(id, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

const insertDeliveryID = `INSERT INTO delivery_id (tenant_id, integration, id_hash, body_hash, request_id)
VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

func (t tx) claimDelivery(d engine.DeliveryClaim, out *engine.Gated) error {
	var earlier core.ID
	known := false
	err := t.query(`SELECT request_id, body_hash FROM delivery_id WHERE tenant_id = ? AND integration = ? AND id_hash = ?`).
		int(d.Tenant).text(d.Integration).blob(d.Key.ID[:]).each(func(r *row) error {
		known = true
		if id := r.id(); r.hash() == d.Key.Body {
			earlier = id
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case earlier != 0:
		out.Earlier[d.Request] = earlier
		return nil
	case known:
		out.Reused[d.Request] = true
	}
	return t.query(insertDeliveryID).int(d.Tenant).text(d.Integration).blob(d.Key.ID[:]).blob(d.Key.Body[:]).id(d.Request).exec()
}

const claimRequest = `SELECT incidents, total, fallback, fallback_of FROM request
WHERE id = ? AND state = ? AND applied_to = ?`

func (t tx) claim(c engine.Claim, out *engine.Gated) error {
	_, err := t.query(claimRequest).id(c.Request).text(string(c.State)).num(c.From).one(func(r *row) error {
		out.Claimed[c.Request] = engine.Progress{
			Incidents: r.ids(), Total: r.num(), Fallback: r.id(), FallbackOf: core.Code(r.text()),
		}
		return nil
	})
	return err
}

const selectSlot = `SELECT open_incident, last_incident, last_op, last_request, last_index, last_source_at, last_received_at,
transitions, marks FROM dedup_slot WHERE tenant_id = ? AND integration = ? AND kind = ? AND hash = ?`

func (t tx) loadSlot(ref core.SlotRef, out *engine.Gated) error {
	if out.Slots[ref] != nil {
		return nil // with an incident that is in another slot as well
	}
	slot := &core.Slot{}
	out.Slots[ref] = slot
	found, err := t.query(selectSlot).int(ref.Tenant).text(ref.Integration).num(int(ref.Kind)).blob(ref.Hash[:]).
		one(func(r *row) error {
			*slot = core.Slot{
				Open: r.id(), Last: r.id(), LastOp: sdk.Action(r.text()), LastRequest: r.id(), LastIndex: r.num(),
				LastSourceAt: r.when(), LastReceivedAt: r.when(), Transitions: r.times(),
			}
			return engine.DecodeMarks(r.bytes(), slot)
		})
	if err != nil || !found {
		return err
	}
	id := slot.Open
	if id == 0 {
		id = slot.Last
	}
	// A series only links episodes, unless one of them is held open.
	if id == 0 || ref.Kind == core.SeriesSlot && slot.Open == 0 {
		return nil
	}
	return t.loadIncident(id, out)
}

// loadIncident loads an incident with the slot that it holds and the incident
// of its group.
func (t tx) loadIncident(id core.ID, out *engine.Gated) error {
	if out.Incidents[id] != nil {
		return nil
	}
	found, err := t.query(selectIncident + ` WHERE id = ?`).id(id).one(func(r *row) error {
		in, err := readIncident(r)
		out.Incidents[id] = in
		return err
	})
	if err != nil || !found {
		return err
	}
	in := out.Incidents[id]
	if err := t.loadSlot(in.Wakings().Slots[0], out); err != nil || in.Group == 0 {
		return err
	}
	return t.loadIncident(in.Group, out)
}

const newestUnfinished = selectDelivery + ` WHERE destination = ? AND incident_id = ?
AND ` + unfinished + ` ORDER BY version DESC LIMIT 1`

// Lanes returns the newest unfinished delivery of each lane that has one.
func (t tx) Lanes(_ context.Context, refs []engine.LaneRef) (map[engine.LaneRef]core.Delivery, error) {
	lanes := make(map[engine.LaneRef]core.Delivery, len(refs))
	for _, ref := range refs {
		_, err := t.query(newestUnfinished).text(ref.Destination).id(ref.Incident).one(func(r *row) error {
			lanes[ref] = readDelivery(r)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return lanes, nil
}

const lastNumber = `SELECT max(
	ifnull((SELECT max(number) FROM incident WHERE tenant_id = ?1), 0),
	ifnull((SELECT incident FROM tenant_counter WHERE tenant_id = ?1), 0))`

// Draw takes the next incident numbers and returns the first. As there is only
// one writer, nothing needs to be written: they are taken when their incidents
// are.
func (t tx) Draw(_ context.Context, tenant int64, _ int) (int64, error) {
	var last int64
	_, err := t.query(lastNumber).int(tenant).one(func(r *row) error {
		last = r.int()
		return nil
	})
	return last + 1, err
}
