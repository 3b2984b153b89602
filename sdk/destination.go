package sdk

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RoleDestination is the Info.Role of a plugin that delivers incident changes.
const RoleDestination = "destination"

// Destination delivers incident changes to a kind of target that the gateway
// doesn't know.
//
// It has no network: it says which HTTP request is to be made, and what the
// answer to it means. The gateway makes the request, with its own guard, limits
// and deadlines. So a destination is a pure function, as an Adapter is.
type Destination interface {
	// Describe says what the destination is and what its settings are. The
	// answer is constant, and its Role is RoleDestination.
	Describe() Info
	// Deliver says what is to be done next for one attempt at one delivery: a
	// request, or how the attempt ended. It is asked without answers first. Its
	// errors are its own fault: the delivery is tried again later.
	Deliver(ctx context.Context, d Delivery) (Step, error)
}

// Delivery is one attempt at telling one version of an incident.
type Delivery struct {
	// ID is "msg_…", the same on every attempt: for targets that recognise
	// repeats.
	ID string `json:"id"`
	// Destination is "TYPE/NAME".
	Destination string `json:"destination,omitempty"`
	// Kind is created, updated, escalated, acknowledged, resolved or reopened.
	Kind     string    `json:"kind"`
	Attempt  int       `json:"attempt,omitempty"` // from 1
	At       time.Time `json:"at,omitzero"`       // of the change
	Now      time.Time `json:"now,omitzero"`      // of the attempt
	Incident Incident  `json:"incident"`
	Author   string    `json:"author,omitempty"` // the person who made the change
	Note     string    `json:"note,omitempty"`   // what they said
	// Memory is what an earlier Outcome asked to remember of this incident.
	Memory string `json:"memory,omitempty"`
	// Settings is the destination's settings as a JSON object. Decode it with
	// DecodeSettings.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Texts are the settings that are templates, by name, rendered for this
	// message: those that the operator has written and that didn't fail.
	Texts map[string]string `json:"texts,omitempty"`
	// Headline is the change in one line in the gateway's own words, such as
	// "[INC-042] High: Disk full".
	Headline string `json:"headline,omitempty"`
	// Answers are those to the requests of this attempt, in their order.
	Answers []HTTPAnswer `json:"answers,omitempty"`
}

// Incident is an incident as of one version.
type Incident struct {
	ID               string            `json:"id"`  // "INC-042"
	UID              string            `json:"uid"` // unique for ever
	Title            string            `json:"title"`
	Description      string            `json:"description"`
	Severity         Severity          `json:"severity"`
	Status           string            `json:"status"` // investigating, acknowledged or resolved
	Service          string            `json:"service"`
	AffectedServices []string          `json:"affected_services"`
	CustomerImpact   *bool             `json:"customer_impact"`
	URL              string            `json:"url,omitempty"`        // where it is to be looked at
	SourceURL        string            `json:"source_url,omitempty"` // the vendor's
	Integration      string            `json:"integration"`
	DedupKey         string            `json:"dedup_key,omitempty"`
	Version          int               `json:"version"`
	Count            int               `json:"count"`
	OpenedAt         time.Time         `json:"opened_at,omitzero"`
	AcknowledgedAt   time.Time         `json:"acknowledged_at,omitzero"`
	ResolvedAt       time.Time         `json:"resolved_at,omitzero"`
	Labels           map[string]string `json:"labels,omitempty"`
	Metadata         map[string]any    `json:"metadata,omitempty"`
	Links            []Link            `json:"links,omitempty"`
	Test             bool              `json:"test,omitempty"`
	Previous         string            `json:"previous,omitempty"`
}

// Step is what is to be done next: one of the two.
type Step struct {
	Request *HTTPRequest `json:"request,omitempty"`
	Outcome *Outcome     `json:"outcome,omitempty"`
}

// HTTPRequest is a request that the gateway shall make.
type HTTPRequest struct {
	Method string      `json:"method,omitempty"` // POST if empty
	URL    string      `json:"url"`              // absolute, http or https
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"` // at most 1 MiB
}

// HTTPAnswer is the answer to such a request.
type HTTPAnswer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"` // the first 16 KiB
}

// Outcome is how an attempt ended.
type Outcome struct {
	Class OutcomeClass `json:"class"`
	// RetryAfter, with Retry, is how long the target asks us to wait; zero if
	// it doesn't say.
	RetryAfter time.Duration `json:"retry_after,omitempty"`
	Message    string        `json:"message,omitempty"` // why, for people
	// Remember is handed over with later messages about the incident, such as
	// the id of what was posted. Empty: what is known stays.
	Remember string `json:"remember,omitempty"`
}

// OutcomeClass says what becomes of a delivery.
type OutcomeClass string

// The classes.
const (
	Delivered OutcomeClass = "delivered"
	Retry     OutcomeClass = "retry"   // the target is down, or asks us to wait
	Refused   OutcomeClass = "refused" // it dislikes this one, and always will
)

// Ask is the Step that asks for a request.
func Ask(r HTTPRequest) Step { return Step{Request: &r} }

// AskJSON is the Step that posts a value as JSON. An error means that it can't
// be encoded.
func AskJSON(url string, header http.Header, value any) (Step, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return Step{}, err
	}
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	return Ask(HTTPRequest{Method: http.MethodPost, URL: url, Header: h, Body: body}), nil
}

// Ended is the Step that an answer means for most targets: 2xx is delivered,
// 429 and 503 ask to wait, what says more about the target or our access to it
// than about the message is tried again, and other 4xx refuse the message.
func Ended(a HTTPAnswer) Step {
	o := Outcome{Class: Retry, Message: strconv.Itoa(a.Status) + " " + http.StatusText(a.Status)}
	switch s := a.Status; {
	case s >= 200 && s < 300:
		o = Outcome{Class: Delivered}
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable:
		o.RetryAfter = retryAfter(a.Header)
	case s >= 400 && s < 500 && !ofTheTarget(s):
		o.Class = Refused
	}
	return Step{Outcome: &o}
}

func ofTheTarget(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	}
	return false
}

// retryAfter reads a number of seconds; other forms are left to the gateway's
// own patience.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(strings.TrimSpace(h.Get("Retry-After")), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
