package client

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/semaphore"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
)

// How much of anything an answer may have. Who reads answers cuts what is
// more; what has sixteen times as much, or an event more than it may have, is
// never read.
const (
	MaxServices = 100 // of an event
	MaxLabels   = 256 // of an event
	MaxLinks    = 32  // of an event
	MaxNotes    = 100
	MaxPaths    = 4_096 // that were read

	absurd = 16

	// DefaultEvents is how many events an answer may have where the adapter
	// declares nothing, its rejections among them, and mostEvents whatever it
	// declares.
	DefaultEvents = 1_000
	mostEvents    = 65_536
)

// A plugin is a stranger's program, and its answers must not fill the gateway's
// memory. The worst that one can do, asked by small requests, where what is on
// its way takes its size twice, in the library's buffers and as a copy:
//
//   - 8 MiB for an answer on the stream, which is read on only when this one has
//     room or is small; or 16 MiB for two batches, or for 64 calls of firstAnswer.
//   - 32 MiB for the one answer that is larger than that, see largestAnswer.
//   - 16 MiB, roomForAnswers, for those that are being read and checked.
//
// So it is 56 MiB for a plugin with a stream, and 64 for others. A large request
// may have an answer as large as it needs, one at a time: largestRead. Calls for
// larger bodies, and those of destinations, have at most roomForCalls. What was
// read and checked is bounded by whoever keeps it.
const (
	roomForAnswers = 16 << 20
	roomForCalls   = 16 << 20
	// smallAnswer is how large an answer on the stream may be, in bytes, that
	// waits for its room in its caller's hands instead of the reader's.
	smallAnswer = 16 << 10
)

// largestRead is how many bytes the answer to a body may take once it is read.
func largestRead(body int) int { return 16<<20 + 10*body }

// firstAnswer is how many bytes an answer may have before it has to wait for
// its turn, and largestAnswer how many at all.
func firstAnswer(body int) int   { return min(128<<10+4*body, wire.MaxExchangeMessage) }
func largestAnswer(body int) int { return min(16<<20+4*body, wire.MaxAnswer) }

// room is how many bytes something may take at a time. What is larger takes all
// of it.
type room struct {
	size int64
	left *semaphore.Weighted
}

func newRoom(size int64) room { return room{size, semaphore.NewWeighted(size)} }

// take waits for so many bytes. Who has them gives them back.
func (r room) take(ctx context.Context, n int) (giveBack func(), err error) {
	taken := min(int64(n), r.size)
	if err := r.left.Acquire(ctx, taken); err != nil {
		return nil, err
	}
	return func() { r.left.Release(taken) }, nil
}

// bounds are those of this adapter's answers.
func (c *Client) bounds() wire.Bounds {
	events := c.info.Limits.Events
	if events <= 0 {
		events = DefaultEvents
	}
	events = min(events, mostEvents)
	return wire.Bounds{
		Events: events, Services: absurd * MaxServices, Labels: absurd * MaxLabels, Links: absurd * MaxLinks,
		Notes: max(absurd*MaxNotes, events), Paths: absurd * MaxPaths,
	}
}

// admit waits until there is room to read the answer to a body.
func (c *Client) admit(ctx context.Context, m wire.Message, body int) (giveBack func(), err error) {
	bounds := c.bounds()
	size, err := m.Measure(bounds)
	if n, many := errors.AsType[wire.TooManyEvents](err); many {
		return nil, &sdk.Failure{Code: sdk.TooLarge, Message: fmt.Sprintf("%d events in one request, %d are the most", int(n), bounds.Events)}
	}
	if err != nil {
		return nil, &Error{Kind: Broken, Err: fmt.Errorf("the answer has %w", err)}
	}
	if most := largestRead(body); size > most {
		return nil, &sdk.Failure{Code: sdk.TooLarge, Message: fmt.Sprintf("the answer takes about %d bytes of memory, %d are the most", size, most)}
	}
	if giveBack, err = c.reading.take(ctx, size); err != nil {
		return nil, &Error{Kind: Timeout, Err: err}
	}
	return giveBack, nil
}

// arrival is what became of a request: an answer with the room to read it, or
// an error.
type arrival struct {
	message  wire.Message
	giveBack func() // nil: it has no room yet
	err      error
}

// arrived is an answer that has its room, or whatever keeps it from that.
func (c *Client) arrived(ctx context.Context, m wire.Message, body int) arrival {
	giveBack, err := c.admit(ctx, m, body)
	return arrival{m, giveBack, err}
}

func (a arrival) drop() {
	if a.giveBack != nil {
		a.giveBack()
	}
}
