package sqlite

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
	"bellcrank.example/sdk"
)

// errEnough ends a list early.
var errEnough = errors.New("enough rows")

func severity(r *row) sdk.Severity { return sdk.Severity(r.text()) }

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
}

func sortRequests(list []*core.Request) {
	slices.SortFunc(list, func(a, b *core.Request) int { return cmp.Compare(a.ID, b.ID) })
}

// filter builds the end of a list's statement. The conditions are constants,
// so that there are only so many statements to prepare.
type filter struct {
	where []string
	bind  []func(*query)
}

func (f *filter) text(condition, value string) {
	if value != "" {
		f.where = append(f.where, condition)
		f.bind = append(f.bind, func(q *query) { q.text(value) })
	}
}

func (f *filter) int(condition string, value int64) {
	if value != 0 {
		f.where = append(f.where, condition)
		f.bind = append(f.bind, func(q *query) { q.int(value) })
	}
}

func (f *filter) since(condition string, t time.Time) {
	if !t.IsZero() {
		f.int(condition, t.UnixMicro())
	}
}

// query returns the list's statement, newest first.
func (f *filter) query(c *conn, list string, page core.Page) *query {
	f.int(`id < ?`, int64(page.Before))
	return f.end(c, list, ` ORDER BY id DESC LIMIT ?`).num(page.Size())
}

// end returns a statement with the conditions, and what comes behind them.
func (f *filter) end(c *conn, statement, behind string) *query {
	if len(f.where) > 0 {
		statement += ` WHERE ` + strings.Join(f.where, ` AND `)
	}
	q := c.query(statement + behind)
	for _, bind := range f.bind {
		bind(q)
	}
	return q
}

// Incidents lists incidents, newest first.
func (db *DB) Incidents(ctx context.Context, want core.IncidentFilter) (list []*core.Incident, err error) {
	var f filter
	f.text(`integration = ?`, want.Integration)
	f.text(`status = ?`, string(want.Status))
	f.text(`severity = ?`, string(want.Severity))
	f.text(`service = ?`, want.Service)
	f.text(`held_by = ?`, want.HeldBy)
	f.int(`group_id = ?`, int64(want.Group))
	f.since(`last_at >= ?`, want.Since)
	if want.Untold {
		f.where = append(f.where, `told = '' AND held_by = '' AND group_id IS NULL AND test = 0`)
	}
	if want.Held {
		f.where = append(f.where, `held_by <> ''`)
	}
	if want.Open {
		f.where = append(f.where, `status <> 'resolved'`)
	}
	err = db.read(ctx, func(c *conn) error {
		return f.query(c, selectIncident, want.Page).each(func(r *row) error {
			in, err := readIncident(r)
			list = append(list, in)
			return err
		})
	})
	return list, err
}

// detailLength bounds each list of what Incident returns to the newest so many.
const detailLength = 200

// Incident returns an incident with everything that happened to it.
func (db *DB) Incident(ctx context.Context, number int64) (core.IncidentDetail, error) {
	var d core.IncidentDetail
	err := db.read(ctx, func(c *conn) error { return readDetail(c, number, &d) })
	return d, err
}

func readDetail(c *conn, number int64, d *core.IncidentDetail) error {
	found, err := c.query(selectIncident + ` WHERE tenant_id = ? AND number = ?`).int(core.DefaultTenant).int(number).
		one(func(r *row) error {
			var err error
			d.Incident, err = readIncident(r)
			return err
		})
	switch {
	case err != nil:
		return err
	case !found:
		return &core.Error{Code: core.NotFound, Message: "There is no incident INC-" + strconv.FormatInt(number, 10) + "."}
	}
	return errors.Join(readTimeline(c, d), readVersions(c, d), readDeliveries(c, d))
}

const selectEvent = `SELECT id, tenant_id, incident_id, request_id, idx, action, effect, at, occurred_at, severity, rule,
author, note, title FROM event`

func readEvent(r *row) core.TimelineEntry {
	return core.TimelineEntry{
		ID: r.id(), Tenant: r.int(), Incident: r.id(), Request: r.id(), Index: r.num(),
		Action: sdk.Action(r.text()), Effect: core.Effect(r.text()), At: r.when(), OccurredAt: r.when(),
		Severity: severity(r), Rule: r.text(), Author: r.text(), Note: r.text(), Title: r.text(),
	}
}

