package intake

import (
	"context"
	"time"

	"bellcrank.example/core"
)

// Store is what intake remembers.
type Store interface {
	// Commit returns once everything that the submission asks for is on stable
	// storage. Its errors are a *core.Error with code StoreUnavailable,
	// Overloaded or Internal, or core.ErrNotClaimed. If the delivery was seen
	// before, nothing is applied and the receipt is that of the first one,
	// marked as a duplicate.
	Commit(ctx context.Context, s *core.Submission) (core.Receipt, error)
	// Seen returns the receipt of the request that first brought this
	// delivery, marked as a duplicate, and counts the repeat.
	Seen(ctx context.Context, tenant int64, integration string, key core.DeliveryKey) (core.Receipt, bool, error)
	// Owed lists open requests that are due: NextAt is not after now, or
	// nobody has tried them and they are older than the id before. Those of
	// the integrations in skip are left out. Oldest first, at most limit, with
	// their bodies.
	Owed(ctx context.Context, skip []string, now time.Time, before core.ID, limit int) ([]*core.Request, error)
	// Resume makes some requests open and due that were held while their
	// integration was paused, and returns how many: 0 when none are left.
	Resume(ctx context.Context, integration string) (int, error)
	// Neglected lists open requests without a fallback incident that were
	// received before a time. Oldest first, at most limit, without bodies.
	Neglected(ctx context.Context, receivedBefore time.Time, limit int) ([]*core.Request, error)
}
