package engine

import (
	"context"

	"bellcrank.example/core"
)

// receipt builds what the sender learns from what was folded. Incidents that
// the batch didn't load are left out.
func receipt(r *core.Request, incidents map[core.ID]*core.Incident) core.Receipt {
	out := receiptOf(r)
	for _, id := range r.Incidents {
		if in := incidents[id]; in != nil {
			out.Incidents = append(out.Incidents, in.Summary())
		}
	}
	return out
}

func receiptOf(r *core.Request) core.Receipt {
	return core.Receipt{
		Request: r.ID, State: r.State, Code: r.Code, Reason: r.Reason, Total: r.Total, Warnings: r.Notes,
	}
}

// complete adds to a receipt the incidents that earlier parts of the request
// touched.
func (e *Engine) complete(ctx context.Context, r *core.Request, out core.Receipt) (core.Receipt, error) {
	if len(out.Incidents) == len(r.Incidents) {
		return out, nil
	}
	summaries, err := e.cfg.Driver.Summaries(ctx, r.Incidents)
	if err != nil {
		// What was asked for is stored: the receipt is merely shorter.
		e.cfg.Logger.Warn("complete a receipt", "request", r.ID, "err", err)
		return out, nil
	}
	out.Incidents = summaries
	return out, nil
}

// duplicate returns the receipt of the request that first brought a delivery.
func (e *Engine) duplicate(ctx context.Context, id core.ID) (core.Receipt, error) {
	r, err := e.cfg.Driver.Request(ctx, id)
	if err != nil {
		if notFound(err) {
			return core.Receipt{}, err
		}
		return core.Receipt{}, unavailable(err)
	}
	out, err := e.complete(ctx, r, receiptOf(r))
	out.Duplicate = true
	return out, err
}
