package admin

import (
	"cmp"
	"context"
	"errors"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Replayed is what became of a request that was replayed, or what would.
type Replayed struct {
	Receipt

	Of         string          `json:"of"`                  // the receipt of what was replayed
	Adapter    string          `json:"adapter,omitempty"`   // that read it
	Duplicate  bool            `json:"duplicate,omitempty"` // it was replayed as new before
	Events     []ReplayedEvent `json:"events,omitempty"`    // of a dry run, 100 at most
	EventTotal int             `json:"events_total,omitempty"`
}

// ReplayedEvent is what the adapter says in a dry run.
type ReplayedEvent struct {
	Action   sdk.Action   `json:"action"`
	Key      string       `json:"dedup_key,omitempty"`
	Title    string       `json:"title,omitempty"`
	Severity sdk.Severity `json:"severity,omitempty"`
	Service  string       `json:"service,omitempty"`
}

// replay adapts a stored request again. Nobody hears of what follows unless
// that is asked for.
func (a *api) replay(c *fiber.Ctx) error {
	id, err := core.ParseID(c.Params("id"))
	if err != nil || a.cfg.Replay == nil {
		return notFound("There is no such request")
	}
	want := core.Replay{Version: query(c, "version"), Deliver: c.Query("deliver") == "true"}
	want.Mode, err = oneOf(c, "mode", core.ReplayInPlace, core.ReplayAsNew, core.ReplayDry)
	if err != nil {
		return err
	}
	want.Mode = cmp.Or(want.Mode, core.ReplayInPlace)
	r, err := a.cfg.Store.Request(c.UserContext(), id)
	if err != nil {
		return err
	}
	// The adapter and the commit take longer than other calls may.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), orderTimeout)
	defer cancel()
	done, err := a.cfg.Replay(ctx, r, want)
	if err != nil {
		if _, told := errors.AsType[*core.Error](err); !told {
			return &core.Error{Code: core.Internal, Message: "The request couldn't be replayed", Err: err}
		}
		return err
	}
	return ok(c, replayedOf(id, done))
}

// maxReplayed bounds how many events an answer lists.
const maxReplayed = 100

func replayedOf(of core.ID, done core.Replayed) Replayed {
	r := done.Receipt
	return Replayed{
		Of: of.String(), Adapter: done.Adapter, Duplicate: r.Duplicate, EventTotal: len(done.Events),
		Receipt: Receipt{
			ID: r.Request.String(), State: r.State, Code: r.Code, Reason: r.Reason,
			Incidents: each(r.Incidents, func(s core.IncidentSummary) string { return core.IncidentName(s.Number) }),
		},
		Events: each(done.Events[:min(len(done.Events), maxReplayed)], func(e core.Event) ReplayedEvent {
			return ReplayedEvent{Action: e.Action, Key: e.DedupKey, Title: e.Title, Severity: e.Severity, Service: e.Service}
		}),
	}
}
