package intake

import (
	"context"
	"errors"
	"net/http"
	"time"

	"bellcrank.example/core"
)

// Verifier judges signatures.
type Verifier interface {
	// Verify says what is known of who sent a request: its raw body is as sent,
	// the other decoded. A refusal is a *core.Error.
	Verify(in *core.Integration, header http.Header, raw, decoded []byte, now time.Time) (core.Proof, error)
}

// unproven is the reason of a request whose signature nobody has judged yet.
const unproven = "its signature can't be judged yet"

// How long a request waits before its signature is looked at again: half of
// its age, within these.
const (
	shortestProof = time.Second
	longestProof  = time.Minute
)

// prove judges the signature of a request that could not be judged at the
// door, by the time of its receipt. It reports whether the request may go to
// its adapter: an unverified one never does, however long that takes.
func (in *Intake) prove(ctx context.Context, integration *core.Integration, r *core.Request, decoded []byte) bool {
	if !r.Unverified {
		return true
	}
	proof, err := in.cfg.Verifier.Verify(integration, r.Header, r.Body, decoded, r.ReceivedAt)
	if err == nil && proof.Pending == "" {
		r.Unverified, r.Verified, r.Code, r.Reason = false, proof.How, "", ""
		return true
	}
	c := change(integration, r)
	now := in.cfg.Now()
	refusal, refused := errors.AsType[*core.Error](err)
	switch {
	case refused:
		r.State, r.Code, r.Reason = core.RequestRejected, refusal.Code, refusal.Message
		c.Last = true
	case err != nil:
		proof.Pending = err.Error()
		fallthrough
	default:
		r.Code, r.Reason = core.SignaturePending, unproven+": "+proof.Pending
		r.NextAt = now.Add(min(max(now.Sub(r.ReceivedAt)/2, shortestProof), longestProof))
	}
	if err := in.claim(context.WithoutCancel(ctx), c, r.AppliedTo); err != nil && !errors.Is(err, core.ErrNotClaimed) {
		in.cfg.Logger.Error("judge a stored request's signature", "request", r.ID, "integration", r.Integration, "err", err)
	}
	return false
}
