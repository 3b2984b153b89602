package client

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"bellcrank.example/sdk/internal/wire"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

const (
	// maxBatch is how many requests go in one call, and batchLanes how many
	// such calls are under way at a time: while one is being answered the next
	// fills, so that nothing waits for company.
	maxBatch   = 32
	batchLanes = 2
)

// batched is a request that waits to go in a batch.
type batched struct {
	ctx context.Context // the caller's, as long as it waits
	m   *adapterv1.AdaptRequest
	box *mailbox
}

// openBatches has requests go in batches.
func (c *Client) openBatches() {
	c.batches = make(chan *batched, laneQueue)
	for range batchLanes {
		c.work.Go(c.sendBatches)
	}
}

// batch has a request go in the next batch, and waits for its answer.
func (c *Client) batch(ctx context.Context, m *adapterv1.AdaptRequest) arrival {
	b := &batched{ctx: ctx, m: m, box: newMailbox()}
	defer b.box.leave()
	select {
	case c.batches <- b:
	case <-c.runs.Done():
		return arrival{err: &Error{Kind: Gone, Err: errGone}}
	case <-ctx.Done():
		return arrival{err: &Error{Kind: Timeout, Err: ctx.Err()}}
	}
	select {
	case a := <-b.box.answer:
		return a
	case <-c.runs.Done():
	case <-ctx.Done():
		return arrival{err: &Error{Kind: Timeout, Err: ctx.Err()}}
	}
	select {
	case a := <-b.box.answer: // it came just before the end
		return a
	default:
		return arrival{err: &Error{Kind: Crashed, Err: errGone}}
	}
}

// sendBatches is one lane: it sends what waits, and waits for the answers.
func (c *Client) sendBatches() {
	for {
		select {
		case first := <-c.batches:
			c.sendBatch(c.collect(first))
		case <-c.runs.Done():
			return
		}
	}
}

// collect takes what waits besides the first, as long as it fits. Who has given
// up meanwhile is left out.
func (c *Client) collect(first *batched) []*batched {
	batch, size := make([]*batched, 0, maxBatch), 0
	for next := first; next != nil; {
		if next.ctx.Err() == nil {
			batch, size = append(batch, next), size+len(next.m.GetBody())
		}
		if next = nil; len(batch) < maxBatch && size < wire.MaxExchangeMessage {
			select {
			case next = <-c.batches:
			default:
			}
		}
	}
	return batch
}

// sendBatch makes one call of a batch. If that comes to nothing, because one
// request spoils it for the others, each goes alone.
func (c *Client) sendBatch(batch []*batched) {
	switch len(batch) {
	case 0:
		return
	case 1:
		c.sendAlone(batch[0])
		return
	}
	ctx, cancel := c.batchContext(batch)
	defer cancel()
	request := &adapterv1.AdaptBatchRequest{Requests: make([]*adapterv1.AdaptRequest, len(batch))}
	for i, b := range batch {
		call := c.calls.begin(b.ctx, len(b.m.GetBody()))
		defer c.calls.end(call.number)
		b.m.Call = call.number
		request.Requests[i] = b.m
	}
	var answer wire.Batch
	err := c.conn.Invoke(ctx, adapterv1.Adapter_AdaptBatch_FullMethodName, request, &answer,
		grpc.ForceCodecV2(wire.Codec()), grpc.MaxCallRecvMsgSize(wire.MaxExchangeMessage), grpc.MaxCallSendMsgSize(wire.MaxRequest))
	if err != nil {
		if lost := c.transportError(err); lost.Kind == Crashed {
			for _, b := range batch {
				b.box.put(arrival{err: lost})
			}
			return
		}
	} else if messages, ok := answersTo(request, answer); ok {
		for i, b := range batch {
			c.handOver(b.box, messages[i], len(b.m.GetBody()))
		}
		return
	}
	for _, b := range batch {
		c.work.Go(func() { c.sendAlone(b) })
	}
}

// batchContext gives a batch half of the time that its most urgent caller has
// left: the other half is for going alone, should another request hold it up.
func (c *Client) batchContext(batch []*batched) (context.Context, context.CancelFunc) {
	now := c.cfg.Now()
	left := time.Duration(-1)
	for _, b := range batch {
		if deadline, ok := b.ctx.Deadline(); ok && (left < 0 || deadline.Sub(now) < left) {
			left = max(deadline.Sub(now), 0)
		}
	}
	if left < 0 {
		return context.WithCancel(c.runs)
	}
	return context.WithTimeout(c.runs, left/2)
}

// answersTo takes the answers of a batch apart, and reports whether each request
// has its own.
func answersTo(request *adapterv1.AdaptBatchRequest, answer wire.Batch) (messages []wire.Message, ok bool) {
	messages, err := answer.Messages(len(request.GetRequests()))
	if err != nil || len(messages) != len(request.GetRequests()) {
		return nil, false
	}
	for i, m := range request.GetRequests() {
		if messages[i].ID() != m.GetId() {
			return nil, false
		}
	}
	return messages, true
}

func (c *Client) sendAlone(b *batched) {
	// A message in a call must not change: the call that was given up may
	// still hold this one.
	b.box.put(c.unary(b.ctx, copyOf(b.m)))
}

// copyOf is a message of its own with the same parts.
func copyOf(m *adapterv1.AdaptRequest) *adapterv1.AdaptRequest {
	return &adapterv1.AdaptRequest{
		Call: m.GetCall(), Id: m.GetId(), Instance: m.GetInstance(), Generation: m.GetGeneration(), Method: m.GetMethod(),
		Path: m.GetPath(), Query: m.GetQuery(), Headers: m.GetHeaders(), Body: m.GetBody(), Source: m.GetSource(),
		ReceivedAtUnixNano: m.GetReceivedAtUnixNano(), DeadlineUnixNano: m.GetDeadlineUnixNano(), Attempt: m.GetAttempt(),
	}
}
