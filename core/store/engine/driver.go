package engine

import (
	"context"
	"errors"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/core/health"
	"bellcrank.example/core/intake"
)

// What went wrong with a database, as far as the engine cares. Drivers wrap
// their errors with one of these; every other error is the statement's own.
var (
	// ErrFull says that the disk is full. It may have room again later.
	ErrFull = errors.New("disk is full")
	// ErrBroken says that the database can't be trusted any more: an I/O error,
	// or corruption. What a failed sync has left behind only a fresh start can
	// tell.
	ErrBroken = errors.New("database is broken")
)

// Driver is a database that the engine writes to, and that everybody reads.
type Driver interface {
	Reader
	// Begin starts the writer's transaction. There is only one at a time.
	Begin(ctx context.Context) (Tx, error)
	// HighWater returns the greatest id that is stored.
	HighWater(ctx context.Context) (core.ID, error)
	// FindDelivery returns the request that first brought the delivery, zero if
	// none did.
	FindDelivery(ctx context.Context, tenant int64, integration string, key core.DeliveryKey) (core.ID, error)
	// Summaries returns the incidents with these ids, in their order; those
	// that are gone are left out.
	Summaries(ctx context.Context, ids []core.ID) ([]core.IncidentSummary, error)
	// Prune starts a pass over everything that is past its time.
	Prune(c Cutoffs) Pruning
	// Checkpoint moves what is committed to where it stays, without stopping
	// the writer. It runs beside the writer.
	Checkpoint(ctx context.Context) error
	Close() error
}

// Reader is every question that is answered without the writer.
type Reader interface {
	dispatchReader
	health.Store

	Owed(ctx context.Context, skip []string, now time.Time, before core.ID, limit int) ([]*core.Request, error)
	Neglected(ctx context.Context, receivedBefore time.Time, limit int) ([]*core.Request, error)

	// Incidents lists incidents, newest first.
	Incidents(ctx context.Context, f core.IncidentFilter) ([]*core.Incident, error)
	// Incident returns the incident with a number, a *core.Error with code
	// NotFound if there is none.
	Incident(ctx context.Context, number int64) (core.IncidentDetail, error)
	// Requests lists requests without bodies, newest first.
	Requests(ctx context.Context, f core.RequestFilter) ([]*core.Request, error)
	// Request returns a request with its body, a *core.Error with code NotFound
	// if there is none.
	Request(ctx context.Context, id core.ID) (*core.Request, error)
	// Deliveries lists deliveries, newest first.
	Deliveries(ctx context.Context, f core.DeliveryFilter) ([]core.Delivery, error)
	// CountDeliveries counts deliveries.
	CountDeliveries(ctx context.Context, f core.DeliveryFilter) (int, error)
	// DeadLetters says of each destination what was given up.
	DeadLetters(ctx context.Context) ([]core.DeadLetters, error)
	// Delivery returns a delivery, a *core.Error with code NotFound if there is
	// none.
	Delivery(ctx context.Context, id core.ID) (core.Delivery, error)
	// Bulks lists bulk operations, newest first; only those that run if running.
	Bulks(ctx context.Context, running bool) ([]core.Bulk, error)
	// Attempts lists the attempts at a delivery, oldest first.
	Attempts(ctx context.Context, delivery core.ID) ([]core.Attempt, error)
	// Backlog counts what is owed.
	Backlog(ctx context.Context) (core.Backlog, error)
	// Explain tells what made the incident with a number what it is, a
	// *core.Error with code NotFound if there is none.
	Explain(ctx context.Context, number int64) (core.Explanation, error)
	// AuditRequests looks at the requests after an id, at most limit.
	AuditRequests(ctx context.Context, after core.ID, limit int) (core.AuditPage, error)
	// AuditVersions looks at the versions after an id, at most limit, and at
	// what destinations got of them.
	AuditVersions(ctx context.Context, after core.ID, limit int) (core.AuditPage, error)
	// CompareCounts compares how many requests were counted at their commit
	// with how many there are.
	CompareCounts(ctx context.Context, since time.Time) (core.AuditPage, error)

	scheduleReader
	shapeReader
}