func readTimeline(c *conn, d *core.IncidentDetail) error {
	err := c.query(selectEvent + ` WHERE incident_id = ? ORDER BY id DESC LIMIT ?`).id(d.Incident.ID).num(detailLength).
		each(func(r *row) error {
			d.Timeline = append(d.Timeline, readEvent(r))
			return nil
		})
	slices.Reverse(d.Timeline)
	return err
}

func readVersions(c *conn, d *core.IncidentDetail) error {
	err := c.query(`SELECT number, kind, at, generation, author, note, why FROM incident_version WHERE incident_id = ? ORDER BY number DESC LIMIT ?`).
		id(d.Incident.ID).num(detailLength).each(func(r *row) error {
		v := core.VersionLine{
			Number: r.num(), Kind: core.Kind(r.text()), At: r.when(), Generation: r.int(), Author: r.text(), Note: r.text(),
		}
		var err error
		v.Why, err = engine.DecodeWhy(r.raw())
		d.Versions = append(d.Versions, v)
		return err
	})
	slices.Reverse(d.Versions)
	return err
}

func readDeliveries(c *conn, d *core.IncidentDetail) error {
	err := c.query(selectDelivery + ` WHERE incident_id = ? ORDER BY version DESC, destination DESC LIMIT ?`).
		id(d.Incident.ID).num(detailLength).each(func(r *row) error {
		delivery := readDelivery(r)
		delivery.Number = d.Incident.Number
		d.Deliveries = append(d.Deliveries, delivery)
		return nil
	})
	slices.Reverse(d.Deliveries)
	return err
}

// Requests lists requests without bodies, newest first.
func (db *DB) Requests(ctx context.Context, want core.RequestFilter) (list []*core.Request, err error) {
	var f filter
	f.text(`integration = ?`, want.Integration)
	f.text(`state = ?`, string(want.State))
	f.since(`received_at >= ?`, want.Since)
	err = db.read(ctx, func(c *conn) error {
		return f.query(c, selectRequest, want.Page).each(func(r *row) error {
			list = append(list, readRequest(r))
			return nil
		})
	})
	return list, err
}

// deliveryFilter selects deliveries.
func deliveryFilter(want core.DeliveryFilter) *filter {
	var f filter
	f.text(`destination = ?`, want.Destination)
	f.int(`incident_id = ?`, int64(want.Incident))
	f.text(`state = ?`, string(want.State))
	f.since(`created_at >= ?`, want.Since)
	f.since(`created_at < ?`, want.Until)
	f.since(`next_at > ?`, want.DueAfter)
	return &f
}

// Deliveries lists deliveries, newest first.
func (db *DB) Deliveries(ctx context.Context, want core.DeliveryFilter) (list []core.Delivery, err error) {
	f := deliveryFilter(want)
	err = db.read(ctx, func(c *conn) error {
		return f.query(c, selectNumbered, want.Page).each(func(r *row) error {
			delivery := readDelivery(r)
			delivery.Number = r.int()
			list = append(list, delivery)
			return nil
		})
	})
	return list, err
}

// Attempts lists the attempts at a delivery, oldest first.
func (db *DB) Attempts(ctx context.Context, delivery core.ID) (list []core.Attempt, err error) {
	err = db.read(ctx, func(c *conn) error {
		list, err = readAttempts(c, delivery)
		return err
	})
	return list, err
}

// Backlog counts what is owed.
func (db *DB) Backlog(ctx context.Context) (b core.Backlog, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(`SELECT count(*), min(id) FROM request WHERE state = 'open'`).one(func(r *row) error {
			b.Requests, b.OldestRequest = r.num(), madeAt(r)
			return nil
		})
		if err != nil {
			return err
		}
		_, err = c.query(`SELECT count(*), min(id), ifnull(sum(state = 'parked'), 0) FROM delivery WHERE ` + unfinished).one(func(r *row) error {
			b.Deliveries, b.OldestDelivery, b.Parked = r.num(), madeAt(r), r.num()
			return nil
		})
		return err
	})
	return b, err
}

// madeAt reads an id and returns when it was made.
func madeAt(r *row) time.Time {
	if id := r.id(); id != 0 {
		return id.Time().UTC()
	}
	return time.Time{}
}
