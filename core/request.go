package core

import (
	"net/http"
	"net/netip"
	"time"
)

// RequestState says how far a request is on its way.
type RequestState string

// The states. Open and held requests are work that is owed; the others are
// ends, from which a replay can open a request again.
const (
	RequestOpen        RequestState = "open"        // stored, not yet adapted to its end
	RequestHeld        RequestState = "held"        // stored for a paused integration
	RequestDone        RequestState = "done"        // its events are applied
	RequestIgnored     RequestState = "ignored"     // recognised; nothing to do
	RequestQuarantined RequestState = "quarantined" // nobody could read it; a fallback incident tells of it
	RequestRejected    RequestState = "rejected"    // refused with a 4xx, kept to be looked at
)

// Request is a webhook request that we have promised to handle: an inbox
// entry. Its id is the receipt.
type Request struct {
	ID          ID
	Tenant      int64
	Integration string // "TYPE/NAME"
	KeyID       string // which of the integration's routing keys was used
	ReceivedAt  time.Time
	Source      netip.Addr
	Method      string
	Path        string      // what followed the key
	Query       string      // as sent
	Header      http.Header // those that we keep
	Body        []byte      // byte for byte as sent
	Encoding    string      // Content-Encoding of Body, "" for identity
	Test        bool        // sent to try the path
	Delivery    DeliveryKey
	Unverified  bool   // its signature could not be judged at the door: no adapter sees it before
	LetIn       string // which rule let its address in
	Verified    string // how its signature was verified, or why it wasn't

	State       RequestState
	Code        Code      // why it is quarantined or rejected
	Reason      string    // the same in words, or why it is ignored
	Notes       []string  // the adapter's remarks
	Rejected    []string  // elements of the batch that could not be read
	Adapter     string    // "name version", of the answer that was applied
	AdapterHash string    // SHA-256 in hex of its file, as pinned
	Attempt     int       // calls that reached a ready adapter
	NextAt      time.Time // when an open request is due for the sweep
	AppliedTo   int       // so many of its events are applied
	AppliedOf   string    // SHA-256 in hex of the event list that AppliedTo counts in
	Incidents   []ID      // those that its events touched, 100 at most
	Total       int       // how many its events touched
	Fallback    ID        // the fallback incident that stands for it while nobody can read it
	FallbackOf  Code      // what that incident was raised for
	Duplicates  int       // repeats that were recognised
	Quiet       bool      // what comes of it is delivered to nobody: it was replayed so
}

// DeliveryKey recognises a repeated delivery. Both hashes are the first 16
// bytes of SHA-256; a zero ID means that the delivery has none.
type DeliveryKey struct {
	ID   [16]byte
	Body [16]byte
}

// Receipt is what the sender learns.
type Receipt struct {
	Request   ID
	State     RequestState
	Code      Code
	Reason    string
	Field     string            // the offending member, of a rejected request
	Incidents []IncidentSummary // 100 at most
	Total     int               // how many incidents there are in all
	Duplicate bool              // the sender has sent this delivery before
	Warnings  []string
	Reply     *Reply
}

// Reply is an answer that a vendor's handshake expects instead of ours.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
}