// dispatchReader is the part of dispatch.Store that doesn't write.
type dispatchReader interface {
	Due(ctx context.Context, destination string, now time.Time, limit int) ([]core.Lane, error)
	NextDue(ctx context.Context, destination string) (time.Time, error)
	Creditors(ctx context.Context) ([]string, error)
	Parked(ctx context.Context, destination string, after core.ID, limit int) ([]core.Lane, error)
	Version(ctx context.Context, incident core.ID, number int) (core.Version, error)
	Memory(ctx context.Context, incident core.ID, destination string) (string, error)
	DestinationStates(ctx context.Context) ([]core.DestinationState, error)
}

// shapeReader is the part of drift.Store that doesn't write.
type shapeReader interface {
	Shapes(ctx context.Context) ([]core.Shape, error)
}

// scheduleReader is the part of schedule.Store that doesn't write.
type scheduleReader interface {
	Waking(ctx context.Context, now time.Time, limit int) ([]core.Waking, error)
	Silences(ctx context.Context, endsAfter time.Time) ([]core.Silence, error)
	Silence(ctx context.Context, id core.ID) (core.Silence, error)
	Pulses(ctx context.Context) ([]core.Pulse, error)
	LastBeat(ctx context.Context, integration string) (time.Time, error)
	Listening(ctx context.Context) (since, at time.Time, err error)
}

// Tx is the writer's transaction, in the steps of a batch.
type Tx interface {
	// Gate takes what the batch's changes need, in the order given, and loads
	// what they are about.
	Gate(ctx context.Context, g Gate) (Gated, error)
	// Lanes returns the newest unfinished delivery of each lane that has one.
	Lanes(ctx context.Context, refs []LaneRef) (map[LaneRef]core.Delivery, error)
	// Draw takes n incident numbers and returns the first. They are free again
	// if the transaction is rolled back.
	Draw(ctx context.Context, tenant int64, n int) (int64, error)
	// Write stores everything.
	Write(ctx context.Context, w *Writes) error
	// Record stores what an attempt changed: the attempt with the given id, and
	// the rows that are unfinished still.
	Record(ctx context.Context, o core.Outcome) error
	// SetDestination stores a destination's state. A disabled one has its due
	// rows parked.
	SetDestination(ctx context.Context, s core.DestinationState) error
	// Waiting returns open incidents of which a destination is still owed
	// something, newest first.
	Waiting(ctx context.Context, destination string, limit int) ([]*core.Incident, error)
	// Find returns a delivery, a zero one if there is none.
	Find(ctx context.Context, id core.ID) (core.Delivery, error)
	// Overtaken reports whether the destination took a newer version of the
	// incident than the delivery's.
	Overtaken(ctx context.Context, d core.Delivery) (bool, error)
	// InsertDelivery stores a new delivery, and PutDelivery one that is there,
	// finished or not.
	InsertDelivery(ctx context.Context, d core.Delivery) error
	PutDelivery(ctx context.Context, d core.Delivery) error
	// Next lists deliveries by id, from the one behind after; at most limit.
	Next(ctx context.Context, f core.DeliveryFilter, after core.ID, limit int) ([]core.Delivery, error)
	// Count counts deliveries.
	Count(ctx context.Context, f core.DeliveryFilter) (int, error)
	// Bulk returns a bulk operation, a zero one if there is none, and PutBulk
	// stores one.
	Bulk(ctx context.Context, id core.ID) (core.Bulk, error)
	PutBulk(ctx context.Context, b core.Bulk) error
	// Release makes rows due again: those parked, and those that wait because
	// of a destination-fault.
	Release(ctx context.Context, destination string, from time.Time, step time.Duration) error
	// Resume makes an integration's held requests open and due, oldest first,
	// at most limit, and returns how many.
	Resume(ctx context.Context, integration string, now time.Time, limit int) (int, error)
	// Rouse makes what is held back due to be woken.
	Rouse(ctx context.Context, now time.Time) error
	// SetSilence stores a silence.
	SetSilence(ctx context.Context, s core.Silence) error
	// SetPulse stores what is known of a heartbeat.
	SetPulse(ctx context.Context, p core.Pulse) error
	// SetListening stores since when the gateway has heard, and up to when.
	SetListening(ctx context.Context, since, at time.Time) error
	// SetShape stores the shape of an integration's requests.
	SetShape(ctx context.Context, s core.Shape) error
	// Touch writes something, so that the commit is a real one.
	Touch(ctx context.Context, now time.Time) error
	Commit(ctx context.Context) error
	// Rollback undoes everything. It is harmless when the database has left the
	// transaction by itself.
	Rollback(ctx context.Context) error
}

