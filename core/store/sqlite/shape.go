package sqlite

import (
	"context"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// SetShape stores the shape of an integration's requests.
func (t tx) SetShape(_ context.Context, s core.Shape) error {
	encoded, err := engine.EncodeShape(s)
	if err != nil {
		return err
	}
	return t.query(`INSERT OR REPLACE INTO shape (tenant_id, integration, state) VALUES (?, ?, ?)`).
		int(s.Tenant).text(s.Integration).text(encoded).exec()
}

// Shapes lists the shapes of the integrations' requests.
func (db *DB) Shapes(ctx context.Context) (list []core.Shape, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.query(`SELECT tenant_id, integration, state FROM shape`).each(func(r *row) error {
			s := core.Shape{Tenant: r.int(), Integration: r.text()}
			r.fail(engine.DecodeShape(r.text(), &s))
			list = append(list, s)
			return nil
		})
	})
	return list, err
}
