// Package intake is the straight line from a request to its incidents: adapt
// in budget, fold, commit once, answer.
//
// The sweep drives the same line for requests that were stored without an
// answer of their adapter. How events change incidents is core's business, how
// requests are kept the store's.
package intake

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Adapters calls adapter processes.
type Adapters interface {
	// Adapt calls the plugin. Its errors are an *sdk.Failure, which is about
	// the request, or a *core.AdaptError. A plugin that isn't ready is an error
	// at once.
	Adapt(ctx context.Context, plugin string, r sdk.Request) (sdk.Result, error)
	// Probe does the same in a process of its own, for a request that is
	// suspected of ending the plugin's.
	Probe(ctx context.Context, plugin string, r sdk.Request) (sdk.Result, error)
	// Ready reports whether a call has a chance.
	Ready(plugin string) bool
	// Serves returns the version that serves, and the SHA-256 in hex of its
	// file; empty if none does.
	Serves(plugin string) (version, sha256 string)
}

// Config holds what an Intake needs. Store, Adapters, Integrations and NewID
// are required.
type Config struct {
	Store        Store
	Adapters     Adapters
	Verifier     Verifier                            // required where requests can come unverified
	Confirmer    Confirmer                           // required where adapters ask for confirmations
	Integrations func() map[string]*core.Integration // by "TYPE/NAME", as configured now
	NewID        func() core.ID
	// Version returns the integration as another pinned version of its adapter
	// serves it, once that runs; nil: there are no others.
	Version     func(ctx context.Context, integration *core.Integration, version string) (*core.Integration, error)
	Budget      time.Duration    // how long a sender waits for the adapter; 400 ms if zero
	CallTimeout time.Duration    // of one adapter call; 5 seconds if zero
	SweepEvery  time.Duration    // 250 ms if zero
	Now         func() time.Time // time.Now if nil
	Logger      *slog.Logger     // slog.Default if nil
	// Observe hears of each request that an adapter has read, as it was read.
	// It must not block. Nobody does if nil.
	Observe func(in *core.Integration, decoded []byte, result sdk.Result)
}

// Intake accepts requests and finishes what it could not finish at once.
type Intake struct {
	cfg     Config
	started core.ID // requests below this id were found at start

	late sync.WaitGroup // answers that come after the budget

	mu       sync.Mutex
	stopped  bool                           // calls are cut off
	calls    map[core.ID]context.CancelFunc // cut off the calls that are under way
	owned    map[core.ID]bool               // requests whose adapter call is under way
	suspects map[core.ID]bool               // requests that were in an adapter when it crashed
	swept    map[string]bool                // plugins whose owed requests are being worked on
	resumed  map[string]time.Time           // integrations without held requests -> since when
}

// New returns an Intake. Its Run sweeps and waits for late answers.
func New(cfg Config) *Intake {
	if cfg.Budget == 0 {
		cfg.Budget = 400 * time.Millisecond
	}
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = 5 * time.Second
	}
	if cfg.SweepEvery == 0 {
		cfg.SweepEvery = 250 * time.Millisecond
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Observe == nil {
		cfg.Observe = func(*core.Integration, []byte, sdk.Result) {}
	}
	return &Intake{
		cfg: cfg, started: cfg.NewID(),
		calls: map[core.ID]context.CancelFunc{}, owned: map[core.ID]bool{}, suspects: map[core.ID]bool{}, swept: map[string]bool{}, resumed: map[string]time.Time{},
	}
}

// lease is how long a request whose sender was answered early belongs to the
// call that is still under way.
const lease = 10 * time.Second

// Accept returns once the request is on stable storage: with its incidents
// when the adapter answered in budget, as owed work when it didn't. It draws
// the request's id. The body to adapt is decoded; r.Body stays as sent. A
// request whose Code is set was judged at the door and reaches no adapter.
func (in *Intake) Accept(ctx context.Context, integration *core.Integration, r *core.Request, decoded []byte) (core.Receipt, error) {
	r.ID = in.cfg.NewID()
	r.Tenant, r.Integration = integration.Tenant, integration.ID()
	if r.Delivery.ID != [16]byte{} {
		receipt, seen, err := in.cfg.Store.Seen(ctx, r.Tenant, r.Integration, r.Delivery)
		if err != nil || seen {
			return receipt, err
		}
	}
	switch {
	case integration.Type == core.HeartbeatType:
		// That it came is all that matters.
		r.State, r.Code, r.Reason = core.RequestIgnored, "", "heartbeat"
		return in.keep(ctx, r)
	case r.State == core.RequestHeld:
		// Only afterwards, or a sweep that looks in between would miss it.
		defer in.holds(r.Integration)
		return in.keep(ctx, r)
	case r.Code != "":
		return in.commit(ctx, integration, judged(integration, r), nil)
	case r.Unverified:
		r.Code, r.Reason = core.SignaturePending, unproven
		return in.owe(ctx, r, in.cfg.Now())
	case !in.cfg.Adapters.Ready(integration.Plugin):
		return in.owe(ctx, r, in.cfg.Now())
	}
	return in.adapt(ctx, integration, r, decoded)
}

// Ask returns what the adapter would make of a request. Nothing comes of it.
func (in *Intake) Ask(ctx context.Context, integration *core.Integration, r *core.Request, decoded []byte) (sdk.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, in.cfg.CallTimeout)
	defer cancel()
	return in.cfg.Adapters.Adapt(ctx, integration.Plugin, adapterRequest(integration, r, decoded))
}

