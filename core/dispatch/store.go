package dispatch

import (
	"context"
	"time"

	"bellcrank.example/core"
)

// Store is what dispatch remembers. Due and NextDue look only at rows in state
// due; a lane has all its unfinished rows, oldest version first.
type Store interface {
	// Due lists the destination's lanes that have a row whose NextAt is not
	// after now, the longest waiting first, at most limit.
	Due(ctx context.Context, destination string, now time.Time, limit int) ([]core.Lane, error)
	// NextDue returns when the destination's next row is due, zero if none
	// waits.
	NextDue(ctx context.Context, destination string) (time.Time, error)
	// Deliveries lists deliveries, newest first.
	Deliveries(ctx context.Context, f core.DeliveryFilter) ([]core.Delivery, error)
	// Creditors lists the destinations that have unfinished rows.
	Creditors(ctx context.Context) ([]string, error)
	// Parked lists lanes of a disabled destination in order of their oldest
	// row, starting behind the row id after; at most limit.
	Parked(ctx context.Context, destination string, after core.ID, limit int) ([]core.Lane, error)
	// Version returns one version of an incident with its snapshot.
	Version(ctx context.Context, incident core.ID, number int) (core.Version, error)
	// Memory returns what a destination's sender remembers of an incident, empty
	// if nothing.
	Memory(ctx context.Context, incident core.ID, destination string) (string, error)
	// Record returns once the outcome of an attempt is on stable storage. After
	// an error it is called again with the same outcome, which may have been
	// stored all the same: storing it twice is harmless. If
	// the destination becomes disabled, its due rows are parked in the same
	// transaction; Release works as core.Outcome says.
	Record(ctx context.Context, o core.Outcome) error
	// SetDestination stores a change of a destination's state that no attempt
	// caused: a person's, or a probe's time. Disabling parks its rows, enabling
	// releases them from its Since on, one every 20 ms.
	SetDestination(ctx context.Context, s core.DestinationState) error
	// DestinationStates lists all that is stored.
	DestinationStates(ctx context.Context) ([]core.DestinationState, error)
}
