package core

import "fmt"

// AdaptFault says why an adapter gave no answer, as far as it isn't the
// request's fault.
type AdaptFault string

// The faults. Only the last three count as a try.
const (
	AdapterDown    AdaptFault = "down"    // not ready, restarting, quarantined, or its queue is full
	AdapterTimeout AdaptFault = "timeout" // reached, but no answer within the call's deadline
	AdapterCrash   AdaptFault = "crash"   // the process ended while the call was in it
	AdapterBroken  AdaptFault = "broken"  // INTERNAL, or an answer that breaks the contract
)

// AdaptError is a failure of the adapter. A failure of the request is an
// *sdk.Failure instead.
type AdaptError struct {
	Fault  AdaptFault
	Plugin string // the plugin's name
	Err    error
}

// Error makes *AdaptError an error.
func (e *AdaptError) Error() string {
	return fmt.Sprintf("adapter %s: %s: %v", e.Plugin, e.Fault, e.Err)
}

// Unwrap returns the cause.
func (e *AdaptError) Unwrap() error { return e.Err }
