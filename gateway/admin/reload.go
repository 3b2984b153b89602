package admin

import (
	"context"

	"github.com/gofiber/fiber/v2"
)

// Reloaded is what a reload came to.
type Reloaded struct {
	Generation   int64 `json:"generation"` // of the configuration that is in force
	Integrations int   `json:"integrations"`
	Destinations int   `json:"destinations"`
	Routes       int   `json:"routes"`
	// NeedsRestart names what differs and stays as it was until a restart.
	NeedsRestart []string `json:"needs_restart"`
}

func (a *api) reload(c *fiber.Ctx) error {
	if a.cfg.Reload == nil {
		return notFound("This gateway doesn't reload")
	}
	// Plugins may have to be asked what they are.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), orderTimeout)
	defer cancel()
	r, err := a.cfg.Reload(ctx)
	if err != nil {
		return err
	}
	return ok(c, r)
}
