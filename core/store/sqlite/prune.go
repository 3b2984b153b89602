package sqlite

import (
	"context"
	"fmt"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// How many rows one step looks at. An incident takes its events along.
const (
	pruneStep     = 500
	pruneIncident = 50
)

// pruning is a pass: one stage after the other.
type pruning struct {
	db     *DB
	stages []stage
}

// stage deletes one kind of thing, a little each time it is called.
type stage struct {
	what string
	step func(c *conn) (done bool, err error)
}

// Step deletes a little, in a transaction of its own.
func (p *pruning) Step(ctx context.Context) (bool, error) {
	if len(p.stages) == 0 {
		return true, nil
	}
	t, err := p.db.Begin(ctx)
	if err != nil {
		return false, err
	}
	done, err := p.stages[0].step(p.db.writer)
	if err == nil {
		err = t.Commit(ctx)
	}
	if err != nil {
		_ = t.Rollback(ctx) // the first error says more
		return false, fmt.Errorf("%s: %w", p.stages[0].what, err)
	}
	if done {
		p.stages = p.stages[1:]
	}
	return len(p.stages) == 0, nil
}

// wanted deliveries are those that somebody may still send.
const wanted = `(` + unfinished + ` OR state = 'dead')`

// requestIsNeeded holds for a request that tells of an open incident, or of
// one that somebody has still to hear of.
const requestIsNeeded = `EXISTS (
	SELECT 1 FROM json_each(iif(request.incidents = '', '[]', request.incidents)) AS j
	JOIN incident ON incident.id = j.value
	WHERE incident.status <> 'resolved'
	OR EXISTS (SELECT 1 FROM delivery WHERE delivery.incident_id = incident.id AND ` + unfinished + `))`

// ended selects the incidents that may go.
const ended = `(
	SELECT id FROM incident WHERE id > ?1 AND id <= ?2 AND status = 'resolved' AND resolved_at < ?3
	AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.incident_id = incident.id AND ` + wanted + `))`

// keepNumbers remembers which numbers were drawn before incidents go.
const keepNumbers = `INSERT INTO tenant_counter (tenant_id, incident)
SELECT tenant_id, max(number) FROM incident WHERE id IN ` + ended + ` GROUP BY tenant_id
ON CONFLICT DO UPDATE SET incident = max(incident, excluded.incident)`

// Prune starts a pass over everything that is past its time.
func (db *DB) Prune(c engine.Cutoffs) engine.Pruning {
	return &pruning{db: db, stages: []stage{
		{"dead letters", deadLettersUntil(c.DeadLetters.UnixMicro())},
		{"requests", window(`request WHERE`, `id`, pruneStep, int64(core.IDAt(c.Requests)), 0,
			`DELETE FROM request WHERE id > ?1 AND id <= ?2 AND state IN ('done', 'ignored', 'rejected') AND NOT `+requestIsNeeded)},
		{"quarantined requests", window(`request WHERE`, `id`, pruneStep, int64(core.IDAt(c.Quarantined)), 0,
			`DELETE FROM request WHERE id > ?1 AND id <= ?2 AND state = 'quarantined' AND NOT `+requestIsNeeded)},
		{"attempts", window(`attempt WHERE`, `id`, pruneStep, int64(core.IDAt(c.Attempts)), 0,
			`DELETE FROM attempt WHERE id > ?1 AND id <= ?2 AND NOT EXISTS (
			SELECT 1 FROM delivery WHERE delivery.id = attempt.delivery_id AND `+wanted+`)`)},
		{"incidents", window(`incident WHERE`, `id`, pruneIncident, int64(core.IDAt(c.Incidents)), c.Incidents.UnixMicro(),
			keepNumbers,
			`DELETE FROM event WHERE incident_id IN `+ended,
			`DELETE FROM incident_version WHERE incident_id IN `+ended,
			`DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE incident_id IN `+ended+`)`,
			`DELETE FROM delivery WHERE incident_id IN `+ended,
			`DELETE FROM destination_memory WHERE incident_id IN `+ended,
			`DELETE FROM incident WHERE id IN `+ended)},
		{"orphans", window(`event WHERE incident_id IS NULL AND`, `id`, pruneStep, int64(core.IDAt(c.Requests)), 0,
			`DELETE FROM event WHERE incident_id IS NULL AND id > ?1 AND id <= ?2`)},
		{"delivery ids", window(`delivery_id WHERE`, `request_id`, pruneStep, int64(core.IDAt(c.DeliveryIDs)), 0,
			`DELETE FROM delivery_id WHERE request_id > ?1 AND request_id <= ?2`)},
		{"silences", statements(c.Silences.UnixMicro(), `DELETE FROM silence WHERE ends_at < ?`)},
		{"slots", slots(c.Slots.UnixMicro())},
		{"counters", statements(c.Counts.UnixMicro(),
			fmt.Sprintf(`DELETE FROM request_count WHERE hour < %d AND ? > 0`, int64(core.IDAt(c.Counts))/hourIDs))},
		{"minutes", statements(c.Minutes.UnixMicro(),
			oldMinutes(`integration_minute`), oldMinutes(`destination_minute`))},
		{"free pages", func(c *conn) (bool, error) { return true, c.query(`PRAGMA incremental_vacuum(2000)`).exec() }},
	}}
}

// window walks rows by the column that tells their age, up to a bound.
// The deletions take ?1 and ?2, the ids between which they look, and perhaps
// ?3, a time.
func window(from, column string, size int, until, at int64, deletions ...string) func(*conn) (bool, error) {
	next := `SELECT max(k), count(*) FROM (SELECT ` + column + ` AS k FROM ` + from +
		` ` + column + ` > ? AND ` + column + ` < ? ORDER BY 1 LIMIT ?)`
	var after int64
	return func(c *conn) (bool, error) {
		var last int64
		var n int
		_, err := c.query(next).int(after).int(until).num(size).one(func(r *row) error {
			last, n = r.int(), r.num()
			return nil
		})
		if err != nil || n == 0 {
			return true, err
		}
		for _, deletion := range deletions {
			q := c.query(deletion).int(after).int(last)
			if q.err == nil && q.stmt.BindCount() == 3 {
				q.int(at)
			}
			if err := q.exec(); err != nil {
				return false, err
			}
		}
		after = last
		return n < size, nil
	}
}

// oldMinutes deletes a table's old minutes but for the last of each subject:
// that one says when it was last heard of.
func oldMinutes(table string) string {
	return `DELETE FROM ` + table + ` AS old WHERE minute < ? AND EXISTS (SELECT 1 FROM ` + table + ` AS newer
WHERE newer.tenant_id = old.tenant_id AND newer.subject = old.subject AND newer.minute > old.minute)`
}

const discardDead = `UPDATE delivery SET state = 'discarded' WHERE id IN (
SELECT id FROM delivery WHERE state = 'dead' AND done_at < ? LIMIT ?) RETURNING id`

// deadLettersUntil discards what was given up long ago. The rows stay for as
// long as their incidents: they say who was to be told.
func deadLettersUntil(until int64) func(*conn) (bool, error) {
	return func(c *conn) (bool, error) {
		n := 0
		err := c.query(discardDead).int(until).num(pruneStep).each(func(*row) error {
			n++
			return nil
		})
		return n < pruneStep, err
	}
}

// nextSlots finds the slot of a series, kind 1, old whatever it says to be open:
// after so long nothing flaps there.
const nextSlots = `SELECT tenant_id, integration, kind, hash, touched < ?5 AND (open_incident IS NULL OR kind = 1) FROM dedup_slot
WHERE (tenant_id, integration, kind, hash) > (?1, ?2, ?3, ?4) ORDER BY tenant_id, integration, kind, hash LIMIT ?6`

// slots walks the slots by their key: an index by age would cost each event
// more than the walk costs now and then.
func slots(until int64) func(*conn) (bool, error) {
	var after core.SlotRef
	return func(c *conn) (bool, error) {
		var old []core.SlotRef
		n := 0
		err := c.query(nextSlots).int(after.Tenant).text(after.Integration).num(int(after.Kind)).blob(after.Hash[:]).
			int(until).num(pruneStep).each(func(r *row) error {
			n++
			after = core.SlotRef{Tenant: r.int(), Integration: r.text(), Kind: core.SlotKind(r.int()), Hash: r.hash()}
			if r.flag() {
				old = append(old, after)
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		for _, ref := range old {
			err := c.query(`DELETE FROM dedup_slot WHERE tenant_id = ? AND integration = ? AND kind = ? AND hash = ?`).
				int(ref.Tenant).text(ref.Integration).num(int(ref.Kind)).blob(ref.Hash[:]).exec()
			if err != nil {
				return false, err
			}
		}
		return n < pruneStep, nil
	}
}

// statements runs each of them once.
func statements(at int64, list ...string) func(*conn) (bool, error) {
	return func(c *conn) (bool, error) {
		for _, sql := range list {
			if err := c.query(sql).int(at).exec(); err != nil {
				return false, err
			}
		}
		return true, nil
	}
}
