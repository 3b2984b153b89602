package core

import (
	"fmt"
	"time"
)

// Redo is what a person wants done with deliveries.
type Redo struct {
	Action RedoAction
	// NewID sends the change once more under an id of its own, linked to the
	// old one, whatever became of that.
	NewID bool
}

// RedoAction is what is done.
type RedoAction string

// The actions.
const (
	RetryDelivery   RedoAction = "retry"
	DiscardDelivery RedoAction = "discard"
)

// Apply returns the delivery as it shall be, or an error with code Conflict
// that says why it stays as it is. overtaken says that the destination has
// taken a newer change of the incident, and down that it is disabled.
func (r Redo) Apply(d Delivery, overtaken, down bool, now time.Time) (Delivery, error) {
	switch {
	case r.Action == DiscardDelivery:
		return discard(d, now)
	case r.NewID:
		return again(d, down, now), nil
	case d.State == DeliveryDue:
		d.NextAt = now
		return d, nil
	case d.State != DeliveryDead && d.State != DeliveryDiscarded:
		return d, conflict("It is %s; only what is due, dead or discarded is tried again. A new id sends it once more all the same.", d.State)
	case overtaken:
		return d, conflict("The destination has had a newer change of the incident. A new id sends this one all the same.")
	}
	return again(d, down, now), nil
}

func discard(d Delivery, now time.Time) (Delivery, error) {
	if !d.State.Unfinished() && d.State != DeliveryDead {
		return d, conflict("It is %s already.", d.State)
	}
	d.State, d.DoneAt = DeliveryDiscarded, now
	return d, nil
}

// again returns the delivery as one that was never tried.
func again(d Delivery, down bool, now time.Time) Delivery {
	d.State, d.NextAt, d.DoneAt = DeliveryDue, now, time.Time{}
	d.Attempt, d.FaultTries, d.Fault, d.FirstAt = 0, 0, NoFault, time.Time{}
	d.FoldedInto, d.LastError, d.CreatedAt = 0, "", now
	if down {
		d.State = DeliveryParked
	}
	return d
}

func conflict(format string, args ...any) error {
	return &Error{Code: Conflict, Message: fmt.Sprintf(format, args...)}
}

// Bulk is a Redo of many deliveries. It goes on after a restart where it was.
type Bulk struct {
	ID     ID
	Tenant int64
	Redo
	Filter    DeliveryFilter // Page isn't used; Until is when it began
	State     BulkState
	Total     int // deliveries when it began
	Done      int // looked at so far
	Changed   int // of those
	Cursor    ID  // of the last that was looked at
	CreatedAt time.Time
	EndedAt   time.Time
}

// BulkState says how far a bulk operation is.
type BulkState string

// The states.
const (
	BulkRunning   BulkState = "running"
	BulkDone      BulkState = "done"
	BulkCancelled BulkState = "cancelled"
)
