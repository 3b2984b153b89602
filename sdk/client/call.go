package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// Adapt calls the adapter. An error is an *sdk.Failure, if the adapter says
// what is wrong, or wraps an *Error. It returns when ctx ends, whatever the
// process does; r.Body must not change even then.
func (c *Client) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	return c.AdaptAnd(ctx, r, func(result sdk.Result) (sdk.Result, error) { return result, nil })
}

// AdaptAnd is Adapt for who checks what a plugin answers: as long as that takes,
// the answer counts against what its plugin may take of the memory.
func (c *Client) AdaptAnd(ctx context.Context, r sdk.Request, check func(sdk.Result) (sdk.Result, error)) (sdk.Result, error) {
	if l := c.currentLane(); c.runs.Err() != nil || l.ended() {
		return sdk.Result{}, &Error{Kind: Gone, Err: errGone}
	}
	generation, err := c.generation(ctx, r)
	if err != nil {
		return sdk.Result{}, err
	}
	deadline, _ := ctx.Deadline()
	r.ID = strings.ToValidUTF8(r.ID, "\uFFFD") // as it travels
	answer, giveBack, err := c.send(ctx, &request{r, generation, deadline})
	if err != nil {
		return sdk.Result{}, err
	}
	defer giveBack()
	result, err := resultOf(r.ID, answer)
	if f, ok := errors.AsType[*sdk.Failure](err); ok && f.Code == sdk.Internal && !deadline.IsZero() && !c.cfg.Now().Before(deadline) {
		// An adapter that minds its deadline fails by it a moment before we
		// give up, or after: the two mean the same.
		return sdk.Result{}, &Error{Kind: Timeout, Err: f}
	}
	if err != nil {
		return sdk.Result{}, err
	}
	result, err = check(result)
	return detach(result, answer.Size), err
}

var errGone = errors.New("the process has ended")

// request is a request with what belongs to its call.
type request struct {
	sdk.Request

	generation uint64
	deadline   time.Time
}

// send chooses the way: that of this plugin, or a call of its own for what is
// large. Whoever has read the answer gives its room back.
func (c *Client) send(ctx context.Context, r *request) (answer wire.Answer, giveBack func(), err error) {
	ask := c.unary
	if l := c.currentLane(); len(r.Body) <= wire.MaxExchangeBody && (l != nil || c.batches != nil) {
		var came arrival
		if l != nil {
			came = c.exchange(ctx, l, r)
		} else {
			came = c.batch(ctx, wire.FromRequest(r.Request, r.generation, r.deadline))
		}
		answer, giveBack, err = c.read(ctx, came, len(r.Body))
		if err != nil || !answer.Oversize {
			return answer, giveBack, err
		}
		giveBack()
		ask = c.large
	}
	return c.read(ctx, ask(ctx, wire.FromRequest(r.Request, r.generation, r.deadline)), len(r.Body))
}

// read reads what came for a request with such a body, once there is room.
func (c *Client) read(ctx context.Context, a arrival, body int) (answer wire.Answer, giveBack func(), err error) {
	if a.err == nil && a.giveBack == nil {
		a = c.arrived(ctx, a.message, body)
	}
	if a.err != nil {
		return wire.Answer{}, nil, a.err
	}
	if answer, err = a.message.Read(); err != nil {
		a.giveBack()
		return wire.Answer{}, nil, &Error{Kind: Broken, Err: fmt.Errorf("read the answer: %w", err)}
	}
	return answer, a.giveBack, nil
}

// unary asks by a call of its own. Only an answer that is larger than usual for
// such a body is waited for in the narrow gate.
func (c *Client) unary(ctx context.Context, m *adapterv1.AdaptRequest) arrival {
	most := firstAnswer(len(m.GetBody()))
	giveBack, err := c.sending.take(ctx, most)
	if err != nil {
		return arrival{err: &Error{Kind: Timeout, Err: err}}
	}
	message, err := c.adapt(ctx, m, most)
	if err == nil {
		defer giveBack()
		return c.arrived(ctx, message, len(m.GetBody()))
	}
	giveBack()
	if status.Code(err) == codes.ResourceExhausted {
		return c.large(ctx, m)
	}
	return arrival{err: c.transportError(err)}
}

