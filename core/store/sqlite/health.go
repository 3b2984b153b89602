package sqlite

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"bellcrank.example/core"
)

const (
	sumMinutes        = `SELECT ifnull(sum(ok), 0), ifnull(sum(failed), 0), max(last_at), max(last_ok_at) FROM `
	sumIntegration    = sumMinutes + `integration_minute WHERE tenant_id = ? AND subject = ? AND minute >= ?`
	sumDestination    = sumMinutes + `destination_minute WHERE tenant_id = ? AND subject = ? AND minute >= ?`
	latestIntegration = `SELECT max(last_at), max(last_ok_at) FROM integration_minute WHERE tenant_id = ? AND subject = ?`
	latestDestination = `SELECT max(last_at), max(last_ok_at) FROM destination_minute WHERE tenant_id = ? AND subject = ?`
)

// RequestTally counts an integration's requests since a time.
func (db *DB) RequestTally(ctx context.Context, integration string, since time.Time) (core.Tally, error) {
	return db.tally(ctx, sumIntegration, latestIntegration, integration, since)
}

// DeliveryTally counts the attempts at a destination since a time.
func (db *DB) DeliveryTally(ctx context.Context, destination string, since time.Time) (core.Tally, error) {
	return db.tally(ctx, sumDestination, latestDestination, destination, since)
}

// tally sums whole minutes. When something was heard last is told even if that
// is longer ago: a silent integration is what people look for.
func (db *DB) tally(ctx context.Context, sum, latest, subject string, since time.Time) (t core.Tally, err error) {
	minute := since.Truncate(time.Minute)
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(sum).int(core.DefaultTenant).text(subject).when(minute).one(func(r *row) error {
			t = core.Tally{OK: r.num(), Failed: r.num()}
			return nil
		})
		if err != nil {
			return err
		}
		_, err = c.query(latest).int(core.DefaultTenant).text(subject).one(func(r *row) error {
			t.Last, t.LastOK = r.when(), r.when()
			return nil
		})
		return err
	})
	return t, err
}

const requestTrouble = `SELECT id, received_at, code, reason FROM request
WHERE integration = ? AND state IN ('quarantined', 'rejected') ORDER BY id DESC LIMIT ?`

// RequestTrouble lists what went wrong with an integration's requests, newest
// first.
func (db *DB) RequestTrouble(ctx context.Context, integration string, limit int) (list []core.Trouble, err error) {
	err = db.read(ctx, func(c *conn) error {
		err := c.query(requestTrouble).text(integration).num(limit).each(func(r *row) error {
			list = append(list, core.Trouble{Subject: r.id().String(), At: r.when(), Code: r.text(), Message: r.text()})
			return nil
		})
		if err != nil {
			return err
		}
		return c.query(`SELECT at, code, reason FROM refusal WHERE tenant_id = ? AND integration = ? ORDER BY id DESC LIMIT ?`).
			int(core.DefaultTenant).text(integration).num(limit).each(func(r *row) error {
			list = append(list, core.Trouble{At: r.when(), Code: r.text(), Message: r.text()})
			return nil
		})
	})
	slices.SortStableFunc(list, func(a, b core.Trouble) int { return cmp.Compare(b.At.UnixMicro(), a.At.UnixMicro()) })
	return list[:min(limit, len(list))], err
}

const deliveryTrouble = `SELECT delivery_id, at, status, class, error FROM attempt
WHERE destination = ? AND class <> '' ORDER BY id DESC LIMIT ?`

// DeliveryTrouble lists a destination's failed attempts, newest first.
func (db *DB) DeliveryTrouble(ctx context.Context, destination string, limit int) (list []core.Trouble, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(deliveryTrouble).text(destination).num(limit).each(func(r *row) error {
			t := core.Trouble{Subject: r.id().String(), At: r.when()}
			status, class := r.num(), r.text()
			t.Code, t.Message = class, r.text()
			if status != 0 {
				t.Code = strconv.Itoa(status)
			}
			list = append(list, t)
			return nil
		})
	})
	return list, err
}
