package client

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
)

// maxStep is the largest answer of a destination, in bytes: a request with its
// body.
const maxStep = 1<<20 + 64<<10

// Deliver asks a destination what is to be done next. An error wraps an *Error.
// It returns when ctx ends, whatever the process does.
func (c *Client) Deliver(ctx context.Context, d sdk.Delivery) (sdk.Step, error) {
	if c.runs.Err() != nil {
		return sdk.Step{}, &Error{Kind: Gone, Err: errGone}
	}
	generation, err := c.generation(ctx, sdk.Request{Integration: d.Destination, Settings: d.Settings})
	if err != nil {
		return sdk.Step{}, err
	}
	deadline, _ := ctx.Deadline()
	m, err := wire.FromDelivery(d, generation, deadline)
	if err != nil {
		return sdk.Step{}, &Error{Kind: Broken, Err: err}
	}
	giveBack, err := c.sending.take(ctx, maxStep)
	if err != nil {
		return sdk.Step{}, &Error{Kind: Timeout, Err: err}
	}
	defer giveBack()
	call := c.calls.begin(ctx, 0)
	defer c.calls.end(call.number)
	answer, err := c.target.Deliver(ctx, m, grpc.ForceCodecV2(wire.Codec()), grpc.MaxCallRecvMsgSize(maxStep))
	if err != nil {
		return sdk.Step{}, c.transportError(err)
	}
	step := wire.ToStep(answer)
	if step.Request == nil && step.Outcome == nil {
		return sdk.Step{}, &Error{Kind: Broken, Err: errors.New("the answer is neither request nor outcome")}
	}
	return step, nil
}
