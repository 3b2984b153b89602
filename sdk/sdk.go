// Package sdk is everything an adapter author needs to know: what arrives
// (Request), what leaves (Result and its Events) and the one interface
// between them (Adapter).
//
// It imports only the standard library, so an adapter's tests build in
// milliseconds. How an adapter becomes a process is package serve's business.
package sdk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Adapter turns one vendor's webhook requests into events.
//
// An adapter is a pure function of its input: no state between calls, no
// network, no files. The gateway may call Adapt many times at once, may call
// it again for a request it has seen before, and may throw an answer away.
type Adapter interface {
	// Describe says what the adapter is and what it needs. The answer is
	// constant: it is recorded when the executable is pinned and trusted from
	// then on without starting the process.
	Describe() Info
	// Adapt maps a request to events. An error that is (or wraps) a *Failure
	// says what is wrong with the request; any other error is the adapter's
	// own fault and the request is tried again later.
	Adapt(ctx context.Context, r Request) (Result, error)
}

// Request is one webhook request as a vendor sent it.
type Request struct {
	// ID is the receipt's id: the same through every attempt and replay.
	ID string
	// Method is the HTTP method in upper case.
	Method string
	// Path is what followed the routing key, without a leading slash; usually
	// empty.
	Path string
	// Query holds the decoded query parameters.
	Query url.Values
	// Header holds only those headers that Info.Headers asks for, with
	// canonical names.
	Header http.Header
	// Body is the body after content decoding, otherwise byte for byte as
	// sent. It may be empty, and it need not be JSON or valid UTF-8.
	Body []byte
	// Source is the address of the sender, behind declared proxies.
	Source netip.Addr
	// ReceivedAt is when the gateway had read the last byte.
	ReceivedAt time.Time
	// Integration is "TYPE/NAME".
	Integration string
	// Settings is the integration's settings as a JSON object, validated
	// against Info.Settings and filled up with defaults. Decode it with
	// the function Settings.
	Settings json.RawMessage
	// Attempt counts the calls for this request from 1.
	Attempt int
}

// Result is what an adapter made of a request. Its parts may stand together:
// a batch can have nine events, one rejection and a note. A result without
// event, rejection, Ignored and Reply breaks the contract and is treated as a
// Failure with code Internal.
type Result struct {
	// Events in the order in which the vendor said them.
	Events []Event `json:"events,omitempty"`
	// Rejected lists the elements of a batch that could not be read. They
	// are kept visible; the other elements are not lost with them.
	Rejected []Rejection `json:"rejected,omitempty"`
	// Ignored is the reason why nothing is to be done for this request:
	// a handshake, a comment, an installation notice.
	Ignored string `json:"ignored,omitempty"`
	// Reply is the answer that the vendor's handshake expects.
	Reply *Reply `json:"reply,omitempty"`
	// Confirm asks the gateway to fetch a URL that completes a subscription.
	// It does so only if the host matches Info.ConfirmHosts.
	Confirm *Confirm `json:"confirm,omitempty"`
	// Notes are remarks for the operator, shown with the request:
	// "truncated by the sender", "the template is not rendered".
	Notes []string `json:"notes,omitempty"`
	// PathsRead lists the JSON paths that the adapter found and read, for one
	// that can't list them ahead in Info.Reads.
	PathsRead []string `json:"paths_read,omitempty"`
}

// Rejection is one element of a batch that could not be read.
type Rejection struct {
	Index  int    `json:"index"`          // position in the batch, from 0
	Path   string `json:"path,omitempty"` // JSON path of what was wrong, such as "alerts[3].labels"
	Reason string `json:"reason"`         // for the operator
}

// Reply is a synchronous answer to a vendor's handshake.
type Reply struct {
	Status      int    `json:"status,omitempty"`       // HTTP status; 200 if zero
	ContentType string `json:"content_type,omitempty"` // "text/plain; charset=utf-8" if empty
	Body        []byte `json:"body,omitempty"`
}

// Confirm asks the gateway for one GET request.
type Confirm struct {
	URL string `json:"url"` // absolute https URL
}

// Action is what an event does to its incident.
type Action string

