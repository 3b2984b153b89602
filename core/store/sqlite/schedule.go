package sqlite

import (
	"context"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// Waking lists the incidents for which something is due by time alone, the
// longest due first.
func (db *DB) Waking(ctx context.Context, now time.Time, limit int) (list []core.Waking, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(selectIncident + ` WHERE wake_at <= ? ORDER BY wake_at LIMIT ?`).when(now).num(limit).
			each(func(r *row) error {
				in, err := readIncident(r)
				list = append(list, in.Wakings())
				return err
			})
	})
	return list, err
}

// Rouse makes what is held back due to be woken.
func (t tx) Rouse(_ context.Context, now time.Time) error {
	return t.query(`UPDATE incident SET wake_at = ?1
		WHERE held_by <> '' AND group_id IS NULL AND status <> 'resolved' AND wake_at > ?1`).when(now).exec()
}

const silenceColumns = `id, tenant_id, author, created_at, starts_at, ends_at, expired_at, expired_by, reason, matcher`

// SetSilence stores a silence.
func (t tx) SetSilence(_ context.Context, s core.Silence) error {
	return t.query(`INSERT OR REPLACE INTO silence (` + silenceColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).
		id(s.ID).int(s.Tenant).text(s.Author).when(s.CreatedAt).when(s.StartsAt).when(s.EndsAt).
		when(s.ExpiredAt).text(s.ExpiredBy).text(s.Reason).text(engine.EncodeMatcher(s.Match)).exec()
}

func readSilence(r *row) core.Silence {
	s := core.Silence{
		ID: r.id(), Tenant: r.int(), Author: r.text(), CreatedAt: r.when(), StartsAt: r.when(), EndsAt: r.when(),
		ExpiredAt: r.when(), ExpiredBy: r.text(), Reason: r.text(),
	}
	var err error
	s.Match, err = engine.DecodeMatcher(r.text())
	r.fail(err)
	return s
}

// maxSilences bounds a list of silences.
const maxSilences = 1000

// Silences lists the silences that end after a time, newest first.
func (db *DB) Silences(ctx context.Context, endsAfter time.Time) (list []core.Silence, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(`SELECT ` + silenceColumns + ` FROM silence WHERE ifnull(expired_at, ends_at) > ?
			ORDER BY id DESC LIMIT ?`).int(engine.Micros(endsAfter)).num(maxSilences).each(func(r *row) error {
			list = append(list, readSilence(r))
			return nil
		})
	})
	return list, err
}

// Silence returns a silence, a *core.Error with code NotFound if there is none.
func (db *DB) Silence(ctx context.Context, id core.ID) (s core.Silence, err error) {
	err = db.read(ctx, func(c *conn) error {
		found, err := c.query(`SELECT ` + silenceColumns + ` FROM silence WHERE id = ?`).id(id).one(func(r *row) error {
			s = readSilence(r)
			return nil
		})
		if err == nil && !found {
			err = &core.Error{Code: core.NotFound, Message: "There is no such silence."}
		}
		return err
	})
	return s, err
}

// SetPulse stores what is known of a heartbeat, or forgets it.
func (t tx) SetPulse(_ context.Context, p core.Pulse) error {
	if p.Since.IsZero() {
		return t.query(`DELETE FROM heartbeat WHERE tenant_id = ? AND integration = ?`).int(p.Tenant).text(p.Integration).exec()
	}
	return t.query(`INSERT OR REPLACE INTO heartbeat (tenant_id, integration, since, missing) VALUES (?, ?, ?, ?)`).
		int(p.Tenant).text(p.Integration).when(p.Since).when(p.Missing).exec()
}

// Pulses lists what is known of heartbeats.
func (db *DB) Pulses(ctx context.Context) (list []core.Pulse, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(`SELECT tenant_id, integration, since, missing FROM heartbeat`).each(func(r *row) error {
			list = append(list, core.Pulse{Tenant: r.int(), Integration: r.text(), Since: r.when(), Missing: r.when()})
			return nil
		})
	})
	return list, err
}

// LastBeat returns when an integration last sent something, zero if it never
// did. What we made ourselves has no key, and a test isn't its sender's.
func (db *DB) LastBeat(ctx context.Context, integration string) (at time.Time, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(`SELECT received_at FROM request WHERE integration = ? AND key_id NOT IN ('', 'test')
			ORDER BY id DESC LIMIT 1`).text(integration).one(func(r *row) error {
			at = r.when()
			return nil
		})
		return err
	})
	return at, err
}

// SetListening stores since when the gateway has heard, and up to when.
func (t tx) SetListening(_ context.Context, since, at time.Time) error {
	return t.query(`INSERT OR REPLACE INTO meta (name, value) VALUES ('listening_since', ?), ('listening_at', ?)`).
		when(since).when(at).exec()
}

// Listening returns what SetListening has stored, zero times at first.
func (db *DB) Listening(ctx context.Context) (since, at time.Time, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, err := c.query(`SELECT ifnull((SELECT value FROM meta WHERE name = 'listening_since'), 0),
			ifnull((SELECT value FROM meta WHERE name = 'listening_at'), 0)`).one(func(r *row) error {
			since, at = r.when(), r.when()
			return nil
		})
		return err
	})
	return since, at, err
}
