package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"bellcrank.example/sdk/internal/wire"
)

// laneQueue is how many requests wait for the stream's writer.
const laneQueue = 64

// lane is one Exchange stream: calls go out in the order in which they come,
// answers come back in any.
type lane struct {
	stream grpc.ClientStream
	cancel context.CancelFunc
	out    chan wire.Encoded
	done   chan struct{} // closed when the stream has ended, for the reason err
	err    *Error
}

// openLane opens a stream in place of the one before.
func (c *Client) openLane() error {
	ctx, cancel := context.WithCancel(c.runs)
	stream, err := c.adapter.Exchange(ctx, grpc.ForceCodecV2(wire.Codec()))
	if err != nil {
		cancel()
		return fmt.Errorf("exchange: %w", err)
	}
	l := &lane{stream: stream, cancel: cancel, out: make(chan wire.Encoded, laneQueue), done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lane = l
	c.work.Go(func() { l.write() })
	c.work.Go(func() { c.readLane(l) })
	return nil
}

// ended reports whether the stream has ended; never if there is none.
func (l *lane) ended() bool {
	if l == nil {
		return false
	}
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (c *Client) currentLane() *lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lane
}

// exchange sends one request and waits for its answer.
func (c *Client) exchange(ctx context.Context, l *lane, r *request) arrival {
	call := c.calls.begin(ctx, len(r.Body))
	select {
	case l.out <- wire.EncodeCall(call.number, &r.Request, r.generation, r.deadline):
	case <-l.done:
		c.calls.end(call.number)
		return arrival{err: l.err}
	case <-ctx.Done():
		c.calls.end(call.number)
		return arrival{err: &Error{Kind: Timeout, Err: ctx.Err()}}
	}
	defer call.box.leave()
	select {
	case a := <-call.box.answer:
		return a
	case <-l.done:
		return c.last(call, l)
	case <-ctx.Done():
		return arrival{err: &Error{Kind: Timeout, Err: ctx.Err()}} // the call stays open until it is answered
	}
}

// last returns the answer that came just before the stream ended, if it did.
func (c *Client) last(call *call, l *lane) arrival {
	c.calls.end(call.number)
	select {
	case a := <-call.box.answer:
		return a
	default:
		return arrival{err: l.err}
	}
}

// write sends what callers hand over. The reader learns why a stream ends.
func (l *lane) write() {
	for {
		select {
		case m := <-l.out:
			if l.stream.SendMsg(m) != nil {
				return
			}
		case <-l.done:
			return
		}
	}
}

// readLane hands answers to their callers until the stream ends. A stream that
// ends while the process lives is opened again, once it has been of use; a
// process without a connection is of none.
func (c *Client) readLane(l *lane) {
	answered := 0
	for {
		var message wire.Message
		if err := l.stream.RecvMsg(&message); err != nil {
			c.endLane(l, err, answered > 0)
			return
		}
		answered++
		if call := c.calls.end(message.Call); call != nil {
			c.handOver(call.box, message, call.bytes)
		}
	}
}

// handOver gives an answer to its caller. The next isn't read before this one
// has room, unless it is small.
func (c *Client) handOver(box *mailbox, message wire.Message, body int) {
	switch {
	case message.Len() <= smallAnswer:
		box.put(arrival{message: message})
	case !box.isLeft():
		// Who has room is reading, and gives it back soon.
		box.put(c.arrived(context.Background(), message, body))
	}
}

func (c *Client) endLane(l *lane, err error, useful bool) {
	l.cancel()
	lost := c.runs.Err() != nil || status.Code(err) == codes.Unavailable
	if lost {
		l.err = &Error{Kind: Crashed, Err: err}
	} else {
		l.err = &Error{Kind: Broken, Err: fmt.Errorf("the stream ended: %w", err)}
	}
	if lost || !useful || c.openLane() != nil {
		c.work.Go(c.killSoon)
	}
	close(l.done)
}

// killSoon ends a process that has no use any more, unless it ends by itself:
// a crash has closed the connection a moment before.
func (c *Client) killSoon() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if !c.ended(ctx) {
		c.process.kill()
	}
}
