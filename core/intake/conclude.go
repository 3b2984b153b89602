package intake

import (
	"errors"
	"fmt"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// where says who waits for the conclusion.
type where int

const (
	atTheDoor where = iota // a sender, who may be told what is wrong
	later                  // nobody
)

// chunk is how many events one transaction folds.
const chunk = 1000

// conclude turns an adapter's answer into the change that it makes. It decides
// alike for a sender who waits and for the sweep.
func (in *Intake) conclude(integration *core.Integration, r *core.Request, a answer, w where) core.Change {
	var failure *sdk.Failure
	var fault *core.AdaptError
	var unconfirmed *confirmError
	switch {
	case a.err == nil:
		return in.applied(integration, r, a.result, w)
	case errors.As(a.err, &failure) && failure.RequestFault():
		return in.refused(integration, r, failure, w)
	case errors.As(a.err, &unconfirmed):
		return in.unconfirmed(integration, r, unconfirmed)
	case errors.As(a.err, &fault):
		return in.failed(integration, r, fault)
	}
	// INTERNAL, BUSY, or an error that breaks the contract of Adapters.
	return in.failed(integration, r, &core.AdaptError{Fault: core.AdapterBroken, Plugin: integration.Plugin, Err: a.err})
}

// applied is the change of a result. A result of nothing at all is a broken
// promise, never an empty success.
func (in *Intake) applied(integration *core.Integration, r *core.Request, result sdk.Result, w where) core.Change {
	if len(result.Events)+len(result.Rejected) == 0 && result.Ignored == "" && result.Reply == nil {
		return in.failed(integration, r, &core.AdaptError{
			Fault: core.AdapterBroken, Plugin: integration.Plugin, Err: errors.New("answered with nothing at all"),
		})
	}
	if len(result.Events) > integration.Limits.Events {
		return in.refused(integration, r, &sdk.Failure{
			Code:    sdk.TooLarge,
			Message: fmt.Sprintf("%d events in one request, the limit is %d", len(result.Events), integration.Limits.Events),
		}, w)
	}
	result, err := core.CheckTemplates(integration, result)
	if failure, ok := errors.AsType[*sdk.Failure](err); ok {
		return in.refused(integration, r, failure, w)
	}
	r.State, r.Code, r.Reason = core.RequestDone, "", ""
	r.Adapter, r.AdapterHash = in.reads(integration)
	r.Notes = result.Notes
	r.Rejected = nil
	for _, rejection := range result.Rejected {
		r.Rejected = append(r.Rejected, rejectionLine(rejection))
	}
	c := change(integration, r)
	c.Last = true
	c.Events = core.PrepareEvents(integration, r.ID, r.Test, result.Events)
	switch {
	case len(result.Rejected) > 0:
		// Each element that nobody could read may have been an alert.
		c.Failure, c.Detail = core.AdapterRejected, r.Rejected[0]
		if len(result.Events) == 0 {
			r.State, r.Code, r.Reason = core.RequestQuarantined, core.AdapterRejected, r.Rejected[0]
		}
	case len(result.Events) == 0:
		r.State, r.Reason = core.RequestIgnored, result.Ignored
	}
	return c
}

// reads names the adapter that serves an integration, and its file's hash.
func (in *Intake) reads(integration *core.Integration) (adapter, hash string) {
	version, hash := in.cfg.Adapters.Serves(integration.Plugin)
	if hash == "" {
		version, hash = integration.Info.Version, integration.AdapterHash
	}
	return integration.Info.Type + " " + version, hash
}

func rejectionLine(r sdk.Rejection) string {
	if r.Path == "" {
		return fmt.Sprintf("element %d: %s", r.Index, r.Reason)
	}
	return fmt.Sprintf("element %d: %s: %s", r.Index, r.Path, r.Reason)
}

// refused is the change of a request that its adapter can't read. A person who
// waits is told; a vendor's system can't mend it, so a fallback incident tells
// somebody who can.
func (in *Intake) refused(integration *core.Integration, r *core.Request, f *sdk.Failure, w where) core.Change {
	r.Adapter, r.AdapterHash = in.reads(integration)
	r.Reason = f.Message
	if f.Path != "" {
		r.Reason = f.Path + ": " + f.Message
	}
	c := change(integration, r)
	if integration.Info.Sender == sdk.Human && w == atTheDoor {
		r.State, r.Code = core.RequestRejected, humanCode(f)
		return c
	}
	r.State, r.Code = core.RequestQuarantined, core.AdapterRejected
	c.Failure, c.Detail = core.AdapterRejected, r.Reason
	return c
}

func humanCode(f *sdk.Failure) core.Code {
	if f.Code == sdk.Malformed {
		return core.InvalidJSON
	}
	return core.ValidationFailed
}

// judged is the change of a request that broke a limit at the door.
func judged(integration *core.Integration, r *core.Request) core.Change {
	c := change(integration, r)
	if integration.Info.Sender == sdk.Human {
		r.State = core.RequestRejected
		return c
	}
	r.State = core.RequestQuarantined
	c.Failure, c.Detail = core.AdapterRejected, r.Reason
	return c
}

// backoff holds the delays after an adapter's failures.
var backoff = []time.Duration{0, time.Second, 10 * time.Second, time.Minute, 5 * time.Minute}

// down is how long a request waits for an adapter that isn't there. Nothing is
// tried until it is ready.
const down = time.Second

// tries is how often an adapter may fail at one request, by the kind of
// failure, before the request is set aside. A plugin that is merely down uses
// up nothing.
var tries = map[core.AdaptFault]int{core.AdapterTimeout: 3, core.AdapterCrash: 2, core.AdapterBroken: 5}

// failed is the change of a request at which the adapter failed: it is tried
// again, or set aside when it has failed too often.
func (in *Intake) failed(integration *core.Integration, r *core.Request, fault *core.AdaptError) core.Change {
	r.State, r.Code, r.Reason = core.RequestOpen, core.AdapterUnavailable, fault.Error()
	c := change(integration, r)
	switch {
	case fault.Fault == core.AdapterDown:
		r.NextAt = in.cfg.Now().Add(down)
		return c
	case fault.Fault == core.AdapterCrash && in.suspect(r.ID):
		// It wasn't alone in there: first it is tried by itself.
		r.NextAt = in.cfg.Now()
		return c
	}
	r.Attempt++
	if r.Attempt < tries[fault.Fault] {
		r.NextAt = in.cfg.Now().Add(backoff[min(r.Attempt, len(backoff)-1)])
		return c
	}
	r.State, r.Code = core.RequestQuarantined, core.AdapterFailed
	c.Failure, c.Detail = core.AdapterFailed, r.Reason
	in.clear(r.ID)
	return c
}

// suspect notes that a request was in an adapter when it crashed, and reports
// whether that is new.
func (in *Intake) suspect(id core.ID) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	known := in.suspects[id]
	in.suspects[id] = true
	return !known
}

func (in *Intake) isSuspect(id core.ID) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.suspects[id]
}

func (in *Intake) clear(id core.ID) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.suspects, id)
}

func change(integration *core.Integration, r *core.Request) core.Change {
	return core.Change{
		Request: r, Observed: integration.Info.EventTime == sdk.Observed, ReopenWindow: integration.ReopenWindow,
		Flap: integration.Flap, AutoResolve: integration.AutoResolve,
	}
}