// large asks by a call of its own when no other large answer is on its way.
func (c *Client) large(ctx context.Context, m *adapterv1.AdaptRequest) arrival {
	giveBack, err := c.gate.take(ctx, 1)
	if err != nil {
		return arrival{err: &Error{Kind: Timeout, Err: err}}
	}
	defer giveBack()
	most := largestAnswer(len(m.GetBody()))
	message, err := c.adapt(ctx, m, most)
	switch {
	case status.Code(err) == codes.ResourceExhausted:
		return arrival{err: &sdk.Failure{Code: sdk.TooLarge, Message: fmt.Sprintf("the answer has more than %d bytes", most)}}
	case err != nil:
		return arrival{err: c.transportError(err)}
	}
	return c.arrived(ctx, message, len(m.GetBody()))
}

func (c *Client) adapt(ctx context.Context, m *adapterv1.AdaptRequest, most int) (message wire.Message, err error) {
	call := c.calls.begin(ctx, len(m.GetBody()))
	defer c.calls.end(call.number)
	m.Call = call.number
	err = c.conn.Invoke(ctx, adapterv1.Adapter_Adapt_FullMethodName, m, &message,
		grpc.ForceCodecV2(wire.Codec()), grpc.MaxCallRecvMsgSize(most), grpc.MaxCallSendMsgSize(wire.MaxRequest))
	return message, err
}

// resultOf looks whether an answer is one to the request.
func resultOf(id string, answer wire.Answer) (sdk.Result, error) {
	switch {
	case answer.ID != id:
		return sdk.Result{}, &Error{Kind: Broken, Err: fmt.Errorf("the answer is for request %.100q, not %q", answer.ID, id)}
	case answer.Failure != nil:
		return sdk.Result{}, answer.Failure
	case answer.Result == nil:
		return sdk.Result{}, &Error{Kind: Broken, Err: fmt.Errorf("the answer to %s is neither result nor failure", id)}
	}
	return *answer.Result, nil
}

// call is one call that the process hasn't answered.
type call struct {
	number  uint64
	box     *mailbox
	began   time.Time
	stuckAt time.Time
	bytes   int // of its body
}

// calls are those that the process hasn't answered, also when their callers
// have given up: a call without an end is how a hanging process shows.
type calls struct {
	now   func() time.Time
	stuck time.Duration

	mu   sync.Mutex
	last uint64
	open map[uint64]*call
}

func (c *calls) begin(ctx context.Context, bytes int) *call {
	now := c.now()
	patience := c.stuck
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(patience, 2*deadline.Sub(now))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	begun := &call{number: c.last, box: newMailbox(), began: now, stuckAt: now.Add(patience), bytes: bytes}
	c.open[begun.number] = begun
	return begun
}

// end forgets a call and returns it, nil if there is none of that number.
func (c *calls) end(number uint64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := c.open[number]
	delete(c.open, number)
	return ended
}

// Hangs reports whether the process has left a call unanswered for more than
// twice that call's time.
func (c *Client) Hangs() bool {
	now := c.cfg.Now()
	c.calls.mu.Lock()
	defer c.calls.mu.Unlock()
	for _, call := range c.calls.open {
		if now.After(call.stuckAt) {
			return true
		}
	}
	return false
}

// Load is what a process has been asked and hasn't answered.
type Load struct {
	Calls int
	Bytes int64     // of their bodies
	Since time.Time // when the oldest of them began; the zero time if there is none
}

// Load looks at the calls that are open, also those whose callers have given
// up.
func (c *Client) Load() Load {
	c.calls.mu.Lock()
	defer c.calls.mu.Unlock()
	load := Load{Calls: len(c.calls.open)}
	for _, call := range c.calls.open {
		load.Bytes += int64(call.bytes)
		if load.Since.IsZero() || call.began.Before(load.Since) {
			load.Since = call.began
		}
	}
	return load
}
