// Package engine writes: one goroutine takes what waits, folds it and commits
// it in one transaction, so that many senders share one sync of the disk.
//
// The rules are core's and the statements the driver's. What the engine owns
// is the order of the steps, and that nothing is believed, answered or
// announced before the commit.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"bellcrank.example/core"
)

// Config holds what an Engine needs. Driver and Routes are required.
type Config struct {
	Driver Driver
	// Routes returns who hears of incidents, as configured now.
	Routes func() core.Routes
	// Owed is called after a commit with the destinations that have new due
	// deliveries. It must not block. Nobody is told if nil.
	Owed func(destinations []string)
	// Suspect reports whether the clock can't be trusted: nothing is pruned
	// then. Never if nil.
	Suspect         func() bool
	Node            int              // the node in new ids, 0 to 1023
	Retention       Retention        // how long things are kept
	CommitWait      time.Duration    // how long a caller waits for the writer; 5 seconds if zero
	RecordWait      time.Duration    // how long an attempt's outcome waits for a commit to share; 5 ms if zero, not at all if negative
	PruneEvery      time.Duration    // 10 minutes if zero
	CheckpointEvery time.Duration    // 150 ms if zero; never if negative
	Compress        int              // bodies above this many bytes are deflated; 512 if zero, never if negative
	Now             func() time.Time // time.Now if nil
	Logger          *slog.Logger     // slog.Default if nil
}

// Retention says how long things are kept that nobody waits for any more.
type Retention struct {
	Requests    time.Duration // 14 days if zero
	Quarantined time.Duration // requests that nobody could read; 90 days if zero
	Attempts    time.Duration // 30 days if zero
	DeadLetters time.Duration // deliveries that were given up; 30 days if zero
	Incidents   time.Duration // after their end; 90 days if zero
	DeliveryIDs time.Duration // 24 hours if zero
}

const day = 24 * time.Hour

func (c *Config) setDefaults() {
	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	def(&c.Retention.Requests, 14*day)
	def(&c.Retention.Quarantined, 90*day)
	def(&c.Retention.Attempts, 30*day)
	def(&c.Retention.DeadLetters, 30*day)
	def(&c.Retention.Incidents, 90*day)
	def(&c.Retention.DeliveryIDs, day)
	def(&c.CommitWait, 5*time.Second)
	def(&c.RecordWait, 5*time.Millisecond)
	def(&c.PruneEvery, 10*time.Minute)
	def(&c.CheckpointEvery, 150*time.Millisecond)
	if c.Compress == 0 {
		c.Compress = 512
	}
	if c.Owed == nil {
		c.Owed = func([]string) {}
	}
	if c.Suspect == nil {
		c.Suspect = func() bool { return false }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// Engine is the only writer of its database. Its Run writes.
type Engine struct {
	cfg   Config
	ids   *core.IDs
	queue *queue
	side  side
	fresh fresh

	deflaters sync.Pool // of *flate.Writer, which are expensive to make

	// These only the writer touches.
	states map[string]core.DestinationState // as of the last commit
	sideAt time.Time                        // when the side was last written
	full   bool                             // the last batch found the disk full
	before size                             // of the last transaction

	commits atomic.Int64 // transactions since the start
	stats   stats
}

// New returns an Engine, having read where the database stands.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	cfg.setDefaults()
	high, err := cfg.Driver.HighWater(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the greatest id: %w", err)
	}
	list, err := cfg.Driver.DestinationStates(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the states of destinations: %w", err)
	}
	e := &Engine{
		cfg: cfg, ids: core.NewIDs(cfg.Node, high, cfg.Now), queue: newQueue(cfg.RecordWait),
		states: make(map[string]core.DestinationState, len(list)),
	}
	for _, s := range list {
		e.states[s.Destination] = s
	}
	return e, nil
}

// NewID returns an id above all that are stored.
func (e *Engine) NewID() core.ID { return e.ids.Next() }

// Commit returns once everything that the submission asks for is on stable
// storage, as intake.Store says. The submission's request is then as folded.
func (e *Engine) Commit(ctx context.Context, s *core.Submission) (core.Receipt, error) {
	it := e.newSubmission(s)
	r, err := e.do(ctx, it)
	switch {
	case err != nil:
		return core.Receipt{}, err
	case r.earlier != 0:
		e.side.repeat(r.earlier)
		return e.duplicate(ctx, r.earlier)
	}
	body := s.Change.Request.Body
	*s.Change.Request = *r.request
	s.Change.Request.Body = body
	return e.complete(ctx, r.request, r.receipt)
}

// Seen returns the receipt of the request that first brought this delivery.
func (e *Engine) Seen(ctx context.Context, tenant int64, integration string, key core.DeliveryKey) (core.Receipt, bool, error) {
	id, err := e.cfg.Driver.FindDelivery(ctx, tenant, integration, key)
	if err != nil {
		return core.Receipt{}, false, unavailable(fmt.Errorf("find a delivery id: %w", err))
	}
	if id == 0 {
		return core.Receipt{}, false, nil
	}
	e.side.repeat(id)
	receipt, err := e.duplicate(ctx, id)
	if notFound(err) {
		return core.Receipt{}, false, nil // its request is past its time
	}
	return receipt, err == nil, err
}

// Record returns once the outcome of an attempt is on stable storage.
func (e *Engine) Record(ctx context.Context, o core.Outcome) error {
	it := newItem()
	it.outcome = &o
	_, err := e.do(ctx, it)
	return err
}

// SetDestination stores a change of a destination's state that no attempt
// caused.
func (e *Engine) SetDestination(ctx context.Context, s core.DestinationState) error {
	it := newItem()
	it.state = &s
	_, err := e.do(ctx, it)
	return err
}

// Resume makes requests open and due that were held while their integration
// was paused. It does so for some at a time, and returns how many: none are
// left when it returns 0.
func (e *Engine) Resume(ctx context.Context, integration string) (int, error) {
	it := newItem()
	it.resume = integration
	r, err := e.do(ctx, it)
	return r.resumed, err
}

// Writable returns nil once something was stored durably.
func (e *Engine) Writable(ctx context.Context) error {
	_, err := e.do(ctx, newItem())
	return err
}

// Refuse notes a request that was turned away, when there is time for it. It
// never blocks.
func (e *Engine) Refuse(r core.Refusal) {
	e.side.refuse(r, e.queue.length() < batchItems)
}

// do queues an item and waits for its result. An item whose batch hasn't begun
// when the wait ends is withdrawn; one whose batch has may still be stored.
func (e *Engine) do(ctx context.Context, it *item) (result, error) {
	began := e.cfg.Now()
	if err := e.queue.add(it); err != nil {
		return result{}, err
	}
	timer := time.NewTimer(e.cfg.CommitWait)
	defer timer.Stop()
	var cause error
	select {
	case r := <-it.done:
		e.stats.waited(e.cfg.Now().Sub(began))
		return r, r.err
	case <-timer.C:
		cause = fmt.Errorf("not committed within %v", e.cfg.CommitWait)
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	it.stage.CompareAndSwap(queued, withdrawn)
	return result{}, unavailable(cause)
}

var errStopped = errors.New("the store has stopped")

func unavailable(cause error) error {
	return &core.Error{Code: core.StoreUnavailable, Message: "The request could not be stored. Please send it again.", Err: cause}
}

func notFound(err error) bool {
	e, ok := errors.AsType[*core.Error](err)
	return ok && e.Code == core.NotFound
}
