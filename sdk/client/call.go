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
	if l := c.currentLane(); c.runs.Err() != nil || l.ended() {
		return sdk.Result{}, &Error{Kind: Gone, Err: errGone}
	}
	generation, err := c.generation(ctx, r)
	if err != nil {
		return sdk.Result{}, err
	}
	deadline, _ := ctx.Deadline()
	r.ID = strings.ToValidUTF8(r.ID, "\uFFFD") // as it travels
	answer, err := c.send(ctx, &request{r, generation, deadline})
	if err != nil {
		return sdk.Result{}, err
	}
	result, err := read(r.ID, answer)
	if f, ok := errors.AsType[*sdk.Failure](err); ok && f.Code == sdk.Internal && !deadline.IsZero() && !c.cfg.Now().Before(deadline) {
		// An adapter that minds its deadline fails by it a moment before we
		// give up, or after: the two mean the same.
		return sdk.Result{}, &Error{Kind: Timeout, Err: f}
	}
	return result, err
}

var errGone = errors.New("the process has ended")

// request is a request with what belongs to its call.
type request struct {
	sdk.Request

	generation uint64
	deadline   time.Time
}

// send chooses the way: that of this plugin, or a call of its own for what is
// large.
func (c *Client) send(ctx context.Context, r *request) (wire.Answer, error) {
	ask := c.unary
	if l := c.currentLane(); len(r.Body) <= wire.MaxExchangeBody {
		switch {
		case c.batches != nil:
			ask = c.batch
		case l != nil:
			answer, err := c.exchange(ctx, l, r)
			if err != nil || !answer.Oversize {
				return answer, err
			}
			ask = c.large
		}
	}
	response, err := ask(ctx, wire.FromRequest(r.Request, r.generation, r.deadline))
	if err != nil {
		return wire.Answer{}, err
	}
	return wire.ToAnswer(response), nil
}

// unary asks by a call of its own. An answer may be as large as the stream's;
// only one that has to be larger is waited for in the narrow gate, so that a
// plugin can't fill the gateway's memory with many at a time.
func (c *Client) unary(ctx context.Context, m *adapterv1.AdaptRequest) (*adapterv1.AdaptResponse, error) {
	response, err := c.adapt(ctx, m, wire.MaxExchangeMessage)
	switch {
	case status.Code(err) == codes.ResourceExhausted:
		return c.large(ctx, m)
	case err != nil:
		return nil, c.transportError(err)
	}
	return response, nil
}

// maxLarge is how many large answers a plugin may be sending at a time.
const maxLarge = 2

func (c *Client) large(ctx context.Context, m *adapterv1.AdaptRequest) (*adapterv1.AdaptResponse, error) {
	select {
	case c.gate <- struct{}{}:
		defer func() { <-c.gate }()
	case <-ctx.Done():
		return nil, &Error{Kind: Timeout, Err: ctx.Err()}
	}
	most := c.largest(m)
	response, err := c.adapt(ctx, m, most)
	switch {
	case status.Code(err) == codes.ResourceExhausted:
		return nil, &sdk.Failure{Code: sdk.TooLarge, Message: fmt.Sprintf("the answer has more than %d bytes", most)}
	case err != nil:
		return nil, c.transportError(err)
	}
	return response, nil
}

// largest is how many bytes an answer may have: four times the largest body
// that the adapter takes, or this one if that is larger.
func (c *Client) largest(m *adapterv1.AdaptRequest) int {
	body := c.info.Limits.Body
	if body <= 0 {
		body = defaultBody
	}
	return int(min(4*max(body, int64(len(m.GetBody()))), wire.MaxAnswer)) + wire.MaxExchangeBody
}

// defaultBody is the largest body of an adapter that declares nothing.
const defaultBody = 4 << 20

func (c *Client) adapt(ctx context.Context, m *adapterv1.AdaptRequest, most int) (*adapterv1.AdaptResponse, error) {
	call := c.calls.begin(ctx, len(m.GetBody()))
	defer c.calls.end(call.number)
	m.Call = call.number
	return c.adapter.Adapt(ctx, m, grpc.MaxCallRecvMsgSize(most), grpc.MaxCallSendMsgSize(wire.MaxRequest))
}

// read looks whether an answer is one to the request.
func read(id string, answer wire.Answer) (sdk.Result, error) {
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
	answer  chan wire.Message // room for one
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
	begun := &call{number: c.last, answer: make(chan wire.Message, 1), began: now, stuckAt: now.Add(patience), bytes: bytes}
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
