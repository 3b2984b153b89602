package client

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Kind says why a call has no answer.
type Kind string

// The kinds.
const (
	Gone    Kind = "gone"    // the process had ended before the call: it was never in it
	Timeout Kind = "timeout" // the call's time is over
	Crashed Kind = "crashed" // the process ended, or the connection to it
	Broken  Kind = "broken"  // the answer breaks the contract
)

// Error is a call without an answer. What the adapter itself says is wrong is
// an *sdk.Failure instead.
type Error struct {
	Kind Kind
	Err  error
}

// Error makes *Error an error.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Kind, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// transportError says what a gRPC status means.
func (c *Client) transportError(err error) *Error {
	switch status.Code(err) {
	case codes.DeadlineExceeded, codes.Canceled:
		if c.runs.Err() == nil {
			return &Error{Kind: Timeout, Err: err}
		}
		return &Error{Kind: Crashed, Err: err}
	case codes.Unavailable:
		return &Error{Kind: Crashed, Err: err}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &Error{Kind: Timeout, Err: err}
	}
	return &Error{Kind: Broken, Err: err}
}
