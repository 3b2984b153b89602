package sqlite

import (
	"context"
	"fmt"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// readTimeout bounds every question.
const readTimeout = 5 * time.Second

// read lends one of the reading connections to fn, in one snapshot.
func (db *DB) read(ctx context.Context, fn func(c *conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var c *conn
	select {
	case c = <-db.readers:
	case <-ctx.Done():
		return fmt.Errorf("wait for a connection: %w", context.Cause(ctx))
	}
	defer func() { db.readers <- c }()
	c.SetInterrupt(ctx)
	defer c.SetInterrupt(context.Background())
	if err := c.query(`BEGIN`).exec(); err != nil {
		return err
	}
	err := fn(c)
	if c.GetAutocommit() {
		return err
	}
	c.SetInterrupt(context.Background())
	if end := c.query(`ROLLBACK`).exec(); err == nil {
		err = end
	}
	return err
}

const requestColumns = `id, tenant_id, integration, key_id, received_at, source, method, path, query, encoding, test,
delivery_id, delivery_body, let_in, state, code, reason, notes, rejected, adapter, adapter_hash, attempt, next_at,
applied_to, applied_of, incidents, total, fallback, fallback_of, duplicates, unverified, verified, quiet, header`

const (
	selectRequest = `SELECT ` + requestColumns + ` FROM request`
	selectBody    = `SELECT ` + requestColumns + `, deflated, body FROM request`
)

// readRequest reads requestColumns.
func readRequest(r *row) *core.Request {
	out := &core.Request{
		ID: r.id(), Tenant: r.int(), Integration: r.text(), KeyID: r.text(), ReceivedAt: r.when(), Source: r.addr(),
		Method: r.text(), Path: r.text(), Query: r.text(), Encoding: r.text(), Test: r.flag(),
		Delivery: core.DeliveryKey{ID: r.hash(), Body: r.hash()},
		LetIn:    r.text(),
		State:    core.RequestState(r.text()), Code: core.Code(r.text()), Reason: r.text(),
		Notes: r.strings(), Rejected: r.strings(), Adapter: r.text(), AdapterHash: r.text(), Attempt: r.num(), NextAt: r.when(),
		AppliedTo: r.num(), AppliedOf: r.text(), Incidents: r.ids(), Total: r.num(),
		Fallback: r.id(), FallbackOf: core.Code(r.text()), Duplicates: r.num(), Unverified: r.flag(), Verified: r.text(), Quiet: r.flag(),
	}
	var err error
	out.Header, err = engine.DecodeHeader(r.text())
	r.fail(err)
	return out
}

// readWhole reads requestColumns, deflated and body.
func readWhole(r *row) (*core.Request, error) {
	out := readRequest(r)
	deflated := r.flag()
	out.Body = r.blob()
	if !deflated {
		return out, nil
	}
	var err error
	out.Body, err = engine.Inflate(out.Body)
	return out, err
}

const incidentColumns = `id, tenant_id, number, integration, dedup_key, series_key, identity_rule, status, severity,
severity_raw, severity_rule, service, test, count, version, first_at, last_at, opened_at, acked_at, resolved_at, previous,
fallback, waiting, superseded_by, told, held_by, group_id, wake_at, title, description, detail`

const selectIncident = `SELECT ` + incidentColumns + ` FROM incident`

// readIncident reads incidentColumns.
func readIncident(r *row) (*core.Incident, error) {
	in := &core.Incident{
		ID: r.id(), Tenant: r.int(), Number: r.int(), Integration: r.text(),
		DedupKey: r.text(), SeriesKey: r.text(), IdentityRule: r.text(), Status: core.Status(r.text()),
		Severity: severity(r), SeverityRaw: r.text(), SeverityRule: r.text(), Service: r.text(), Test: r.flag(),
		Count: r.num(), Version: r.num(), FirstAt: r.when(), LastAt: r.when(), OpenedAt: r.when(),
		AckedAt: r.when(), ResolvedAt: r.when(), Previous: r.id(), Fallback: core.Code(r.text()),
		Waiting: r.num(), SupersededBy: r.id(), Told: r.strings(),
		Held: core.Hold{By: r.text()}, Group: r.id(), WakeAt: r.when(), Title: r.text(), Description: r.text(),
	}
	return in, engine.DecodeDetail(r.raw(), in)
}

const (
	deliveryColumns = `id, tenant_id, incident_id, version, destination, kind, state, attempt, next_at, fault,
fault_tries, first_at, created_at, done_at, folded_into, resend_of, last_error`
	selectDelivery = `SELECT ` + deliveryColumns + ` FROM delivery`
	// selectNumbered adds the incident's number, for lists that people read.
	selectNumbered = `SELECT ` + deliveryColumns + `, (SELECT number FROM incident WHERE incident.id = delivery.incident_id) FROM delivery`
)

func readDelivery(r *row) core.Delivery {
	return core.Delivery{
		ID: r.id(), Tenant: r.int(), Incident: r.id(), Version: r.num(), Destination: r.text(), Kind: core.Kind(r.text()),
		State: core.DeliveryState(r.text()), Attempt: r.num(), NextAt: r.when(), Fault: core.FaultClass(r.text()),
		FaultTries: r.num(), FirstAt: r.when(), CreatedAt: r.when(), DoneAt: r.when(), FoldedInto: r.id(), ResendOf: r.id(),
		LastError: r.text(),
	}
}

const highWater = `SELECT max(ifnull((SELECT max(id) FROM request), 0), ifnull((SELECT max(id) FROM incident), 0),
ifnull((SELECT max(id) FROM event), 0), ifnull((SELECT max(id) FROM delivery), 0),
ifnull((SELECT max(id) FROM attempt), 0), ifnull((SELECT max(id) FROM refusal), 0),
ifnull((SELECT max(id) FROM silence), 0), ifnull((SELECT max(id) FROM incident_version), 0))`

// HighWater returns the greatest id that is stored.
func (db *DB) HighWater(ctx context.Context) (id core.ID, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(highWater).one(func(r *row) error {
			id = r.id()
			return nil
		})
		return err
	})
	return id, err
}

