package admin

import (
	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func (a *api) incidents(c *fiber.Ctx) error {
	f := core.IncidentFilter{Integration: query(c, "integration"), Service: query(c, "service"), Open: c.QueryBool("open")}
	var err error
	if f.Page, err = page(c); err != nil {
		return err
	}
	if f.Since, err = a.since(c); err != nil {
		return err
	}
	if f.Status, err = oneOf(c, "status", core.Investigating, core.Acknowledged, core.Resolved); err != nil {
		return err
	}
	if f.Severity, err = sdk.ParseSeverity(query(c, "severity")); err != nil {
		return badRequest("severity", "severity must be one of Critical, High, Medium, Low and Pre-emptive")
	}
	if err := a.noiseFilter(c, &f); err != nil {
		return err
	}
	list, err := a.cfg.Store.Incidents(c.UserContext(), f)
	if err != nil {
		return err
	}
	return ok(c, fiber.Map{
		"incidents": each(list, incidentOf),
		"next":      next(list, f.Page, func(i *core.Incident) core.ID { return i.ID }),
	})
}

func (a *api) incident(c *fiber.Ctx) error {
	number, err := core.ParseIncidentName(c.Params("incident"))
	if err != nil {
		return notFound("There is no such incident")
	}
	detail, err := a.cfg.Store.Incident(c.UserContext(), number)
	if err != nil {
		return err
	}
	return ok(c, detailOf(detail))
}

func (a *api) requests(c *fiber.Ctx) error {
	f := core.RequestFilter{Integration: query(c, "integration")}
	var err error
	if f.Page, err = page(c); err != nil {
		return err
	}
	if f.Since, err = a.since(c); err != nil {
		return err
	}
	until, err := a.moment(c, "until")
	if err != nil {
		return err
	}
	if !until.IsZero() && (f.Page.Before == 0 || core.IDAt(until) < f.Page.Before) {
		f.Page.Before = core.IDAt(until) // ids are drawn as requests come
	}
	f.State, err = oneOf(c, "state", core.RequestOpen, core.RequestHeld, core.RequestDone,
		core.RequestIgnored, core.RequestQuarantined, core.RequestRejected)
	if err != nil {
		return err
	}
	list, err := a.cfg.Store.Requests(c.UserContext(), f)
	if err != nil {
		return err
	}
	return ok(c, fiber.Map{
		"requests": each(list, requestOf),
		"next":     next(list, f.Page, func(r *core.Request) core.ID { return r.ID }),
	})
}

func (a *api) request(c *fiber.Ctx) error {
	id, err := core.ParseID(c.Params("id"))
	if err != nil {
		return notFound("There is no such request")
	}
	r, err := a.cfg.Store.Request(c.UserContext(), id)
	if err != nil {
		return err
	}
	return ok(c, requestOf(r))
}

// deliveryFilter reads which deliveries are meant.
func (a *api) deliveryFilter(c *fiber.Ctx) (core.DeliveryFilter, error) {
	f := core.DeliveryFilter{Destination: query(c, "destination")}
	var err error
	if f.Page, err = page(c); err != nil {
		return f, err
	}
	if f.Since, err = a.since(c); err != nil {
		return f, err
	}
	f.State, err = oneOf(c, "state", core.DeliveryDue, core.DeliveryLeased, core.DeliveryParked,
		core.DeliveryDelivered, core.DeliveryFolded, core.DeliveryDead, core.DeliveryDiscarded)
	if err != nil {
		return f, err
	}
	f.Incident, err = a.incidentID(c)
	return f, err
}

func (a *api) deliveries(c *fiber.Ctx) error {
	f, err := a.deliveryFilter(c)
	if err != nil {
		return err
	}
	list, err := a.cfg.Store.Deliveries(c.UserContext(), f)
	if err != nil {
		return err
	}
	return ok(c, fiber.Map{
		"deliveries": each(list, deliveryOf),
		"next":       next(list, f.Page, func(d core.Delivery) core.ID { return d.ID }),
	})
}

// incidentID reads the filter "incident", by which people mean INC-042.
func (a *api) incidentID(c *fiber.Ctx) (core.ID, error) {
	name := c.Query("incident")
	if name == "" {
		return 0, nil
	}
	number, err := core.ParseIncidentName(name)
	if err != nil {
		return 0, badRequest("incident", "incident must be a name such as INC-042")
	}
	detail, err := a.cfg.Store.Incident(c.UserContext(), number)
	if err != nil {
		return 0, err
	}
	return detail.Incident.ID, nil
}

func (a *api) attempts(c *fiber.Ctx) error {
	id, err := core.ParseID(c.Params("id"))
	if err != nil {
		return notFound("There is no such delivery")
	}
	list, err := a.cfg.Store.Attempts(c.UserContext(), id)
	if err != nil {
		return err
	}
	return ok(c, fiber.Map{"attempts": each(list, attemptOf)})
}
