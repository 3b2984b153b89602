package sqlite

import (
	"context"

	"bellcrank.example/core"
)

// Find returns a delivery, a zero one if there is none.
func (t tx) Find(_ context.Context, id core.ID) (core.Delivery, error) { return find(t.conn, id) }

func find(c *conn, id core.ID) (d core.Delivery, err error) {
	_, err = c.query(selectNumbered + ` WHERE id = ?`).id(id).one(func(r *row) error {
		d = readDelivery(r)
		d.Number = r.int()
		return nil
	})
	return d, err
}

// Delivery returns a delivery.
func (db *DB) Delivery(ctx context.Context, id core.ID) (d core.Delivery, err error) {
	err = db.read(ctx, func(c *conn) error {
		d, err = find(c, id)
		return err
	})
	if err == nil && d.ID == 0 {
		err = &core.Error{Code: core.NotFound, Message: "There is no such delivery."}
	}
	return d, err
}

const overtaken = `SELECT 1 FROM delivery WHERE incident_id = ? AND destination = ? AND version > ? AND state = 'delivered' LIMIT 1`

// Overtaken reports whether the destination took a newer version.
func (t tx) Overtaken(_ context.Context, d core.Delivery) (bool, error) {
	return t.query(overtaken).id(d.Incident).text(d.Destination).num(d.Version).one(func(*row) error { return nil })
}

const putDelivery = `UPDATE delivery SET state = ?, attempt = ?, next_at = ?, fault = ?, fault_tries = ?, first_at = ?,
done_at = ?, folded_into = ?, last_error = ?, created_at = ? WHERE id = ?`

// PutDelivery stores a delivery that is there.
func (t tx) PutDelivery(_ context.Context, d core.Delivery) error {
	return bindDelivery(t.query(putDelivery), &d).when(d.CreatedAt).id(d.ID).exec()
}

// Next lists deliveries by id.
func (t tx) Next(_ context.Context, want core.DeliveryFilter, after core.ID, limit int) (list []core.Delivery, err error) {
	f := deliveryFilter(want)
	f.int(`id > ?`, int64(after))
	err = f.end(t.conn, selectDelivery, ` ORDER BY id LIMIT ?`).num(limit).each(func(r *row) error {
		list = append(list, readDelivery(r))
		return nil
	})
	return list, err
}

// Count counts deliveries.
func (t tx) Count(_ context.Context, want core.DeliveryFilter) (int, error) {
	return count(t.conn, want)
}

func count(c *conn, want core.DeliveryFilter) (n int, err error) {
	_, err = deliveryFilter(want).end(c, `SELECT count(*) FROM delivery`, ``).one(func(r *row) error {
		n = r.num()
		return nil
	})
	return n, err
}

// CountDeliveries counts deliveries.
func (db *DB) CountDeliveries(ctx context.Context, want core.DeliveryFilter) (n int, err error) {
	err = db.read(ctx, func(c *conn) error {
		n, err = count(c, want)
		return err
	})
	return n, err
}

const deadLetters = `SELECT destination, count(*), max(done_at) FROM delivery WHERE state = 'dead' GROUP BY destination`

// DeadLetters says of each destination what was given up.
func (db *DB) DeadLetters(ctx context.Context) (list []core.DeadLetters, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(deadLetters).each(func(r *row) error {
			list = append(list, core.DeadLetters{Destination: r.text(), Count: r.num(), Newest: r.when()})
			return nil
		})
	})
	return list, err
}

const (
	bulkColumns = `id, tenant_id, action, new_id, destination, incident_id, delivery, since, until, state, total, done,
changed, cursor, created_at, ended_at`
	selectBulk = `SELECT ` + bulkColumns + ` FROM bulk`
	putBulk    = `INSERT OR REPLACE INTO bulk (` + bulkColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

func readBulk(r *row) core.Bulk {
	return core.Bulk{
		ID: r.id(), Tenant: r.int(), Redo: core.Redo{Action: core.RedoAction(r.text()), NewID: r.flag()},
		Filter: core.DeliveryFilter{
			Destination: r.text(), Incident: r.id(), State: core.DeliveryState(r.text()), Since: r.when(), Until: r.when(),
		},
		State: core.BulkState(r.text()), Total: r.num(), Done: r.num(), Changed: r.num(), Cursor: r.id(),
		CreatedAt: r.when(), EndedAt: r.when(),
	}
}

// Bulk returns a bulk operation, a zero one if there is none.
func (t tx) Bulk(_ context.Context, id core.ID) (b core.Bulk, err error) {
	_, err = t.query(selectBulk + ` WHERE id = ?`).id(id).one(func(r *row) error {
		b = readBulk(r)
		return nil
	})
	return b, err
}

// PutBulk stores a bulk operation.
func (t tx) PutBulk(_ context.Context, b core.Bulk) error {
	return t.query(putBulk).id(b.ID).int(b.Tenant).text(string(b.Action)).flag(b.NewID).text(b.Filter.Destination).
		id(b.Filter.Incident).text(string(b.Filter.State)).when(b.Filter.Since).when(b.Filter.Until).
		text(string(b.State)).num(b.Total).num(b.Done).num(b.Changed).id(b.Cursor).when(b.CreatedAt).when(b.EndedAt).exec()
}

// listedBulks bounds the bulk operations that are listed.
const listedBulks = 100

// Bulks lists bulk operations, newest first.
func (db *DB) Bulks(ctx context.Context, running bool) (list []core.Bulk, err error) {
	var f filter
	if running {
		f.text(`state = ?`, string(core.BulkRunning))
	}
	err = db.read(ctx, func(c *conn) error {
		return f.end(c, selectBulk, ` ORDER BY id DESC LIMIT ?`).num(listedBulks).each(func(r *row) error {
			list = append(list, readBulk(r))
			return nil
		})
	})
	return list, err
}
