package admin

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/health"
	"bellcrank.example/sdk"
)

// status answers even while the store doesn't: that is when it is asked for.
func (a *api) status(c *fiber.Ctx) error {
	ctx := c.UserContext()
	plugins := a.cfg.Plugins()
	s := Status{
		Version: a.cfg.Version, StartedAt: Time{a.started}, Now: Time{a.cfg.Now()}, Ready: true,
		Integrations: len(a.cfg.Integrations()), Destinations: len(a.cfg.Destinations()), Plugins: len(plugins),
	}
	for _, p := range plugins {
		if p.State == "ready" {
			s.PluginsReady++
		}
	}
	backlog, errBacklog := a.cfg.Store.Backlog(ctx)
	s.Backlog = Backlog{
		Requests: backlog.Requests, OldestRequest: Time{backlog.OldestRequest}, Deliveries: backlog.Deliveries,
		Parked: backlog.Parked, OldestDelivery: Time{backlog.OldestDelivery},
	}
	states, errStates := a.states(ctx)
	for _, d := range a.cfg.Destinations() {
		if state, known := states[d.ID()]; known && !state.Active() {
			s.Disabled++
		}
	}
	s.ClockSuspect = a.cfg.Scheduler != nil && a.cfg.Scheduler.Suspect()
	if err := errors.Join(a.notReady(ctx), errBacklog, errStates); err != nil {
		s.Ready, s.Problem = false, err.Error()
	}
	return ok(c, s)
}

func (a *api) plugins(c *fiber.Ctx) error {
	return ok(c, fiber.Map{"plugins": each(a.cfg.Plugins(), func(p Plugin) Plugin { return p })})
}

func (a *api) integrations(c *fiber.Ctx) error {
	return ok(c, fiber.Map{"integrations": each(a.cfg.Integrations(), a.integrationOf)})
}

func (a *api) integration(c *fiber.Ctx) error {
	in, err := a.findIntegration(c)
	if err != nil {
		return err
	}
	return ok(c, a.integrationOf(in))
}

func (a *api) findIntegration(c *fiber.Ctx) (*core.Integration, error) {
	id := c.Params("type") + "/" + c.Params("name")
	for _, in := range a.cfg.Integrations() {
		if in.ID() == id {
			return in, nil
		}
	}
	return nil, notFound("There is no such integration")
}

func (a *api) integrationOf(in *core.Integration) Integration {
	v := Integration{
		ID: in.ID(), Type: in.Type, Name: in.Name, Description: in.Description, Plugin: in.Plugin,
		Adapter: in.Info.Version, State: "active", Methods: in.Info.Methods,
		URL:          a.cfg.PublicURL + "/webhooks/{routingKey}",
		AllowedCIDRs: each(in.AllowedCIDRs, netip.Prefix.String), Verification: verification(in),
		BodyLimit: in.Limits.Body, DocsURL: in.Info.DocsURL,
	}
	switch {
	case in.Disabled:
		v.State = "disabled"
	case in.Paused:
		v.State = "paused"
	}
	if len(v.Methods) == 0 {
		v.Methods = []string{fiber.MethodPost}
	}
	now := a.cfg.Now()
	v.Keys = each(in.Keys, func(k core.RoutingKey) Key {
		return Key{ID: k.ID, Expires: Time{k.Expires}, Expired: !k.Expires.IsZero() && !now.Before(k.Expires)}
	})
	return v
}

func verification(in *core.Integration) string {
	switch {
	case len(in.Info.Signatures) == 0:
		return "not declared"
	case in.VerifyNone, len(in.SigningSecrets) == 0 && slices.ContainsFunc(in.Info.Signatures, sdk.SignatureScheme.NeedsSecret):
		return "none"
	}
	return "signature"
}

func (a *api) integrationHealth(c *fiber.Ctx) error {
	in, err := a.findIntegration(c)
	if err != nil {
		return err
	}
	report, err := health.Integration(c.UserContext(), a.cfg.Store, in.ID(), a.cfg.Now())
	if err != nil {
		return err
	}
	h := healthOf(in.ID(), report)
	h.Shape = a.shape(in.ID())
	return ok(c, h)
}

func (a *api) test(c *fiber.Ctx) error {
	in, err := a.findIntegration(c)
	if err != nil {
		return err
	}
	if a.cfg.Tester == nil {
		return notFound("Tests aren't available")
	}
	r, err := a.cfg.Tester.Test(c.UserContext(), in, strings.Clone(c.Query("sample")))
	if err != nil {
		return err
	}
	return ok(c, Receipt{
		ID: r.Request.String(), State: r.State, Code: r.Code, Reason: r.Reason,
		Incidents: each(r.Incidents, func(s core.IncidentSummary) string { return core.IncidentName(s.Number) }),
	})
}

// oneOf reads a parameter that must be empty or one of the values.
func oneOf[T ~string](c *fiber.Ctx, name string, values ...T) (T, error) {
	got := T(query(c, name))
	if got == "" || slices.Contains(values, got) {
		return got, nil
	}
	words := each(values, func(v T) string { return string(v) })
	return "", badRequest(name, name+" must be one of "+strings.Join(words, ", "))
}