// FindDelivery returns the request that first brought the delivery.
func (db *DB) FindDelivery(ctx context.Context, tenant int64, integration string, key core.DeliveryKey) (id core.ID, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(`SELECT request_id FROM delivery_id
			WHERE tenant_id = ? AND integration = ? AND id_hash = ? AND body_hash = ?`).
			int(tenant).text(integration).blob(key.ID[:]).blob(key.Body[:]).one(func(r *row) error {
			id = r.id()
			return nil
		})
		return err
	})
	return id, err
}

// Request returns a request with its body.
func (db *DB) Request(ctx context.Context, id core.ID) (out *core.Request, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(selectBody + ` WHERE id = ?`).id(id).one(func(r *row) error {
			var err error
			out, err = readWhole(r)
			return err
		})
		return err
	})
	if err == nil && out == nil {
		err = &core.Error{Code: core.NotFound, Message: "There is no request with this receipt."}
	}
	return out, err
}

const (
	// dueRequests takes the longest due: the index is in that order, and a
	// sweep that comes again and again gets to all of them.
	dueRequests = selectBody + ` WHERE state = 'open' AND integration = ? AND next_at <= ? ORDER BY next_at, id LIMIT ?`
	leftBehind  = selectBody + ` WHERE state = 'open' AND integration = ? AND next_at > ? AND attempt = 0 AND id < ?
ORDER BY id LIMIT ?`
	unscheduled = selectBody + ` WHERE state = 'open' AND integration = ? AND next_at IS NULL ORDER BY id LIMIT ?`
	nextOwing   = `SELECT integration FROM request WHERE state = 'open' AND integration > ? ORDER BY integration LIMIT 1`
)

// Owed lists open requests that are due, oldest first. It goes from one
// integration to the next by the index, so that those which are skipped cost
// nothing however much they are owed.
func (db *DB) Owed(ctx context.Context, skip []string, now time.Time, before core.ID, limit int) ([]*core.Request, error) {
	var owed []*core.Request
	err := db.read(ctx, func(c *conn) error {
		skipped := setOf(skip)
		for integration, found := "", true; found; {
			var err error
			found, err = c.query(nextOwing).text(integration).one(func(r *row) error {
				integration = r.text()
				return nil
			})
			if err != nil {
				return err
			}
			if !found || skipped[integration] {
				continue
			}
			for _, q := range []*query{
				c.query(dueRequests).text(integration).when(now).num(limit),
				c.query(unscheduled).text(integration).num(limit),
				c.query(leftBehind).text(integration).when(now).id(before).num(limit),
			} {
				if owed, err = appendRequests(owed, q); err != nil {
					return err
				}
			}
		}
		return nil
	})
	sortRequests(owed)
	return owed[:min(limit, len(owed))], err
}

func appendRequests(list []*core.Request, q *query) ([]*core.Request, error) {
	err := q.each(func(r *row) error {
		whole, err := readWhole(r)
		list = append(list, whole)
		return err
	})
	return list, err
}

// Neglected lists open requests without a fallback incident, oldest first.
func (db *DB) Neglected(ctx context.Context, receivedBefore time.Time, limit int) (list []*core.Request, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(selectRequest + ` WHERE state = 'open' AND fallback IS NULL AND received_at < ? ORDER BY id LIMIT ?`).
			when(receivedBefore).num(limit).each(func(r *row) error {
			list = append(list, readRequest(r))
			return nil
		})
	})
	return list, err
}

// Summaries returns the incidents with these ids, in their order.
func (db *DB) Summaries(ctx context.Context, ids []core.ID) (list []core.IncidentSummary, err error) {
	err = db.read(ctx, func(c *conn) error {
		for _, id := range ids {
			_, err := c.query(`SELECT id, number, title, severity, status FROM incident WHERE id = ?`).id(id).
				one(func(r *row) error {
					list = append(list, core.IncidentSummary{
						ID: r.id(), Number: r.int(), Title: r.text(), Severity: severity(r), Status: core.Status(r.text()),
					})
					return nil
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}
