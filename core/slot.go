package core

import (
	"time"

	"bellcrank.example/sdk"
)

// SlotKind says what a slot is the gate of.
type SlotKind uint8

// The kinds, in the order in which a batch locks them.
const (
	KeySlot      SlotKind = iota // a dedup key: at most one open incident
	SeriesSlot                   // a recurring problem: links episodes with different keys
	FallbackSlot                 // a failure code: at most one open fallback incident
	AliasSlot                    // an event without identity, by its bytes
	GroupSlot                    // a group of incidents: its newest
)

// SlotRef names a slot within the store.
type SlotRef struct {
	Tenant      int64
	Integration string
	Kind        SlotKind
	Hash        [16]byte
}

// Slot is race gate, out-of-order tombstone and number guard of one key in
// one: who holds it decides what an event on that key does.
type Slot struct {
	Open ID // the incident that is open, zero if none is
	Last ID // the newest incident, open or not

	// Marks are the newest events on the key, in the order in which they were
	// said, which needn't be that of their arrival. Only a key's slot has them.
	Marks []Mark
	Cut   bool // older marks were forgotten

	// The newest event by the order that Fold uses. An event that is behind it
	// never writes these.
	LastOp         sdk.Action
	LastRequest    ID
	LastIndex      int
	LastSourceAt   time.Time
	LastReceivedAt time.Time

	// Transitions are when the series came and went of late, oldest first. Only
	// kept where flapping is looked for.
	Transitions []time.Time

	Changed bool // the batch has changed it
}

// take makes e the newest event of the slot.
func (s *Slot) take(c *Change, e *Event) {
	s.LastOp, s.LastRequest, s.LastIndex = e.Action, c.Request.ID, e.Index
	s.LastSourceAt, s.LastReceivedAt = e.OccurredAt, c.Request.ReceivedAt
	s.Changed = true
}
