package intake

import (
	"context"
	"errors"
	"fmt"

	"bellcrank.example/core"
)

// Replay adapts a stored request again and applies the answer in its place, as
// if the adapter had understood it at once: the incident that its fallback
// stands for is corrected, and who shall hear of it does. The request must be
// quarantined or ignored: one that was applied would count twice. An adapter
// that fails again changes nothing. Its errors are *core.Error.
func (in *Intake) Replay(ctx context.Context, r *core.Request) (core.Receipt, error) {
	integration := in.cfg.Integrations()[r.Integration]
	switch {
	case integration == nil:
		return core.Receipt{}, conflict("its integration isn't configured any more", nil)
	case r.State != core.RequestQuarantined && r.State != core.RequestIgnored:
		return core.Receipt{}, conflict(fmt.Sprintf("it is %s: only a request that is quarantined or was ignored can be replayed in place", r.State), nil)
	case r.Unverified:
		return core.Receipt{}, conflict("its signature was never verified", nil)
	}
	decoded, err := core.Decode(r.Body, r.Encoding, integration.Limits.Body)
	if err != nil {
		return core.Receipt{}, conflict("its body can't be decoded", err)
	}
	fresh := *r
	fresh.Attempt, fresh.AppliedTo, fresh.AppliedOf = 0, 0, ""
	fresh.Notes, fresh.Rejected, fresh.Reason, fresh.Code = nil, nil, "", ""
	a := <-in.call(ctx, integration, &fresh, decoded)
	if a.err != nil {
		return core.Receipt{}, conflict("the adapter fails at it again", a.err)
	}
	return in.applyReplay(context.WithoutCancel(ctx), integration, &fresh, a)
}

func (in *Intake) applyReplay(ctx context.Context, integration *core.Integration, r *core.Request, a answer) (core.Receipt, error) {
	c := in.conclude(integration, r, a, later)
	if c.Request.State != core.RequestDone && c.Request.State != core.RequestIgnored {
		return core.Receipt{}, conflict("the adapter fails at it again", errors.New(c.Request.Reason))
	}
	if len(c.Events) > chunk {
		return core.Receipt{}, conflict(fmt.Sprintf("it has %d events, more than %d", len(c.Events), chunk), nil)
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	receipt, err := in.cfg.Store.Commit(ctx, &core.Submission{Change: c, Replay: true})
	if errors.Is(err, core.ErrNotClaimed) {
		return receipt, conflict("somebody else has replayed it meanwhile", nil)
	}
	return receipt, err
}

func conflict(why string, err error) error {
	if err != nil {
		why += ": " + err.Error()
	}
	return &core.Error{Code: core.Conflict, Message: "Nothing was changed: " + why}
}
