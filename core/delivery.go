package core

import (
	"net/http"
	"net/netip"
	"time"
)

// DeliveryState says how far a delivery is.
type DeliveryState string

// The states.
const (
	DeliveryDue       DeliveryState = "due"
	DeliveryLeased    DeliveryState = "leased" // an attempt is under way
	DeliveryParked    DeliveryState = "parked" // its destination is disabled
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFolded    DeliveryState = "folded" // a newer version was delivered instead
	DeliveryDead      DeliveryState = "dead"
	DeliveryDiscarded DeliveryState = "discarded" // a person gave it up
)

// Unfinished reports whether something is still owed.
func (s DeliveryState) Unfinished() bool {
	return s == DeliveryDue || s == DeliveryLeased || s == DeliveryParked
}

// Delivery is one version of an incident that one destination is owed.
type Delivery struct {
	ID          ID
	Tenant      int64
	Incident    ID
	Number      int64 // of the incident; only in lists
	Version     int
	Kind        Kind // what this destination is told: a newly matched one gets created
	Destination string
	State       DeliveryState
	Attempt     int        // attempts that were made
	NextAt      time.Time  // when the next is due
	Fault       FaultClass // of the last attempt
	FirstAt     time.Time  // of the first attempt
	CreatedAt   time.Time
	DoneAt      time.Time
	FoldedInto  ID
	ResendOf    ID // the delivery that a person has sent once more by this one
	LastError   string
	FaultTries  int // attempts that ended in a delivery-fault
}

// MessageID returns the webhook-id: the same for every attempt.
func (d *Delivery) MessageID() string { return "msg_" + d.ID.String() }

// FaultClass says whose fault a failed attempt was.
type FaultClass string

// The classes.
const (
	NoFault          FaultClass = ""            // not tried, or delivered
	DestinationFault FaultClass = "destination" // it is down or misconfigured: everything would fail
	DeliveryFault    FaultClass = "delivery"    // it dislikes this one
	Throttled        FaultClass = "throttled"   // it asks us to wait
	Gone             FaultClass = "gone"        // 410
)

// Attempt is one try at a delivery.
type Attempt struct {
	ID          ID
	Tenant      int64
	Delivery    ID
	Destination string
	Number      int
	At          time.Time // of its start
	Took        time.Duration
	Status      int // HTTP status, zero if there was none
	Class       FaultClass
	Error       string
	Snippet     string // the beginning of the answer's body
	Address     netip.AddrPort
	Sent        Sent
	Header      http.Header // of the answer, without secrets
}

// Sent is what a destination was asked, without the body: that can be made
// again from the version. It holds no secrets. Empty if nothing was sent, or
// not by HTTP.
type Sent struct {
	Method string      `json:"method,omitempty"`
	URL    string      `json:"url,omitempty"` // only scheme and host
	Header http.Header `json:"header,omitempty"`
}

// Lane is what one destination is still owed of one incident, in order of
// version. Only one of its deliveries is ever under way.
type Lane struct {
	Incident    ID
	Destination string
	Deliveries  []Delivery // unfinished, oldest version first
}

// Outcome is what an attempt changes, decided by the rules here and stored in
// one transaction.
type Outcome struct {
	// Attempt is what was tried. Its Delivery is zero if nothing was, and only
	// rows change.
	Attempt Attempt
	// Deliveries are those rows of the lane that the attempt changed, as they
	// shall be now. A row is written only while it is unfinished.
	Deliveries []Delivery
	// FoldOlder, if not zero, folds every unfinished row of the lane below
	// this version into the delivery of the attempt.
	FoldOlder int
	// Remember, if not empty, is what the sender is to be told again with later
	// messages about the attempt's incident.
	Remember string
	// Destination is the destination's state as it shall be now, nil if it
	// stays. If it becomes disabled, all its unfinished rows are parked; if it
	// becomes active, DueAt spreads them.
	Destination *DestinationState
	// Release makes the destination's rows that wait because of a
	// destination-fault, or are parked, due again: the first at ReleaseFrom,
	// then one every ReleaseStep. A row that is due earlier stays so.
	Release     bool
	ReleaseFrom time.Time
	ReleaseStep time.Duration
}

// Routes decides who hears of an incident.
type Routes interface {
	// Decide lists the destinations ("TYPE/NAME") that hear of the incident as
	// it is now, without repeats, and what each route that was asked said.
	Decide(in *Incident) ([]string, []Decision)
	// Instead lists the destinations that hear of the incident because others,
	// which it should be told to, are down.
	Instead(in *Incident, down func(destination string) bool) []string
	// Wants reports whether the destination takes versions of this kind.
	Wants(destination string, kind Kind) bool
	// Hold says whether something keeps the news of the incident back, and for
	// how long.
	Hold(in *Incident, now time.Time) (Hold, bool)
	// Generation counts the configurations that were loaded.
	Generation() int64
}
