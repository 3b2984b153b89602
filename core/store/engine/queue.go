package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"bellcrank.example/core"
)

// The bounds of what waits for the writer.
const (
	maxRequests = 4096
	maxBytes    = 64 << 20
	maxOutcomes = 16384 // more attempts than may ever be under way
)

// The bounds of one batch.
const (
	batchItems  = 256
	batchEvents = 2000
	batchBytes  = 8 << 20
	resumeBatch = 1000 // requests that are held
)

// The stages of an item.
const (
	queued int32 = iota
	begun
	withdrawn
)

// item is one thing that the writer is asked for; touch if all are empty.
type item struct {
	submission *core.Submission
	stored     Stored // of a submission that inserts
	outcome    *core.Outcome
	state      *core.DestinationState
	resume     string // an integration
	act        *core.Act
	wake       []core.Waking
	suspect    bool // of wake: the clock can't be trusted
	write      func(ctx context.Context, tx Tx, now time.Time) error
	change     change
	size       int
	stage      atomic.Int32
	done       chan result // gets exactly one result, unless the item is withdrawn
}

// result is what became of an item.
type result struct {
	request *core.Request // as folded
	receipt core.Receipt
	earlier core.ID // the request that brought the same delivery before
	resumed int
	acted   *core.Act      // as folded
	after   *core.Incident // of an act
	err     error
}

func newItem() *item { return &item{done: make(chan result, 1)} }

// itemSize is what an item weighs in the queue besides its body.
const itemSize = 1 << 10

// newSubmission copies what the caller may change again. A body is compressed
// here, where many can do it at a time.
func (e *Engine) newSubmission(s *core.Submission) *item {
	it := newItem()
	own := *s
	r := *s.Change.Request
	own.Change.Request = &r
	it.submission = &own
	it.stored = Stored{Request: &r}
	it.size = itemSize * (1 + len(s.Change.Events))
	if s.Insert {
		it.stored.Body = r.Body
		if e.cfg.Compress > 0 && len(r.Body) > e.cfg.Compress {
			it.stored.Body, it.stored.Deflate = e.deflate(r.Body)
		}
		it.size += len(it.stored.Body)
	}
	r.Body = nil
	return it
}

// unhurriedWaits is how many times as long as an attempt's outcome an unhurried
// submission waits for others.
const unhurriedWaits = 20

// patience is how long the item may wait for others to share a sync with, at a
// time given for outcomes. Nobody but the dispatcher's books wait for a
// delivery's outcome, and after a crash its message is sent again under the
// same id.
func (it *item) patience(linger time.Duration) time.Duration {
	switch {
	case it.outcome != nil && it.outcome.Destination == nil && !it.outcome.Release:
		return linger
	case it.submission != nil && it.submission.Unhurried:
		return unhurriedWaits * linger
	}
	return 0
}

func (it *item) events() int {
	if it.submission == nil {
		return 0
	}
	return len(it.submission.Change.Events)
}

// queue holds what waits for the writer.
type queue struct {
	ready  chan struct{} // holds a token while something may be waiting
	linger time.Duration // how long outcomes wait for company; not at all if zero

	mu       sync.Mutex
	waiting  []*item
	requests int // of waiting
	bytes    int // of waiting
	closed   bool
	timer    *time.Timer   // ends a wait for company; nil if none is under way
	wait     time.Duration // that the timer was set to
}

func newQueue(linger time.Duration) *queue {
	return &queue{ready: make(chan struct{}, 1), linger: linger}
}

// add appends an item, unless too much is waiting already.
func (q *queue) add(it *item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return unavailable(errStopped)
	case it.submission != nil && (q.requests >= maxRequests || q.bytes+it.size > maxBytes && q.bytes > 0):
		return &core.Error{Code: core.Overloaded, Message: "Too many requests are waiting to be stored."}
	case it.submission == nil && len(q.waiting)-q.requests >= maxOutcomes:
		return &core.Error{Code: core.Overloaded, Message: "Too many changes are waiting to be stored."}
	}
	q.waiting = append(q.waiting, it)
	if it.submission != nil {
		q.requests++
		q.bytes += it.size
	}
	if wait := it.patience(q.linger); wait > 0 && len(q.waiting) < batchItems {
		q.waitForCompany(wait)
		return nil
	}
	q.signal()
	return nil
}

// waitForCompany wakes the writer after a while. An item that isn't patient
// wakes it at once, and takes the patient ones along.
func (q *queue) waitForCompany(wait time.Duration) {
	if q.timer != nil {
		if wait >= q.wait {
			return
		}
		q.timer.Stop()
	}
	q.wait = wait
	q.timer = time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.timer = nil
		q.signal()
	})
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take removes as much as fits in a batch, at least one item if any waits.
func (q *queue) take() []*item {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.ready: // for what is taken now: it isn't to cut the next ones' patience short
	default:
	}
	var batch []*item
	events, bytes, n := 0, 0, 0
	for _, it := range q.waiting {
		events += it.events()
		bytes += it.size
		if len(batch) > 0 && (len(batch) == batchItems || events > batchEvents || bytes > batchBytes) {
			break
		}
		n++
		if it.submission != nil {
			q.requests--
			q.bytes -= it.size
		}
		if it.stage.CompareAndSwap(queued, begun) {
			batch = append(batch, it)
		}
	}
	clear(q.waiting[:n])
	q.waiting = q.waiting[n:]
	if len(q.waiting) > 0 {
		q.signal()
	}
	return batch
}

// submissions returns how many submissions wait.
func (q *queue) submissions() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.requests
}

// length returns how many items wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// close refuses everything from now on. What waits can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.timer != nil {
		q.timer.Stop()
	}
}
