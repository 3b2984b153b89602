package admin

import (
	"context"
	"net/http"
	"strings"

	"bellcrank.example/core"
)

func (m *memory) Delivery(_ context.Context, id core.ID) (core.Delivery, error) {
	if id != paging.ID {
		return core.Delivery{}, &core.Error{Code: core.NotFound, Message: "There is no such delivery"}
	}
	return paging, m.down
}

func (m *memory) CountDeliveries(_ context.Context, f core.DeliveryFilter) (int, error) {
	m.delivery = f
	return 7, m.down
}

func (m *memory) Redo(_ context.Context, id core.ID, r core.Redo) (core.Delivery, error) {
	d, err := r.Apply(paging, false, false, noon)
	if r.NewID {
		d.ID, d.ResendOf = id+1, id
	}
	return d, err
}

func (m *memory) Bulks(context.Context, bool) ([]core.Bulk, error) {
	return []core.Bulk{m.bulk}, m.down
}

func (m *memory) CancelBulk(_ context.Context, id core.ID) (core.Bulk, error) {
	if id != m.bulk.ID {
		return core.Bulk{}, &core.Error{Code: core.NotFound, Message: "There is no such bulk operation"}
	}
	m.bulk.State = core.BulkCancelled
	return m.bulk, m.down
}

func (m *memory) start(_ context.Context, b core.Bulk) (core.Bulk, error) {
	b.ID, b.State, b.Total, b.CreatedAt = 77, core.BulkRunning, 7, noon
	m.bulk = b
	return b, m.down
}

// sender is a dispatcher that sends nothing.
type sender struct{ asked []string }

func (s *sender) Enable(_ context.Context, id string) error {
	s.asked = append(s.asked, "enable "+id)
	return nil
}

func (s *sender) Disable(_ context.Context, id string) error {
	s.asked = append(s.asked, "disable "+id)
	return nil
}

func (s *sender) Rehearse(ctx context.Context, d core.Delivery) (*core.Rehearsal, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://hooks.example/secret", strings.NewReader(`{"type":"x"}`))
	if err == nil {
		r.Header.Set("Authorization", "Bearer secret")
		r.Header.Set("webhook-id", d.MessageID())
	}
	return &core.Rehearsal{Request: r, Route: core.Route{Proxy: "http://user:secret@proxy.example:3128", OwnCA: true, ClientCertificate: true}}, err
}

func (s *sender) Try(_ context.Context, id string, in *core.Incident) (core.Attempt, error) {
	s.asked = append(s.asked, "try "+id)
	return core.Attempt{Number: 1, At: noon, Status: 200, Sent: core.Sent{Method: "POST", URL: "https://hooks.example"}}, nil
}
