package admin

import (
	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
)

// Noise is how the news of an incident is kept down.
type Noise struct {
	HeldBy        string `json:"held_by,omitempty"` // what holds it back, such as "silence 0C5H2Q8K3M1ZA"
	HeldUntil     Time   `json:"held_until,omitzero"`
	Group         string `json:"group,omitempty"`         // internal id of the incident that tells of it
	Members       int    `json:"group_members,omitempty"` // of the incident of a group: how many it tells of
	Burning       int    `json:"group_burning,omitempty"` // of them, those that are open
	FlappingSince Time   `json:"flapping_since,omitzero"` // it comes and goes, and is held open
	AutoResolve   string `json:"auto_resolve,omitempty"`  // it is over when nobody speaks of it for so long
}

func noiseOf(in *core.Incident) Noise {
	n := Noise{HeldBy: in.Held.By, HeldUntil: Time{in.Held.Until}, Group: in.Group.String(), FlappingSince: Time{in.Flap.Since}}
	if in.Grouped != nil {
		n.Members, n.Burning = in.Grouped.Members, in.Grouped.Burning
	}
	if in.AutoResolve > 0 && in.Open() {
		n.AutoResolve = in.AutoResolve.String()
	}
	return n
}

// noiseFilter reads those filters of incidents that are about noise.
func (a *api) noiseFilter(c *fiber.Ctx, f *core.IncidentFilter) error {
	f.Held, f.Untold, f.HeldBy = c.QueryBool("held"), c.QueryBool("untold"), query(c, "held_by")
	name := c.Query("group")
	if name == "" {
		return nil
	}
	number, err := core.ParseIncidentName(name)
	if err != nil {
		return badRequest("group", "group must be a name such as INC-042")
	}
	group, err := a.cfg.Store.Incident(c.UserContext(), number)
	if err != nil {
		return err
	}
	f.Group = group.Incident.ID
	return nil
}
