package sqlite

import (
	"context"
	"errors"
	"slices"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// explainedRequests is how many of the newest requests an explanation has.
const explainedRequests = 20

// Explain tells what made an incident what it is, all as of one moment.
func (db *DB) Explain(ctx context.Context, number int64) (core.Explanation, error) {
	x := core.Explanation{Attempts: map[core.ID][]core.Attempt{}}
	err := db.read(ctx, func(c *conn) error {
		if err := readDetail(c, number, &x.IncidentDetail); err != nil {
			return err
		}
		return errors.Join(readFirst(c, &x), readExplained(c, &x), readAllAttempts(c, &x))
	})
	return x, err
}

func readFirst(c *conn, x *core.Explanation) error {
	_, err := c.query(selectEvent + ` WHERE incident_id = ? ORDER BY id LIMIT 1`).id(x.Incident.ID).one(func(r *row) error {
		first := readEvent(r)
		if len(x.Timeline) == 0 || x.Timeline[0].ID != first.ID {
			x.First = &first
		}
		return nil
	})
	return err
}

func readExplained(c *conn, x *core.Explanation) error {
	var ids []core.ID
	for _, e := range slices.Backward(x.Timeline) {
		if e.Request != 0 && !slices.Contains(ids, e.Request) && len(ids) < explainedRequests {
			ids = append(ids, e.Request)
		}
	}
	first := x.First
	if first == nil && len(x.Timeline) > 0 {
		first = &x.Timeline[0]
	}
	if first != nil && first.Request != 0 && !slices.Contains(ids, first.Request) {
		ids = append(ids, first.Request)
	}
	slices.Sort(ids)
	for _, id := range ids {
		_, err := c.query(selectRequest + ` WHERE id = ?`).id(id).one(func(r *row) error {
			x.Requests = append(x.Requests, readRequest(r))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func readAllAttempts(c *conn, x *core.Explanation) error {
	for i := range x.Deliveries {
		list, err := readAttempts(c, x.Deliveries[i].ID)
		if err != nil {
			return err
		}
		x.Attempts[x.Deliveries[i].ID] = list
	}
	return nil
}

func readAttempts(c *conn, delivery core.ID) (list []core.Attempt, err error) {
	err = c.query(`SELECT id, tenant_id, delivery_id, destination, number, at, took, status, class, error, snippet, address,
		exchange FROM attempt WHERE delivery_id = ? ORDER BY id`).id(delivery).each(func(r *row) error {
		a := core.Attempt{
			ID: r.id(), Tenant: r.int(), Delivery: r.id(), Destination: r.text(), Number: r.num(), At: r.when(),
			Took: time.Duration(r.int()) * time.Microsecond, Status: r.num(), Class: core.FaultClass(r.text()),
			Error: r.text(), Snippet: r.text(), Address: r.addrPort(),
		}
		err := engine.DecodeExchange(r.text(), &a)
		list = append(list, a)
		return err
	})
	return list, err
}
