package intake

import (
	"context"
	"errors"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Confirmer completes subscriptions.
type Confirmer interface {
	// Confirm fetches the URL if it is one of the hosts. A failure that no
	// retry cures is a *core.Error.
	Confirm(ctx context.Context, hosts []string, url string) error
}

const (
	// confirmTimeout bounds one try.
	confirmTimeout = 10 * time.Second
	// confirmTries is how often a subscription is confirmed in vain before
	// somebody is told. SNS's tokens are good for three days.
	confirmTries = 5
)

// confirmError is a confirmation that failed.
type confirmError struct{ err error }

// Error makes *confirmError an error.
func (e *confirmError) Error() string { return e.err.Error() }

// asksToConfirm reports whether an adapter's answer needs more time than a
// sender has.
func asksToConfirm(a answer) bool { return a.err == nil && a.result.Confirm != nil }

// confirm does what an answer asks for beyond its events. A subscription that
// can't be confirmed makes the answer an error, so that the request is tried
// again, unless there are events, which must not wait for it.
func (in *Intake) confirm(ctx context.Context, integration *core.Integration, r *core.Request, a answer) answer {
	if !asksToConfirm(a) {
		return a
	}
	if r.Test {
		a.result.Notes = append(a.result.Notes, "a test confirms no subscription")
		return a
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	in.began(r.ID, cancel)
	defer in.ended(r.ID, cancel)
	err := in.cfg.Confirmer.Confirm(ctx, integration.Info.ConfirmHosts, a.result.Confirm.URL)
	switch {
	case err == nil:
		a.result.Notes = append(a.result.Notes, "the subscription is confirmed")
		in.cfg.Logger.Info("subscription confirmed", "integration", r.Integration, "request", r.ID)
	case len(a.result.Events) > 0:
		a.result.Notes = append(a.result.Notes, "the subscription could not be confirmed: "+err.Error())
	default:
		in.cfg.Logger.Warn("confirm a subscription", "integration", r.Integration, "request", r.ID, "err", err)
		a = answer{result: sdk.Result{}, err: &confirmError{err}}
	}
	return a
}

// unconfirmed is the change of a request whose subscription could not be
// confirmed: it is tried again, or set aside so that somebody is told.
func (in *Intake) unconfirmed(integration *core.Integration, r *core.Request, e *confirmError) core.Change {
	r.State, r.Code, r.Reason = core.RequestOpen, core.ConfirmationFailed, e.Error()
	c := change(integration, r)
	_, final := errors.AsType[*core.Error](e.err)
	if r.Attempt++; !final && r.Attempt < confirmTries {
		r.NextAt = in.cfg.Now().Add(backoff[min(r.Attempt, len(backoff)-1)])
		return c
	}
	r.State = core.RequestQuarantined
	c.Failure, c.Detail = core.ConfirmationFailed, r.Reason
	return c
}
