package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/sdk"
)

// Bulk is a change of many deliveries.
type Bulk struct {
	ID          string             `json:"id,omitempty"`
	Action      core.RedoAction    `json:"action"`
	NewID       bool               `json:"new_id,omitempty"`
	Destination string             `json:"destination,omitempty"`
	Delivery    core.DeliveryState `json:"delivery_state,omitempty"`
	State       core.BulkState     `json:"state"`
	Total       int                `json:"total"`
	Done        int                `json:"done"`
	Changed     int                `json:"changed"`
	CreatedAt   Time               `json:"created_at,omitzero"`
	EndedAt     Time               `json:"ended_at,omitzero"`
}

func bulkOf(b core.Bulk) Bulk {
	return Bulk{
		ID: b.ID.String(), Action: b.Action, NewID: b.NewID, Destination: b.Filter.Destination, Delivery: b.Filter.State,
		State: b.State, Total: b.Total, Done: b.Done, Changed: b.Changed,
		CreatedAt: Time{b.CreatedAt}, EndedAt: Time{b.EndedAt},
	}
}

// DeliveryRequest is the request that an attempt would make now. Unless secrets were
// asked for, they are replaced by names in capitals.
type DeliveryRequest struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	Proxy  string      `json:"proxy_url,omitempty"` // through which it goes; empty: none
	// OwnCA says that the destination has authorities of its own to trust, and
	// ClientCertificate that it has a certificate to show.
	OwnCA             bool `json:"own_ca,omitempty"`
	ClientCertificate bool `json:"client_certificate,omitempty"`
}

// changes adds what changes deliveries and destinations.
func (a *api) changes(v1 fiber.Router) {
	v1.Get("/deliveries/:id/request", a.preview)
	v1.Post("/deliveries/:id/retry", a.redo(core.RetryDelivery))
	v1.Post("/deliveries/:id/discard", a.redo(core.DiscardDelivery))
	v1.Get("/bulk", a.bulks)
	v1.Post("/bulk/retry", a.bulk(core.RetryDelivery))
	v1.Post("/bulk/discard", a.bulk(core.DiscardDelivery))
	v1.Post("/bulk/:id/cancel", a.cancelBulk)
	v1.Post("/destinations/:type/:name/enable", a.able(a.cfg.Dispatcher.Enable))
	v1.Post("/destinations/:type/:name/disable", a.able(a.cfg.Dispatcher.Disable))
	v1.Post("/destinations/:type/:name/test", a.testDestination)
}

func (a *api) delivery(c *fiber.Ctx) error {
	d, err := a.findDelivery(c)
	if err != nil {
		return err
	}
	return ok(c, deliveryOf(d))
}

func (a *api) findDelivery(c *fiber.Ctx) (core.Delivery, error) {
	id, err := core.ParseID(c.Params("id"))
	if err != nil {
		return core.Delivery{}, notFound("There is no such delivery")
	}
	return a.cfg.Store.Delivery(c.UserContext(), id)
}

func (a *api) redo(action core.RedoAction) fiber.Handler {
	return func(c *fiber.Ctx) error {
		before, err := a.findDelivery(c)
		if err != nil {
			return err
		}
		d, err := a.cfg.Store.Redo(c.UserContext(), before.ID, core.Redo{Action: action, NewID: c.QueryBool("new_id")})
		if err != nil {
			return err
		}
		d.Number = before.Number
		return ok(c, deliveryOf(d))
	}
}

// able enables or disables a destination and answers how it is then.
func (a *api) able(change func(ctx context.Context, id string) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		d, err := a.findDestination(c)
		if err != nil {
			return err
		}
		if err := change(c.UserContext(), d.ID()); err != nil {
			if errors.Is(err, dispatch.ErrUnknown) {
				return notFound("There is no such destination")
			}
			return err
		}
		return a.destination(c)
	}
}

// testDestination sends a made-up incident to the destination alone.
func (a *api) testDestination(c *fiber.Ctx) error {
	d, err := a.findDestination(c)
	if err != nil {
		return err
	}
	now := a.cfg.Now()
	attempt, err := a.cfg.Dispatcher.Try(c.UserContext(), d.ID(), &core.Incident{
		ID: core.IDAt(now), Tenant: core.DefaultTenant, Title: "A test of this destination", Test: true, Count: 1, Version: 1,
		Description: "An operator wants to know whether messages arrive. There is nothing to be done.",
		Integration: core.SelfIntegration, Severity: sdk.Low, Status: core.Investigating, OpenedAt: now, FirstAt: now, LastAt: now,
	})
	if err != nil {
		return err
	}
	return ok(c, attemptOf(attempt))
}

func (a *api) bulks(c *fiber.Ctx) error {
	list, err := a.cfg.Store.Bulks(c.UserContext(), false)
	if err != nil {
		return err
	}
	return ok(c, fiber.Map{"bulk": each(list, bulkOf)})
}

// bulk begins an operation, or with dry_run only counts.
func (a *api) bulk(action core.RedoAction) fiber.Handler {
	return func(c *fiber.Ctx) error {
		f, err := a.deliveryFilter(c)
		if err != nil {
			return err
		}
		if f.State == "" && f.Destination == "" && f.Incident == 0 {
			return badRequest("state", "name a state, a destination or an incident")
		}
		b := core.Bulk{Redo: core.Redo{Action: action, NewID: c.QueryBool("new_id")}, Filter: f}
		if c.QueryBool("dry_run") {
			if b.Total, err = a.cfg.Store.CountDeliveries(c.UserContext(), f); err != nil {
				return err
			}
			return ok(c, bulkOf(b))
		}
		if b, err = a.cfg.Bulk(c.UserContext(), b); err != nil {
			return err
		}
		return ok(c, bulkOf(b))
	}
}

func (a *api) cancelBulk(c *fiber.Ctx) error {
	id, err := core.ParseID(c.Params("id"))
	if err != nil {
		return notFound("There is no such bulk operation")
	}
	b, err := a.cfg.Store.CancelBulk(c.UserContext(), id)
	if err != nil {
		return err
	}
	return ok(c, bulkOf(b))
}

// preview shows what an attempt at the delivery would send.
func (a *api) preview(c *fiber.Ctx) error {
	d, err := a.findDelivery(c)
	if err != nil {
		return err
	}
	rehearsal, err := a.cfg.Dispatcher.Rehearse(c.UserContext(), d)
	if err != nil {
		return err
	}
	request, route := rehearsal.Request, rehearsal.Route
	p := DeliveryRequest{
		Method: request.Method, URL: request.URL.String(), Header: request.Header.Clone(),
		Proxy: route.Proxy, OwnCA: route.OwnCA, ClientCertificate: route.ClientCertificate,
	}
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return err
		}
		p.Body = string(body)
	}
	if !c.QueryBool("secrets") {
		p.hide()
	}
	return ok(c, p)
}

// hide replaces what may be secret by names that a shell can fill in. The
// signature is none: it is good for this message and a few minutes.
func (p *DeliveryRequest) hide() {
	p.URL = "$URL"
	if p.Proxy != "" {
		p.Proxy = "$PROXY_URL"
	}
	shown := []string{"Content-Type", "User-Agent", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}
	for name := range p.Header {
		if !slices.Contains(shown, http.CanonicalHeaderKey(name)) {
			p.Header[name] = []string{"$" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}
		}
	}
}
