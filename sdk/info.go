package sdk

import (
	"encoding/json"
	"net/http"
	"time"
)

// Info is an adapter's description of itself. It is constant for an
// executable, so the gateway can record it once and apply limits, verify
// signatures and check settings while the process is down.
type Info struct {
	// Type is the integration type, such as "datadog": lower case letters,
	// digits and hyphens.
	Type string `json:"type"`
	// Role is RoleDestination for a plugin that delivers incident changes;
	// empty for one that adapts requests.
	Role string `json:"role,omitempty"`
	// Name is for people, such as "Datadog".
	Name string `json:"name"`
	// Version is the adapter's semantic version.
	Version string `json:"version"`
	// Summary is one sentence.
	Summary string `json:"summary,omitempty"`
	// DocsURL is the vendor's page on its webhooks.
	DocsURL string `json:"docs_url,omitempty"`
	// Sender is Machine unless people and scripts write the requests.
	Sender Sender `json:"sender,omitempty"`
	// EventTime is Observed if OccurredAt orders events of one problem, that
	// is if the vendor sets it when it says the event. Otherwise events are
	// ordered by arrival.
	EventTime EventTime `json:"event_time,omitempty"`
	// Methods lists the accepted HTTP methods; POST if empty.
	Methods []string `json:"methods,omitempty"`
	// Entrances lists further paths on which the adapter's requests arrive.
	Entrances []Entrance `json:"entrances,omitempty"`
	// Accepted is the answer to every request that is accepted, for clients of
	// the vendor that look at it; nil: the gateway's own. Its body is JSON with
	// {{receipt}} for the request's id, {{took}} for seconds such as 0.012,
	// {{body.NAME}} for a text or number at the top of the request's body, and
	// {{path.NAME}} for what an entrance's path names. {{a|b}} is the first
	// that isn't empty. It must not depend on the adapter: a request is
	// accepted also while that doesn't answer.
	Accepted *Reply `json:"accepted,omitempty"`
	// Headers names the request headers that Adapt wants to see.
	Headers []string `json:"headers,omitempty"`
	// DeliveryID says how a repeated delivery of the same request is
	// recognised. Without it repeats are settled by folding events.
	DeliveryID *DeliveryID `json:"delivery_id,omitempty"`
	// Signatures lists the schemes by which the vendor signs; the gateway
	// verifies them before the adapter sees the request.
	Signatures []SignatureScheme `json:"signatures,omitempty"`
	// ConfirmHosts lists host patterns for Result.Confirm, such as
	// "sns.*.amazonaws.com"; a star matches one DNS label.
	ConfirmHosts []string `json:"confirm_hosts,omitempty"`
	// Limits overrides the gateway's defaults.
	Limits Limits `json:"limits,omitzero"`
	// Concurrency is how many calls the adapter takes at once; 64 if zero.
	Concurrency int `json:"concurrency,omitempty"`
	// Settings is the schema of the integration's settings, best made by
	// SettingsOf.
	Settings []Setting `json:"settings,omitempty"`
	// Reads lists the JSON paths of the body that Adapt looks at, best made by
	// PathsOf. The gateway tells operators when one that was always there
	// vanishes, or a new one appears.
	Reads []string `json:"reads,omitempty"`
	// Samples are real-looking requests: the Test button sends the first.
	Samples []Sample `json:"samples,omitempty"`
	// Taken is the JSON body with which a destination's target says that it
	// took a request, if it says so in the body and not by the status alone:
	// what the conformance kit answers. Empty: {}.
	Taken json.RawMessage `json:"taken,omitempty"`
	// Template is one sentence on what the vendor's webhook template has to
	// have, told to operators whose template arrives unfilled.
	Template string `json:"template,omitempty"`
	// Setup tells in Markdown how to connect the vendor. "{{url}}" stands for
	// the webhook URL.
	Setup string `json:"setup,omitempty"`
}

// Sender says who writes the requests.
type Sender string

// The senders.
const (
	Machine Sender = "machine" // a vendor's system: it can't mend a request, so it never gets a 4xx for a body
	Human   Sender = "human"   // a person or a script: a clear 4xx helps
)

