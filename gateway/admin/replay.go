package admin

import (
	"context"
	"errors"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
)

// replay applies a request in its place that nobody could read before. What
// follows is delivered, which has to be asked for.
func (a *api) replay(c *fiber.Ctx) error {
	id, err := core.ParseID(c.Params("id"))
	if err != nil || a.cfg.Replay == nil {
		return notFound("There is no such request")
	}
	if c.Query("deliver") != "true" {
		return badRequest("deliver", "A replay in place notifies whom it may concern: say deliver=true. POST /v1/routes/test shows what would happen")
	}
	r, err := a.cfg.Store.Request(c.UserContext(), id)
	if err != nil {
		return err
	}
	// The adapter and the commit take longer than other calls may.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), orderTimeout)
	defer cancel()
	receipt, err := a.cfg.Replay(ctx, r)
	if err != nil {
		if _, told := errors.AsType[*core.Error](err); !told {
			return &core.Error{Code: core.Internal, Message: "The request couldn't be replayed", Err: err}
		}
		return err
	}
	return ok(c, Receipt{
		ID: receipt.Request.String(), State: receipt.State, Code: receipt.Code, Reason: receipt.Reason,
		Incidents: each(receipt.Incidents, func(s core.IncidentSummary) string { return core.IncidentName(s.Number) }),
	})
}