// Gate is what a batch has to hold before it may fold. All lists are sorted.
type Gate struct {
	Deliveries []DeliveryClaim
	Claims     []Claim
	Slots      []core.SlotRef
	Incidents  []core.ID // to be loaded whatever slot they are in
}

// DeliveryClaim stores that a request was the first to bring a delivery.
type DeliveryClaim struct {
	Tenant      int64
	Integration string
	Key         core.DeliveryKey
	Request     core.ID
}

// Claim takes a stored request that has From events applied.
type Claim struct {
	Request core.ID
	From    int
	State   core.RequestState // that it must be in
}

// Gated is the answer to a Gate.
type Gated struct {
	Earlier map[core.ID]core.ID  // a request whose delivery came before -> the earlier request
	Reused  map[core.ID]bool     // requests whose delivery id came before with another body
	Claimed map[core.ID]Progress // requests that could be claimed
	Slots   map[core.SlotRef]*core.Slot
	// Incidents holds the open incident of each slot, else its last one; and
	// of each of those that of its group.
	Incidents map[core.ID]*core.Incident
}

// Progress is what folding has noted on a request so far. The stored truth
// outranks a caller's copy: somebody else may have raised a fallback incident
// for the request since it was read.
type Progress struct {
	Incidents  []core.ID
	Total      int
	Fallback   core.ID
	FallbackOf core.Code
}

// LaneRef names a lane.
type LaneRef struct {
	Destination string
	Incident    core.ID
}

// Writes is everything that a batch stores, except what Record stores.
type Writes struct {
	Inserted   []Stored
	Updated    []*core.Request // without what never changes
	Slots      map[core.SlotRef]*core.Slot
	Created    []*core.Incident
	Changed    []*core.Incident
	Timeline   []core.TimelineEntry
	Versions   []core.Version
	Deliveries []core.Delivery
	Amended    []core.Amendment
	Unclaimed  []DeliveryClaim // taken by the gate for what was refused
	Requests   []Count         // per integration and hour
	Attempts   []Count         // per destination and hour
	Refusals   []Refused
	Repeats    map[core.ID]int // deliveries that were sent again, by request
	Now        time.Time
}

// Stored is a request with its body as it is stored.
type Stored struct {
	*core.Request
	Body    []byte
	Deflate bool // Body is compressed
}

// Refused is a refusal with its id.
type Refused struct {
	ID core.ID
	core.Refusal
}

// Count is what happened to one integration or destination within a minute.
type Count struct {
	Tenant  int64
	Subject string // "TYPE/NAME"
	Minute  time.Time
	core.Tally
}

// Cutoffs says up to when things of a kind are past their time.
type Cutoffs struct {
	Requests    time.Time
	Quarantined time.Time
	Attempts    time.Time
	Incidents   time.Time
	DeadLetters time.Time // those from before count as discarded
	DeliveryIDs time.Time
	Slots       time.Time
	Counts      time.Time // of requests by the hour
	Minutes     time.Time // of what happened by the minute
	Silences    time.Time
}

// Pruning is a pass that deletes in small steps, each a transaction of its
// own between two batches. What is owed or given up, and what open incidents
// tell of, is never deleted.
type Pruning interface {
	// Step deletes a little and reports whether the pass is done.
	Step(ctx context.Context) (done bool, err error)
}

// Engine does what these two stores ask, together with a Reader.
var (
	_ intake.Store = struct {
		*Engine
		Reader
	}{}
	_ dispatch.Store = struct {
		*Engine
		Reader
	}{}
)
