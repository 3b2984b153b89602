package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

const (
	// unfinished is how the index of lanes says it. It is spelled out because
	// SQLite makes a table of a longer list each time a statement looks at it.
	unfinished   = `(state = 'due' OR state = 'leased' OR state = 'parked')`
	selectLane   = selectDelivery + ` WHERE destination = ? AND incident_id = ? AND ` + unfinished + ` ORDER BY version`
	dueIncidents = `SELECT incident_id FROM delivery WHERE destination = ? AND state = 'due' AND next_at <= ? ORDER BY next_at, id`
	creditors    = `WITH RECURSIVE owed (destination) AS (
	SELECT min(destination) FROM delivery WHERE ` + unfinished + `
	UNION ALL
	SELECT (SELECT min(destination) FROM delivery
		WHERE ` + unfinished + ` AND destination > owed.destination)
	FROM owed WHERE destination IS NOT NULL)
SELECT destination FROM owed WHERE destination IS NOT NULL`
	parkedIncidents = `SELECT incident_id FROM delivery WHERE destination = ? AND state = 'parked' AND id > ? ORDER BY id`
)

func lane(c *conn, destination string, incident core.ID) (core.Lane, error) {
	l := core.Lane{Incident: incident, Destination: destination}
	err := c.query(selectLane).text(destination).id(incident).each(func(r *row) error {
		l.Deliveries = append(l.Deliveries, readDelivery(r))
		return nil
	})
	return l, err
}

// lanes loads the lanes of the incidents that q lists until there are limit
// lanes that are wanted.
func lanes(c *conn, q *query, destination string, limit int, want func(core.Lane) bool) ([]core.Lane, error) {
	var list []core.Lane
	seen := map[core.ID]bool{}
	err := q.each(func(r *row) error {
		id := r.id()
		if seen[id] {
			return nil
		}
		seen[id] = true
		l, err := lane(c, destination, id)
		if err != nil {
			return err
		}
		if want(l) {
			list = append(list, l)
		}
		if len(list) == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return list, err
}

// Due lists the destination's lanes that have a due row, the longest waiting
// first.
func (db *DB) Due(ctx context.Context, destination string, now time.Time, limit int) (list []core.Lane, err error) {
	err = db.read(ctx, func(c *conn) error {
		q := c.query(dueIncidents).text(destination).when(now)
		list, err = lanes(c, q, destination, limit, func(core.Lane) bool { return true })
		return err
	})
	return list, err
}

// NextDue returns when the destination's next row is due.
func (db *DB) NextDue(ctx context.Context, destination string) (next time.Time, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(`SELECT min(next_at) FROM delivery WHERE destination = ? AND state = 'due'`).text(destination).
			one(func(r *row) error {
				next = r.when()
				return nil
			})
		return err
	})
	return next, err
}

// Creditors lists the destinations that have unfinished rows. It leaps from one to
// the next in the index, however many rows each has.
func (db *DB) Creditors(ctx context.Context) (list []string, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(creditors).each(func(r *row) error {
			list = append(list, r.text())
			return nil
		})
	})
	return list, err
}

// Parked lists lanes of a disabled destination in order of their oldest row.
func (db *DB) Parked(ctx context.Context, destination string, after core.ID, limit int) (list []core.Lane, err error) {
	err = db.read(ctx, func(c *conn) error {
		q := c.query(parkedIncidents).text(destination).int(int64(after))
		list, err = lanes(c, q, destination, limit, func(l core.Lane) bool { return l.Deliveries[0].ID > after })
		return err
	})
	return list, err
}

// Version returns one version of an incident with its snapshot.
func (db *DB) Version(ctx context.Context, incident core.ID, number int) (core.Version, error) {
	v := core.Version{Incident: incident, Number: number}
	err := db.read(ctx, func(c *conn) error {
		found, err := c.query(`SELECT kind, at, generation, author, note, snapshot FROM incident_version WHERE incident_id = ? AND number = ?`).
			id(incident).num(number).one(func(r *row) error {
			var err error
			v.Kind, v.At, v.Generation, v.Author, v.Note = core.Kind(r.text()), r.when(), r.int(), r.text(), r.text()
			v.Snapshot, err = engine.DecodeSnapshot(r.raw())
			return err
		})
		if err == nil && !found {
			err = &core.Error{Code: core.NotFound, Message: fmt.Sprintf("There is no version %d of this incident.", number)}
		}
		return err
	})
	return v, err
}

// Memory returns what a destination's sender remembers of an incident.
func (db *DB) Memory(ctx context.Context, incident core.ID, destination string) (memory string, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(`SELECT memory FROM destination_memory WHERE incident_id = ? AND destination = ?`).
			id(incident).text(destination).one(func(r *row) error {
			memory = r.text()
			return nil
		})
		return err
	})
	return memory, err
}

// DestinationStates lists all that is stored of destinations.
func (db *DB) DestinationStates(ctx context.Context) (list []core.DestinationState, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(`SELECT tenant_id, destination, disabled, since, paused_until, throttled_since, last_success,
			last_failure, last_error, failures, probe_at, probes FROM destination_state ORDER BY destination`).
			each(func(r *row) error {
				list = append(list, core.DestinationState{
					Tenant: r.int(), Destination: r.text(), Disabled: core.DisabledReason(r.text()), Since: r.when(),
					PausedUntil: r.when(), ThrottledSince: r.when(), LastSuccess: r.when(), LastFailure: r.when(),
					LastError: r.text(), Failures: r.num(), ProbeAt: r.when(), Probes: r.num(),
				})
				return nil
			})
	})
	return list, err
}