// The actions. There is no "update": a repeat is a trigger.
const (
	Trigger     Action = "trigger"     // the problem exists
	Acknowledge Action = "acknowledge" // somebody works on it
	Resolve     Action = "resolve"     // the problem is gone
)

// Event is one thing that a vendor said, in the gateway's words.
type Event struct {
	// Action is required.
	Action Action `json:"action"`
	// DedupKey names the problem within its integration: events with the same
	// key belong to one incident. It must be the same for a problem's trigger
	// and its resolve. Empty means that the vendor gives no identity: every
	// trigger opens an incident of its own.
	DedupKey string `json:"dedup_key,omitempty"`
	// SeriesKey names the recurring problem when DedupKey names only one
	// occurrence of it (Datadog's cycle key). Empty: the DedupKey.
	SeriesKey string `json:"series_key,omitempty"`
	// Title is one line, required for a trigger. Longer than 512 bytes is cut.
	Title string `json:"title,omitempty"`
	// Description is free text; longer than 64 KiB is cut.
	Description string `json:"description,omitempty"`
	// Severity is empty when the vendor says none or uses an unknown word: the
	// operator decides then. A resolve carries no severity.
	Severity Severity `json:"severity,omitempty"`
	// SeverityRaw is the vendor's own word, which operators can map.
	SeverityRaw string `json:"severity_raw,omitempty"`
	// Service is the primary affected service.
	Service string `json:"service,omitempty"`
	// AffectedServices lists all affected services.
	AffectedServices []string `json:"affected_services,omitempty"`
	// CustomerImpact is nil when the vendor doesn't say.
	CustomerImpact *bool `json:"customer_impact,omitempty"`
	// SourceURL leads to the problem at the vendor: absolute http or https.
	SourceURL string `json:"source_url,omitempty"`
	// OccurredAt is the vendor's time of this event, zero if unknown.
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	// EndedAt is the vendor's time of the problem's end, zero if unknown.
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Test marks what was sent to try the path, not to report a problem.
	Test bool `json:"test,omitempty"`
	// Labels are short strings for routing and search.
	Labels map[string]string `json:"labels,omitempty"`
	// Metadata is everything else worth keeping. Numbers stay as written if
	// they are json.Number.
	Metadata map[string]any `json:"metadata,omitempty"`
	// Links lead to runbooks, dashboards, silences.
	Links []Link `json:"links,omitempty"`
	// IdentityRule says in a word or two where DedupKey comes from
	// ("fingerprint", "cycle key"), for the incident's explanation.
	IdentityRule string `json:"identity_rule,omitempty"`
}

// Link is a named URL on an incident.
type Link struct {
	Name string `json:"name"` // such as "Runbook"
	URL  string `json:"url"`  // absolute http or https
}

// FailureCode says what kind of failure it was, and so whose fault.
type FailureCode string

// The failure codes. The first three are the request's fault and final for
// this version of the adapter; the others are the adapter's.
const (
	Malformed   FailureCode = "MALFORMED"   // not parseable as this vendor's request
	Unsupported FailureCode = "UNSUPPORTED" // well-formed, but a kind or version that the adapter doesn't know
	TooLarge    FailureCode = "TOO_LARGE"   // over a limit that the adapter declares
	Busy        FailureCode = "BUSY"        // no capacity right now
	Internal    FailureCode = "INTERNAL"    // a bug or a broken promise of the adapter
)

// Failure is an error that says whose fault it is.
type Failure struct {
	Code    FailureCode `json:"code"`
	Path    string      `json:"path,omitempty"` // JSON path of the offending member
	Message string      `json:"message"`        // safe to show to the sender
}

// Error makes *Failure an error.
func (f *Failure) Error() string {
	if f.Path == "" {
		return string(f.Code) + ": " + f.Message
	}
	return string(f.Code) + ": " + f.Path + ": " + f.Message
}

// RequestFault reports whether the request itself is to blame, so that trying
// again with the same adapter is pointless.
func (f *Failure) RequestFault() bool {
	return f.Code == Malformed || f.Code == Unsupported || f.Code == TooLarge
}
