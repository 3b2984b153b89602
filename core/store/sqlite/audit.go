package sqlite

import (
	"context"
	"fmt"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// hourIDs is how many ids an hour has: 22 bits below each millisecond.
const hourIDs = int64(time.Hour/time.Millisecond) << 22

const countStored = `INSERT INTO request_count (tenant_id, integration, hour, stored) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET stored = stored + excluded.stored`

// countInserted counts the requests of a batch by the hours of their ids.
func (t tx) countInserted(list []engine.Stored) error {
	type hour struct {
		tenant      int64
		integration string
		hour        int64
	}
	stored := map[hour]int{}
	for _, r := range list {
		stored[hour{r.Tenant, r.Integration, int64(r.ID) / hourIDs}]++
	}
	for at, n := range stored {
		if err := t.query(countStored).int(at.tenant).text(at.integration).int(at.hour).num(n).exec(); err != nil {
			return err
		}
	}
	return nil
}

// AuditRequests looks at what became of the requests after an id.
func (db *DB) AuditRequests(ctx context.Context, after core.ID, limit int) (p core.AuditPage, err error) {
	err = db.read(ctx, func(c *conn) error {
		var page []*core.Request
		err := c.query(selectRequest + ` WHERE id > ? ORDER BY id LIMIT ?`).int(int64(after)).num(limit).each(func(r *row) error {
			page = append(page, readRequest(r))
			return nil
		})
		for _, r := range page {
			if err == nil {
				err = auditRequest(c, &p, r)
			}
		}
		if len(page) == limit {
			p.Next = page[limit-1].ID
		}
		return err
	})
	return p, err
}

func auditRequest(c *conn, p *core.AuditPage, r *core.Request) error {
	p.Count(string(r.State))
	receipt := "receipt " + r.ID.String()
	switch r.State {
	case core.RequestOpen, core.RequestHeld:
		p.Owe(core.Owing{Subject: receipt, State: string(r.State), Since: r.ReceivedAt, Detail: r.Reason})
	case core.RequestQuarantined:
		if r.Fallback == 0 && !r.Test {
			p.Missing("nobody told", receipt, "it is quarantined, and no incident tells of it")
		}
	}
	for _, id := range r.Incidents {
		found, err := c.query(`SELECT number FROM incident WHERE id = ?`).id(id).one(func(*row) error { return nil })
		if err != nil {
			return err
		}
		if !found {
			p.Missing("incident missing", receipt, "it made incident "+id.String()+", which isn't there")
			continue
		}
		// An event's id is above that of its request, and usually the next.
		found, err = c.query(`SELECT id FROM event WHERE incident_id = ? AND id > ? AND request_id = ? LIMIT 1`).
			id(id).id(r.ID).id(r.ID).one(func(*row) error { return nil })
		if err != nil {
			return err
		}
		if !found {
			p.Missing("event missing", receipt, "incident "+id.String()+" has no event of it")
		}
	}
	return nil
}

// version is what an audit needs of a version.
type version struct {
	id       core.ID
	incident core.ID
	number   int
	why      core.Why
}

// AuditVersions looks at what destinations were owed of the versions after an
// id, and whether they got it.
func (db *DB) AuditVersions(ctx context.Context, after core.ID, limit int) (p core.AuditPage, err error) {
	err = db.read(ctx, func(c *conn) error {
		var page []version
		err := c.query(`SELECT id, incident_id, number, why FROM incident_version WHERE id > ? ORDER BY id LIMIT ?`).
			int(int64(after)).num(limit).each(func(r *row) error {
			v := version{id: r.id(), incident: r.id(), number: r.num()}
			var err error
			v.why, err = engine.DecodeWhy(r.raw())
			page = append(page, v)
			return err
		})
		for _, v := range page {
			if err == nil {
				err = auditVersion(c, &p, v)
			}
		}
		if len(page) == limit {
			p.Next = page[limit-1].id
		}
		return err
	})
	return p, err
}

const neighbours = `SELECT number, version, EXISTS (SELECT 1 FROM incident_version WHERE incident_id = ?1 AND number = ?2 - 1),
EXISTS (SELECT 1 FROM incident_version WHERE incident_id = ?1 AND number > ?2) FROM incident WHERE id = ?1`

func auditVersion(c *conn, p *core.AuditPage, v version) error {
	p.Checked++
	subject := fmt.Sprintf("incident %s version %d", v.incident, v.number)
	found, err := c.query(neighbours).id(v.incident).num(v.number).one(func(r *row) error {
		number, newest, before, behind := r.int(), r.num(), r.flag(), r.flag()
		subject = fmt.Sprintf("%s version %d", core.IncidentName(number), v.number)
		if v.number > 1 && !before {
			p.Missing("version missing", core.IncidentName(number), fmt.Sprintf("version %d isn't there", v.number-1))
		}
		if v.number < newest && !behind { // one in between is missed by the one after it
			p.Missing("version missing", core.IncidentName(number), fmt.Sprintf("version %d isn't there", newest))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !found {
		p.Missing("incident missing", subject, "it has a version and isn't there")
	}
	for _, destination := range v.why.Owed {
		if err := auditDelivery(c, p, v, subject+" to "+destination, destination); err != nil {
			return err
		}
	}
	return nil
}

func auditDelivery(c *conn, p *core.AuditPage, v version, subject, destination string) error {
	var d core.Delivery
	found, err := c.query(selectDelivery + ` WHERE incident_id = ? AND version = ? AND destination = ? ORDER BY id DESC LIMIT 1`).
		id(v.incident).num(v.number).text(destination).one(func(r *row) error {
		d = readDelivery(r)
		return nil
	})
	if err != nil {
		return err
	}
	if !found {
		p.Missing("delivery missing", subject, "it was owed, and there is no delivery")
		return nil
	}
	if p.States == nil {
		p.States = map[string]int{}
	}
	p.States[string(d.State)]++
	switch {
	case d.State.Unfinished():
		p.Owe(core.Owing{Subject: subject, State: string(d.State), Since: d.CreatedAt, Detail: d.LastError})
	case d.State == core.DeliveryFolded:
		return auditFolded(c, p, subject, d.FoldedInto)
	}
	return nil
}

// auditFolded holds that a version which wasn't delivered itself was delivered
// with a later one.
func auditFolded(c *conn, p *core.AuditPage, subject string, into core.ID) error {
	state := ""
	_, err := c.query(`SELECT state FROM delivery WHERE id = ?`).id(into).one(func(r *row) error {
		state = r.text()
		return nil
	})
	if err == nil && state != string(core.DeliveryDelivered) {
		p.Missing("folded into nothing", subject, "it was folded into "+into.String()+", which wasn't delivered")
	}
	return err
}

const countsSince = `SELECT integration, hour, stored,
(SELECT count(*) FROM request WHERE request.integration = request_count.integration
	AND request.id >= hour * ?2 AND request.id < (hour + 1) * ?2) FROM request_count WHERE hour >= ?1 ORDER BY hour, integration`

// CompareCounts compares how many requests were counted at their commit, from
// the first whole hour on, with how many there are.
func (db *DB) CompareCounts(ctx context.Context, since time.Time) (p core.AuditPage, err error) {
	first := (int64(core.IDAt(since)) + hourIDs - 1) / hourIDs
	err = db.read(ctx, func(c *conn) error {
		return c.query(countsSince).int(first).int(hourIDs).each(func(r *row) error {
			integration, hour, stored, there := r.text(), r.int(), r.num(), r.num()
			p.Checked += stored
			if there < stored {
				at := core.ID(hour * hourIDs).Time().UTC().Format(time.RFC3339)
				p.Missing("receipts missing", integration,
					fmt.Sprintf("%d requests were stored in the hour from %s, and %d are there", stored, at, there))
			}
			return nil
		})
	})
	return p, err
}