// adapt waits for the adapter as long as the budget lasts. The budget ends the
// wait, not the call: a late answer is applied when it comes.
func (in *Intake) adapt(ctx context.Context, integration *core.Integration, r *core.Request, decoded []byte) (core.Receipt, error) {
	call := in.call(ctx, integration, r, decoded)
	budget := time.NewTimer(in.cfg.Budget)
	defer budget.Stop()
	select {
	case a := <-call:
		if n := len(a.result.Events); n > chunk && n <= integration.Limits.Events || asksToConfirm(a) {
			receipt, err := in.answerLater(ctx, integration, r, again(a))
			return withReply(receipt, a.result.Reply), err
		}
		return in.commit(ctx, integration, in.conclude(integration, r, a, atTheDoor), a.result.Reply)
	case <-budget.C:
	case <-ctx.Done():
	}
	return in.answerLater(ctx, integration, r, call)
}

// answerLater stores the request as owed work, and finishes it when the call
// that is under way answers.
func (in *Intake) answerLater(ctx context.Context, integration *core.Integration, r *core.Request, call <-chan answer) (core.Receipt, error) {
	in.own(r.ID)
	stored := *r
	receipt, err := in.owe(context.WithoutCancel(ctx), &stored, in.cfg.Now().Add(lease))
	in.late.Go(func() {
		defer in.disown(r.ID)
		a := <-call // ends with the call's own deadline
		if err == nil {
			a = in.confirm(ctx, integration, &stored, a)
		}
		if err == nil && !in.cutOff(a) {
			in.finish(context.WithoutCancel(ctx), integration, &stored, a)
		}
	})
	return receipt, err
}

// answer is what became of an adapter call.
type answer struct {
	result sdk.Result
	err    error
}

// call starts an adapter call that outlives the sender's patience. The channel
// gets exactly one answer.
func (in *Intake) call(ctx context.Context, integration *core.Integration, r *core.Request, decoded []byte) <-chan answer {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.cfg.CallTimeout)
	out := make(chan answer, 1)
	request, isTest := adapterRequest(integration, r, decoded), r.Test
	in.began(r.ID, cancel)
	in.late.Go(func() {
		defer in.ended(r.ID, cancel)
		adapt := in.cfg.Adapters.Adapt
		if in.isSuspect(r.ID) {
			adapt = in.cfg.Adapters.Probe
		}
		result, err := adapt(ctx, integration.Plugin, request)
		out <- answer{result, err}
		if err == nil && !isTest {
			in.cfg.Observe(integration, decoded, result)
		}
	})
	return out
}

// began makes a call one that cut ends.
func (in *Intake) began(id core.ID, cancel context.CancelFunc) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.calls[id] = cancel
	if in.stopped {
		cancel()
	}
}

func (in *Intake) ended(id core.ID, cancel context.CancelFunc) {
	cancel()
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.calls, id)
}

// cut ends the calls that are under way. Their requests are stored or about to
// be: the next process finishes them, sooner than we would.
func (in *Intake) cut() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopped = true
	for _, cancel := range in.calls {
		cancel()
	}
}

// cutOff reports whether an answer is only that of a call which we cut off:
// that is no failure of the adapter.
func (in *Intake) cutOff(a answer) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.stopped && a.err != nil
}

func adapterRequest(integration *core.Integration, r *core.Request, decoded []byte) sdk.Request {
	query, _ := url.ParseQuery(r.Query) // what doesn't parse is left out
	return sdk.Request{
		ID: r.ID.String(), Method: r.Method, Path: r.Path, Query: query, Header: r.Header, Body: decoded,
		Source: r.Source, ReceivedAt: r.ReceivedAt, Integration: integration.ID(),
		Settings: integration.Settings, Attempt: r.Attempt + 1,
	}
}

// again is a call that has been answered already.
func again(a answer) <-chan answer {
	out := make(chan answer, 1)
	out <- a
	return out
}

// keep stores a request that nobody adapts for now.
func (in *Intake) keep(ctx context.Context, r *core.Request) (core.Receipt, error) {
	return in.cfg.Store.Commit(ctx, &core.Submission{Insert: true, Change: core.Change{Request: r}})
}

// owe stores a request as work for the sweep from next on.
func (in *Intake) owe(ctx context.Context, r *core.Request, next time.Time) (core.Receipt, error) {
	r.State, r.NextAt = core.RequestOpen, next
	return in.keep(ctx, r)
}

// commit stores a new request with its change.
func (in *Intake) commit(ctx context.Context, integration *core.Integration, c core.Change, reply *sdk.Reply) (core.Receipt, error) {
	receipt, err := in.cfg.Store.Commit(ctx, &core.Submission{Insert: true, Change: c})
	if err != nil {
		return core.Receipt{}, fmt.Errorf("commit request %s for %s: %w", c.Request.ID, integration.ID(), err)
	}
	return withReply(receipt, reply), nil
}

// withReply adds the answer that the vendor's handshake expects, if any.
func withReply(receipt core.Receipt, reply *sdk.Reply) core.Receipt {
	if reply != nil {
		receipt.Reply = &core.Reply{Status: reply.Status, ContentType: reply.ContentType, Body: reply.Body}
	}
	return receipt
}

func (in *Intake) own(id core.ID) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.owned[id] = true
}

func (in *Intake) disown(id core.ID) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.owned, id)
}
