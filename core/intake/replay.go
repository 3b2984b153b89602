package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Replay adapts a stored request again, for a person. Nobody hears of what
// comes of it unless that is asked for. Its errors are *core.Error, and mean
// that nothing has changed.
//
// In place, the answer is applied as if the adapter had given it at once: the
// incident that a fallback stood for is corrected, and what was applied before
// counts no second time. As new, a copy comes in now: once for each version of
// the adapter, as long as deliveries are remembered.
func (in *Intake) Replay(ctx context.Context, r *core.Request, want core.Replay) (core.Replayed, error) {
	integration, err := in.reader(ctx, r, want)
	if err != nil {
		return core.Replayed{}, err
	}
	decoded, err := core.Decode(r.Body, r.Encoding, integration.Limits.Body)
	if err != nil {
		return core.Replayed{}, conflict("its body can't be decoded", err)
	}
	fresh := renewed(r, !want.Deliver)
	if want.Mode == core.ReplayAsNew {
		in.copied(fresh, integration)
	}
	a := <-in.call(ctx, integration, fresh, decoded)
	ctx = context.WithoutCancel(ctx)
	if want.Mode != core.ReplayDry {
		a = in.confirm(ctx, integration, fresh, a)
	}
	switch _, refused := errors.AsType[*sdk.Failure](a.err); {
	case want.Mode == core.ReplayDry:
		return in.rehearse(integration, fresh, a), nil
	case want.Mode == core.ReplayAsNew:
		return in.replayAsNew(ctx, integration, fresh, a)
	case a.err != nil && refused:
		return core.Replayed{}, conflict("the adapter can't read it either", a.err)
	case a.err != nil:
		return core.Replayed{}, conflict("the adapter fails at it again", a.err)
	}
	return in.replayInPlace(ctx, integration, r, fresh, a)
}

// reader returns the integration with the adapter that shall read the request,
// or why it can't be replayed.
func (in *Intake) reader(ctx context.Context, r *core.Request, want core.Replay) (*core.Integration, error) {
	integration := in.cfg.Integrations()[r.Integration]
	ended := r.State == core.RequestDone || r.State == core.RequestQuarantined || r.State == core.RequestIgnored
	switch {
	case integration == nil:
		return nil, conflict("its integration isn't configured any more", nil)
	case integration.Type == core.HeartbeatType:
		return nil, conflict("no adapter reads a heartbeat", nil)
	case r.Unverified:
		return nil, conflict("its signature was never verified", nil)
	case want.Mode == core.ReplayInPlace && !ended:
		return nil, conflict(fmt.Sprintf("it is %s: only a request that is done, quarantined or was ignored can be replayed in place", r.State), nil)
	case want.Version == "":
		return integration, nil
	case in.cfg.Version == nil:
		return nil, conflict("there are no other versions here", nil)
	}
	other, err := in.cfg.Version(ctx, integration, want.Version)
	if err != nil {
		return nil, conflict("version "+want.Version+" can't read it", err)
	}
	return other, nil
}

// renewed is a request as it was before anybody had read it.
func renewed(r *core.Request, quiet bool) *core.Request {
	fresh := *r
	fresh.Attempt, fresh.AppliedTo, fresh.AppliedOf = 0, 0, ""
	fresh.Notes, fresh.Rejected, fresh.Reason, fresh.Code = nil, nil, "", ""
	fresh.Quiet = quiet
	return &fresh
}

// copied makes the request one that has come in now.
func (in *Intake) copied(r *core.Request, integration *core.Integration) {
	of := r.ID
	r.ID, r.ReceivedAt, r.State = in.cfg.NewID(), in.cfg.Now(), core.RequestOpen
	r.Incidents, r.Total, r.Fallback, r.FallbackOf, r.Duplicates = nil, 0, 0, "", 0
	r.Notes = []string{"replay of " + of.String()}
	_, hash := in.reads(integration)
	sum := sha256.Sum256(fmt.Appendf(nil, "replay of %s by %s", of, hash))
	r.Delivery = core.DeliveryKey{ID: [16]byte(sum[:16]), Body: [16]byte(sum[16:])}
}

// rehearse says what would become of an answer.
func (in *Intake) rehearse(integration *core.Integration, r *core.Request, a answer) core.Replayed {
	known := in.isSuspect(r.ID) // a crash here accuses nobody
	c := in.conclude(integration, r, a, later)
	if !known {
		in.clear(r.ID)
	}
	out := core.Replayed{Events: c.Events}
	out.Adapter, _ = in.reads(integration)
	out.Receipt = core.Receipt{Request: r.ID, State: r.State, Code: r.Code, Reason: r.Reason, Warnings: r.Notes}
	if a.err != nil && r.State == core.RequestOpen {
		out.Receipt.State, out.Receipt.Code = core.RequestQuarantined, core.AdapterFailed // sooner or later
	}
	return out
}

func (in *Intake) replayAsNew(ctx context.Context, integration *core.Integration, r *core.Request, a answer) (core.Replayed, error) {
	notes := r.Notes
	c := in.conclude(integration, r, a, later)
	r.Notes = append(notes, r.Notes...)
	receipt, err := in.applyReplay(ctx, &core.Submission{Change: c, Insert: true}, a)
	return core.Replayed{Receipt: receipt, Adapter: r.Adapter}, err
}

func (in *Intake) replayInPlace(ctx context.Context, integration *core.Integration, stored, r *core.Request, a answer) (core.Replayed, error) {
	c := in.conclude(integration, r, a, later)
	if r.State != core.RequestDone && r.State != core.RequestIgnored {
		return core.Replayed{}, conflict("the adapter fails at it again", errors.New(r.Reason))
	}
	c.Again = stored.State == core.RequestDone
	receipt, err := in.applyReplay(ctx, &core.Submission{Change: c, Replay: stored.State, From: stored.AppliedTo}, a)
	return core.Replayed{Receipt: receipt, Adapter: r.Adapter}, err
}

// applyReplay commits an answer, at once or chunk by chunk.
func (in *Intake) applyReplay(ctx context.Context, s *core.Submission, a answer) (core.Receipt, error) {
	in.own(s.Change.Request.ID) // the sweep leaves it to us
	defer in.disown(s.Change.Request.ID)
	receipt, err := in.applyChunks(ctx, s, a)
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