// EventTime says what orders events.
type EventTime string

// The orders.
const (
	Arrival  EventTime = "arrival"  // the order in which requests arrive
	Observed EventTime = "observed" // Event.OccurredAt, where both events have one
)

// DeliveryID says which header identifies a delivery.
type DeliveryID struct {
	// Header carries an id that stays the same when the vendor repeats a
	// delivery.
	Header string `json:"header,omitempty"`
	// BodyHashWhen makes the hash of the body the delivery id for requests
	// whose header Name has one of Values. Only for bodies that carry an id of
	// their own: two different deliveries must never have the same bytes.
	BodyHashWhen *HeaderIs `json:"body_hash_when,omitempty"`
}

// HeaderIs matches a request by one header.
type HeaderIs struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Matches reports whether the header has one of the values.
func (m HeaderIs) Matches(h http.Header) bool {
	got := h.Get(m.Name)
	for _, want := range m.Values {
		if got == want {
			return true
		}
	}
	return false
}

// SignatureScheme says how a vendor proves that it sent a request.
type SignatureScheme struct {
	// Name is for configuration and messages, such as "hmac".
	Name string `json:"name"`
	// Kind is one of the Scheme constants.
	Kind SchemeKind `json:"kind"`
	// Algorithm of an HMAC: "sha256", "sha1" or "sha512".
	Algorithm string `json:"algorithm,omitempty"`
	// Header carries the signature or the shared secret.
	Header string `json:"header,omitempty"`
	// Prefix stands before the signature in the header, such as "sha256=".
	Prefix string `json:"prefix,omitempty"`
	// Encoding of the signature: "hex" or "base64".
	Encoding string `json:"encoding,omitempty"`
	// Signed is what is signed: "{body}" if empty; "{timestamp}" and "{id}"
	// stand for the headers named below.
	Signed string `json:"signed,omitempty"`
	// TimestampHeader carries Unix seconds.
	TimestampHeader string `json:"timestamp_header,omitempty"`
	// IDHeader carries a message id that is part of what is signed.
	IDHeader string `json:"id_header,omitempty"`
	// Tolerance is the greatest difference between the timestamp and now;
	// zero: the timestamp isn't checked (it is unsigned, for instance).
	Tolerance time.Duration `json:"tolerance,omitempty"`
	// Optional means that the vendor signs only when it is configured to:
	// without a secret nothing is verified.
	Optional bool `json:"optional,omitempty"`
}

// SchemeKind is a family of signature schemes.
type SchemeKind string

// The kinds.
const (
	SchemeHMAC             SchemeKind = "hmac"
	SchemeStandardWebhooks SchemeKind = "standard-webhooks"
	SchemeSharedSecret     SchemeKind = "shared-secret" // the header is the secret
	SchemeBasic            SchemeKind = "basic"         // Authorization: Basic; the secret is user:password
	SchemeBearer           SchemeKind = "bearer"        // Authorization: Bearer
	// SchemeSNS is Amazon SNS's: RSA over members of the body, with a
	// certificate that the gateway fetches. It needs no secret.
	SchemeSNS SchemeKind = "sns"
)

// NeedsSecret reports whether the operator has to configure a secret for the
// scheme.
func (s SignatureScheme) NeedsSecret() bool { return s.Kind != SchemeSNS }

// Limits are sizes past which a request is refused or set aside. Zero fields
// keep the gateway's default.
type Limits struct {
	Body    int64 `json:"body,omitempty"`    // bytes, raw and after decoding; 4 MiB
	Depth   int   `json:"depth,omitempty"`   // nesting of JSON; 64
	Members int   `json:"members,omitempty"` // members and elements of a JSON body; 200,000
	Strings int   `json:"strings,omitempty"` // strings in a JSON body; 400,000
	Events  int   `json:"events,omitempty"`  // events of one request; 1,000
}

// Sample is a request that shows what the vendor sends.
type Sample struct {
	Name   string          `json:"name"`
	Method string          `json:"method,omitempty"` // POST if empty
	Path   string          `json:"path,omitempty"`
	Header http.Header     `json:"header,omitempty"`
	Body   json.RawMessage `json:"body"` // samples are JSON
}
