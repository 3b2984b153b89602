package sqlite

import (
	"context"
	"fmt"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// Write stores everything of a batch.
func (t tx) Write(_ context.Context, w *engine.Writes) error {
	for _, step := range []struct {
		what string
		run  func(*engine.Writes) error
	}{
		{"delivery ids", t.unclaim},
		{"requests", t.writeRequests},
		{"slots", t.writeSlots},
		{"incidents", t.writeIncidents},
		{"events", t.writeTimeline},
		{"versions", t.writeVersions},
		{"deliveries", t.writeDeliveries},
		{"counters", t.writeCounts},
		{"refusals", t.writeRefusals},
	} {
		if err := step.run(w); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

const insertRequest = `INSERT INTO request (id, tenant_id, integration, key_id, received_at, source, method, path, query,
encoding, test, delivery_id, delivery_body, let_in, header, deflated, body, state, code, reason, notes, rejected, adapter,
adapter_hash, attempt, next_at, applied_to, applied_of, incidents, total, fallback, fallback_of, unverified, verified, quiet)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const updateRequest = `UPDATE request SET state = ?, code = ?, reason = ?, notes = ?, rejected = ?, adapter = ?, adapter_hash = ?,
attempt = ?, next_at = ?, applied_to = ?, applied_of = ?, incidents = ?, total = ?, fallback = ?, fallback_of = ?,
unverified = ?, verified = ?, quiet = ? WHERE id = ?`

func (t tx) writeRequests(w *engine.Writes) error {
	for _, r := range w.Inserted {
		q := t.query(insertRequest).
			id(r.ID).int(r.Tenant).text(r.Integration).text(r.KeyID).when(r.ReceivedAt).text(addrText(r.Request)).
			text(r.Method).text(r.Path).text(r.Query).text(r.Encoding).flag(r.Test).
			hash(r.Delivery.ID).hash(r.Delivery.Body).text(r.LetIn).text(engine.EncodeHeader(r.Header)).flag(r.Deflate).blob(r.Body)
		if err := bindProgress(q, r.Request).exec(); err != nil {
			return err
		}
	}
	if err := t.countInserted(w.Inserted); err != nil {
		return err
	}
	for _, r := range w.Updated {
		if err := bindProgress(t.query(updateRequest), r).id(r.ID).exec(); err != nil {
			return err
		}
	}
	for id, n := range w.Repeats {
		if err := t.query(`UPDATE request SET duplicates = duplicates + ? WHERE id = ?`).num(n).id(id).exec(); err != nil {
			return err
		}
	}
	return nil
}

func (t tx) unclaim(w *engine.Writes) error {
	for _, d := range w.Unclaimed {
		err := t.query(`DELETE FROM delivery_id WHERE tenant_id = ? AND integration = ? AND id_hash = ? AND body_hash = ?`).
			int(d.Tenant).text(d.Integration).blob(d.Key.ID[:]).blob(d.Key.Body[:]).exec()
		if err != nil {
			return err
		}
	}
	return nil
}

func addrText(r *core.Request) string {
	if !r.Source.IsValid() {
		return ""
	}
	return r.Source.String()
}

// bindProgress binds what changes on a request.
func bindProgress(q *query, r *core.Request) *query {
	return q.text(string(r.State)).text(string(r.Code)).text(r.Reason).
		text(engine.EncodeList(r.Notes)).text(engine.EncodeList(r.Rejected)).text(r.Adapter).text(r.AdapterHash).num(r.Attempt).
		when(r.NextAt).num(r.AppliedTo).text(r.AppliedOf).text(engine.EncodeList(r.Incidents)).num(r.Total).
		id(r.Fallback).text(string(r.FallbackOf)).flag(r.Unverified).text(r.Verified).flag(r.Quiet)
}

const upsertSlot = `INSERT INTO dedup_slot (tenant_id, integration, kind, hash, open_incident, last_incident, last_op,
last_request, last_index, last_source_at, last_received_at, transitions, marks, touched) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET open_incident = excluded.open_incident, last_incident = excluded.last_incident,
last_op = excluded.last_op, last_request = excluded.last_request, last_index = excluded.last_index,
last_source_at = excluded.last_source_at, last_received_at = excluded.last_received_at,
transitions = excluded.transitions, marks = excluded.marks, touched = excluded.touched`

func (t tx) writeSlots(w *engine.Writes) error {
	for ref, s := range w.Slots {
		if !s.Changed {
			continue
		}
		err := t.query(upsertSlot).int(ref.Tenant).text(ref.Integration).num(int(ref.Kind)).blob(ref.Hash[:]).
			id(s.Open).id(s.Last).text(string(s.LastOp)).id(s.LastRequest).num(s.LastIndex).
			when(s.LastSourceAt).when(s.LastReceivedAt).text(engine.EncodeTimes(s.Transitions)).
			bytes(engine.EncodeMarks(s)).when(w.Now).exec()
		if err != nil {
			return err
		}
	}
	return nil
}

const insertIncident = `INSERT INTO incident (id, tenant_id, number, integration, status, held_by, group_id, wake_at, dedup_key, series_key, identity_rule,
severity, severity_raw, severity_rule, service, test, count, version, first_at, last_at, opened_at, acked_at, resolved_at,
previous, fallback, waiting, superseded_by, told, title, description, detail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// updateIncident leaves out the status and others that decide in which indexes
// the row is: most changes are repeats.
const updateIncident = `UPDATE incident SET dedup_key = ?, series_key = ?, identity_rule = ?, severity = ?, severity_raw = ?,
severity_rule = ?, service = ?, test = ?, count = ?, version = ?, first_at = ?, last_at = ?, opened_at = ?, acked_at = ?,
resolved_at = ?, previous = ?, fallback = ?, waiting = ?, superseded_by = ?, told = ?, title = ?, description = ?,
detail = ? WHERE id = ?`

const updateStatus = `UPDATE incident SET status = ?1, held_by = ?2, group_id = ?3, wake_at = ?4
WHERE id = ?5 AND (status <> ?1 OR held_by <> ?2 OR group_id IS NOT ?3 OR wake_at IS NOT ?4)`

func (t tx) writeIncidents(w *engine.Writes) error {
	for _, in := range w.Created {
		q := t.query(insertIncident).id(in.ID).int(in.Tenant).int(in.Number).text(in.Integration)
		if err := bindIncident(bindStatus(q, in), in).exec(); err != nil {
			return err
		}
	}
	for _, in := range w.Changed {
		if err := bindIncident(t.query(updateIncident), in).id(in.ID).exec(); err != nil {
			return err
		}
		if err := bindStatus(t.query(updateStatus), in).id(in.ID).exec(); err != nil {
			return err
		}
	}
	return nil
}

// bindStatus binds what indexes of incidents look at.
func bindStatus(q *query, in *core.Incident) *query {
	return q.text(string(in.Status)).text(in.Held.By).id(in.Group).when(in.WakeAt)
}

// bindIncident binds what may change on an incident, besides its status.
func bindIncident(q *query, in *core.Incident) *query {
	return q.text(in.DedupKey).text(in.SeriesKey).text(in.IdentityRule).
		text(string(in.Severity)).text(in.SeverityRaw).text(in.SeverityRule).text(in.Service).flag(in.Test).
		num(in.Count).num(in.Version).when(in.FirstAt).when(in.LastAt).when(in.OpenedAt).when(in.AckedAt).when(in.ResolvedAt).
		id(in.Previous).text(string(in.Fallback)).num(in.Waiting).id(in.SupersededBy).
		text(engine.EncodeList(in.Told)).text(in.Title).text(in.Description).encoded(in, engine.AppendDetail)
}

const insertEvent = `INSERT INTO event (id, tenant_id, incident_id, request_id, idx, action, effect, at, occurred_at,
severity, rule, author, note, title) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func (t tx) writeTimeline(w *engine.Writes) error {
	for i := range w.Timeline {
		e := &w.Timeline[i]
		err := t.query(insertEvent).id(e.ID).int(e.Tenant).id(e.Incident).id(e.Request).num(e.Index).
			text(string(e.Action)).text(string(e.Effect)).when(e.At).when(e.OccurredAt).
			text(string(e.Severity)).text(e.Rule).text(e.Author).text(e.Note).text(e.Title).exec()
		if err != nil {
			return err
		}
	}
	return nil
}

const insertVersion = `INSERT INTO incident_version (id, tenant_id, incident_id, number, kind, at, generation, author, note, why,
snapshot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func (t tx) writeVersions(w *engine.Writes) error {
	for i := range w.Versions {
		v := &w.Versions[i]
		err := t.query(insertVersion).id(v.ID).int(v.Snapshot.Tenant).id(v.Incident).num(v.Number).text(string(v.Kind)).
			when(v.At).int(v.Generation).text(v.Author).text(v.Note).text(engine.EncodeWhy(v.Why)).encoded(v.Snapshot, engine.AppendSnapshot).exec()
		if err != nil {
			return err
		}
	}
	for i := range w.Amended {
		a := &w.Amended[i]
		err := t.query(`UPDATE incident_version SET why = ? WHERE incident_id = ? AND number = ?`).
			text(engine.EncodeWhy(a.Why)).id(a.Incident).num(a.Number).exec()
		if err != nil {
			return err
		}
	}
	return nil
}

const insertDelivery = `INSERT INTO delivery (id, tenant_id, incident_id, version, destination, kind, created_at, resend_of,
state, attempt, next_at, fault, fault_tries, first_at, done_at, folded_into, last_error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func (t tx) writeDeliveries(w *engine.Writes) error {
	for i := range w.Deliveries {
		if err := t.insertDelivery(&w.Deliveries[i]); err != nil {
			return err
		}
	}
	return nil
}

// InsertDelivery stores a new delivery.
func (t tx) InsertDelivery(_ context.Context, d core.Delivery) error { return t.insertDelivery(&d) }

func (t tx) insertDelivery(d *core.Delivery) error {
	q := t.query(insertDelivery).id(d.ID).int(d.Tenant).id(d.Incident).num(d.Version).text(d.Destination).
		text(string(d.Kind)).when(d.CreatedAt).id(d.ResendOf)
	return bindDelivery(q, d).exec()
}

// bindDelivery binds what an attempt may change.
func bindDelivery(q *query, d *core.Delivery) *query {
	return q.text(string(d.State)).num(d.Attempt).int(d.NextAt.UnixMicro()).text(string(d.Fault)).num(d.FaultTries).
		when(d.FirstAt).when(d.DoneAt).id(d.FoldedInto).text(d.LastError)
}

const (
	countUpsert = ` (tenant_id, subject, minute, ok, failed, last_at, last_ok_at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET ok = ok + excluded.ok, failed = failed + excluded.failed,
last_at = max(ifnull(last_at, 0), excluded.last_at),
last_ok_at = CASE WHEN excluded.last_ok_at IS NULL THEN last_ok_at ELSE max(ifnull(last_ok_at, 0), excluded.last_ok_at) END`
	countIntegration = `INSERT INTO integration_minute` + countUpsert
	countDestination = `INSERT INTO destination_minute` + countUpsert
)

func (t tx) writeCounts(w *engine.Writes) error {
	if err := t.upsertCounts(countIntegration, w.Requests); err != nil {
		return err
	}
	return t.upsertCounts(countDestination, w.Attempts)
}

func (t tx) upsertCounts(sql string, counts []engine.Count) error {
	for _, c := range counts {
		err := t.query(sql).int(c.Tenant).text(c.Subject).when(c.Minute).num(c.OK).num(c.Failed).
			when(c.Last).when(c.LastOK).exec()
		if err != nil {
			return err
		}
	}
	return nil
}

// keptRefusals is how many refusals are kept of each integration.
const keptRefusals = 200

const insertRefusal = `INSERT INTO refusal (id, tenant_id, integration, at, source, code, reason) VALUES (?, ?, ?, ?, ?, ?, ?)`

const trimRefusals = `DELETE FROM refusal WHERE tenant_id = ?1 AND integration = ?2 AND id <= (
SELECT id FROM refusal WHERE tenant_id = ?1 AND integration = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)`

func (t tx) writeRefusals(w *engine.Writes) error {
	type owner struct {
		tenant      int64
		integration string
	}
	owners := map[owner]bool{}
	for _, r := range w.Refusals {
		source := ""
		if r.Source.IsValid() {
			source = r.Source.String()
		}
		err := t.query(insertRefusal).id(r.ID).int(r.Tenant).text(r.Integration).when(r.At).text(source).
			text(string(r.Code)).text(r.Reason).exec()
		if err != nil {
			return err
		}
		owners[owner{r.Tenant, r.Integration}] = true
	}
	for o := range owners {
		if err := t.query(trimRefusals).int(o.tenant).text(o.integration).num(keptRefusals).exec(); err != nil {
			return err
		}
	}
	return nil
}
