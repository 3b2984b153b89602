package sqlite

import (
	"context"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

const insertAttempt = `INSERT OR IGNORE INTO attempt (id, tenant_id, delivery_id, destination, number, at, took, status, class, error,
snippet, address, exchange) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const updateDelivery = `UPDATE delivery SET state = ?, attempt = ?, next_at = ?, fault = ?, fault_tries = ?, first_at = ?,
done_at = ?, folded_into = ?, last_error = ?, kind = ? WHERE id = ? AND ` + unfinished

const foldOlder = `UPDATE delivery SET state = 'folded', folded_into = ?1, done_at = ?2
WHERE destination = (SELECT destination FROM delivery WHERE id = ?1)
AND incident_id = (SELECT incident_id FROM delivery WHERE id = ?1)
AND version < ?3 AND ` + unfinished

const remember = `INSERT OR REPLACE INTO destination_memory (tenant_id, incident_id, destination, memory)
SELECT tenant_id, incident_id, destination, ?2 FROM delivery WHERE id = ?1`

// Record stores an attempt and the rows that it changed.
func (t tx) Record(_ context.Context, o core.Outcome) error {
	for i := range o.Deliveries {
		d := &o.Deliveries[i]
		if err := bindDelivery(t.query(updateDelivery), d).text(string(d.Kind)).id(d.ID).exec(); err != nil {
			return err
		}
	}
	a := &o.Attempt
	if a.Delivery == 0 {
		return nil
	}
	if o.FoldOlder > 1 { // the first version has none before it
		if err := t.query(foldOlder).id(a.Delivery).when(a.At.Add(a.Took)).num(o.FoldOlder).exec(); err != nil {
			return err
		}
	}
	if o.Remember != "" {
		if err := t.query(remember).id(a.Delivery).text(o.Remember).exec(); err != nil {
			return err
		}
	}
	address := ""
	if a.Address.IsValid() {
		address = a.Address.String()
	}
	return t.query(insertAttempt).id(a.ID).int(a.Tenant).id(a.Delivery).text(a.Destination).num(a.Number).
		when(a.At).int(a.Took.Microseconds()).num(a.Status).text(string(a.Class)).text(a.Error).
		text(a.Snippet).text(address).text(engine.EncodeExchange(a)).exec()
}

const upsertState = `INSERT OR REPLACE INTO destination_state (tenant_id, destination, disabled, since, paused_until,
throttled_since, last_success, last_failure, last_error, failures, probe_at, probes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// SetDestination stores a destination's state. A disabled one has its due rows
// parked.
func (t tx) SetDestination(_ context.Context, s core.DestinationState) error {
	err := t.query(upsertState).int(s.Tenant).text(s.Destination).text(string(s.Disabled)).when(s.Since).
		when(s.PausedUntil).when(s.ThrottledSince).when(s.LastSuccess).when(s.LastFailure).text(s.LastError).
		num(s.Failures).when(s.ProbeAt).num(s.Probes).exec()
	if err != nil || s.Active() {
		return err
	}
	return t.query(`UPDATE delivery SET state = 'parked' WHERE destination = ? AND state = 'due'`).text(s.Destination).exec()
}

const waitingIncidents = selectIncident + ` WHERE id IN (
SELECT incident_id FROM delivery WHERE destination = ? AND ` + unfinished + `)
AND status <> 'resolved' ORDER BY id DESC LIMIT ?`

// Waiting returns open incidents of which a destination is owed something.
func (t tx) Waiting(_ context.Context, destination string, limit int) (list []*core.Incident, err error) {
	err = t.query(waitingIncidents).text(destination).num(limit).each(func(r *row) error {
		in, err := readIncident(r)
		list = append(list, in)
		return err
	})
	return list, err
}

const release = `UPDATE delivery SET state = 'due', next_at = CASE state
	WHEN 'due' THEN min(next_at, ?2 + waiting.n * ?3) ELSE ?2 + waiting.n * ?3 END
FROM (
	SELECT id AS wid, row_number() OVER (ORDER BY id) - 1 AS n FROM delivery
	WHERE destination = ?1 AND (state = 'parked' OR state = 'due' AND fault = 'destination')
) AS waiting
WHERE delivery.id = waiting.wid`

// Release makes rows due again, one each step.
func (t tx) Release(_ context.Context, destination string, from time.Time, step time.Duration) error {
	return t.query(release).text(destination).int(from.UnixMicro()).int(step.Microseconds()).exec()
}

const resume = `UPDATE request SET state = 'open', next_at = ?2
WHERE id IN (SELECT id FROM request WHERE state = 'held' AND integration = ?1 ORDER BY id LIMIT ?3) RETURNING id`

// Resume makes held requests open and due.
func (t tx) Resume(_ context.Context, integration string, now time.Time, limit int) (n int, err error) {
	err = t.query(resume).text(integration).when(now).num(limit).each(func(*row) error {
		n++
		return nil
	})
	return n, err
}
