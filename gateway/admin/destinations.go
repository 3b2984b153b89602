package admin

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/health"
)

func (a *api) states(ctx context.Context) (map[string]core.DestinationState, error) {
	list, err := a.cfg.Store.DestinationStates(ctx)
	states := make(map[string]core.DestinationState, len(list))
	for _, s := range list {
		states[s.Destination] = s
	}
	return states, err
}

// destinations lists those that are configured, and behind them those that
// aren't any more and are still owed something.
func (a *api) destinations(c *fiber.Ctx) error {
	ctx := c.UserContext()
	states, err := a.states(ctx)
	if err != nil {
		return err
	}
	list := []Destination{}
	for _, d := range a.cfg.Destinations() {
		v, err := a.destinationOf(ctx, d, states[d.ID()])
		if err != nil {
			return err
		}
		list = append(list, v)
		delete(states, d.ID())
	}
	for _, id := range slices.Sorted(maps.Keys(states)) {
		v, err := a.unconfigured(ctx, states[id])
		if err != nil {
			return err
		}
		if v.Parked > 0 {
			list = append(list, v)
		}
	}
	return ok(c, fiber.Map{"destinations": list})
}

// destination shows one, even if it isn't configured any more.
func (a *api) destination(c *fiber.Ctx) error {
	states, err := a.states(c.UserContext())
	if err != nil {
		return err
	}
	d, missing := a.findDestination(c)
	if missing == nil {
		v, err := a.destinationOf(c.UserContext(), d, states[d.ID()])
		if err != nil {
			return err
		}
		return ok(c, v)
	}
	state, known := states[c.Params("type")+"/"+c.Params("name")]
	if !known {
		return missing
	}
	v, err := a.unconfigured(c.UserContext(), state)
	if err != nil {
		return err
	}
	return ok(c, v)
}

func (a *api) findDestination(c *fiber.Ctx) (*core.Destination, error) {
	id := c.Params("type") + "/" + c.Params("name")
	all := a.cfg.Destinations()
	if i := slices.IndexFunc(all, func(d *core.Destination) bool { return d.ID() == id }); i >= 0 {
		return all[i], nil
	}
	return nil, notFound("There is no such destination")
}

func (a *api) destinationOf(ctx context.Context, d *core.Destination, s core.DestinationState) (Destination, error) {
	v := Destination{
		ID: d.ID(), Type: d.Type, Name: d.Name, Active: s.Active(), Disabled: s.Disabled, Since: Time{s.Since},
		PausedUntil: Time{s.PausedUntil}, LastSuccess: Time{s.LastSuccess}, LastFailure: Time{s.LastFailure},
		LastError: s.LastError, Failures: s.Failures, ProbeAt: Time{s.ProbeAt},
		Retry: d.Retry.Name, Tests: d.Tests, Notify: d.Notify,
	}
	err := a.countParked(ctx, &v)
	return v, err
}

// unconfigured is a destination of which nothing but its state is left.
func (a *api) unconfigured(ctx context.Context, s core.DestinationState) (Destination, error) {
	kind, name, _ := strings.Cut(s.Destination, "/")
	v := Destination{
		ID: s.Destination, Type: kind, Name: name, Disabled: core.DisabledUnconfigured, Since: Time{s.Since},
		LastSuccess: Time{s.LastSuccess}, LastFailure: Time{s.LastFailure}, LastError: s.LastError, Failures: s.Failures,
	}
	err := a.countParked(ctx, &v)
	return v, err
}

func (a *api) countParked(ctx context.Context, v *Destination) (err error) {
	if !v.Active {
		v.Parked, err = a.cfg.Store.CountDeliveries(ctx, core.DeliveryFilter{Destination: v.ID, State: core.DeliveryParked})
	}
	return err
}

func (a *api) destinationHealth(c *fiber.Ctx) error {
	d, err := a.findDestination(c)
	if err != nil {
		return err
	}
	report, err := health.Destination(c.UserContext(), a.cfg.Store, d.ID(), a.cfg.Now())
	if err != nil {
		return err
	}
	return ok(c, healthOf(d.ID(), report))
}
