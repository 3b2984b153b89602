// Package destinationtest is what every destination type over HTTP is held to:
// how it takes refusals, throttling and silence, and what it makes of an
// incident that is meant to break it. What a type says in its own words is its
// own test's business.
package destinationtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Kit is a type to be tested.
type Kit struct {
	// New makes a sender that speaks to the vendor at this URL. A secret that
	// it has contains "s3cr3t".
	New func(t *testing.T, url string) core.Sender
	// Accept answers as the vendor does when all is well.
	Accept http.HandlerFunc
	// Disliked is the status with which the vendor refuses one message; 400 if
	// zero.
	Disliked int
}

// Request is one that a Vendor got.
type Request struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// JSON decodes the body.
func (r Request) JSON(t *testing.T) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(r.Body, &object); err != nil {
		t.Fatalf("body %q: %v", r.Body, err)
	}
	return object
}

// Vendor is an HTTP server on this machine that keeps what it is sent.
type Vendor struct {
	*httptest.Server

	mu       sync.Mutex
	requests []Request
}

// NewVendor starts one that answers as the handler does. The handler may read
// the body.
func NewVendor(t *testing.T, answer http.HandlerFunc) *Vendor {
	t.Helper()
	v := &Vendor{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a body that was cut short is seen by what it lacks
		v.mu.Lock()
		v.requests = append(v.requests, Request{
			Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body,
		})
		v.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		answer(w, r)
	}))
	t.Cleanup(v.Close)
	return v
}

// Requests returns what has come so far, and forgets it.
func (v *Vendor) Requests() []Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	requests := v.requests
	v.requests = nil
	return requests
}

// Config makes a sender's configuration of settings. This machine may be
// dialled.
func Config(t *testing.T, settings any) core.SenderConfig {
	t.Helper()
	object, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	return core.SenderConfig{Settings: object, AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

// Answer is a handler that answers with one status and body.
func Answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Message returns a change of an incident that has everything.
func Message(kind core.Kind) core.Message {
	opened := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	yes := true
	m := core.Message{
		ID: "msg_0dxerb0000000", Destination: "chat/ops", Kind: kind, At: opened.Add(30 * time.Minute), Now: time.Now(), Attempt: 1,
		IncidentURL: "https://bellcrank.example/incidents/INC-042",
		Incident: &core.Incident{
			ID: 7, Number: 42, Integration: "datadog/prod", DedupKey: "disk", Title: "Disk is full", Description: "98 % of /var is used.",
			Severity: sdk.High, Status: core.Investigating, Service: "database", Affected: []string{"api", "database"}, Impact: &yes,
			Version: 1, Count: 3, OpenedAt: opened, SourceURL: "https://monitor.example/1",
			Labels: map[string]string{"team": "sre"}, Metadata: map[string]any{"region": "eu"},
			Links: []sdk.Link{{Name: "Runbook", URL: "https://wiki.example/disk"}},
		},
	}
	switch kind {
	case core.Escalated:
		m.Incident.Severity = sdk.Critical
	case core.AckedKind:
		m.Incident.Status, m.Incident.AckedAt = core.Acknowledged, m.At
	case core.ResolvedKind:
		m.Incident.Status, m.Incident.ResolvedAt = core.Resolved, m.At
	}
	return m
}

// Hostile returns a change whose every text is large and full of what vendors
// give a meaning to.
func Hostile() core.Message {
	m := Message(core.Created)
	text := strings.Repeat("<!channel> @everyone [x](http://evil.example) *b* _i_ `c` </p>\r\nBcc: x@evil.example\x00\u202e\xff &amp; {{7*7}} ", 2000)
	in := m.Incident
	in.Title, in.Description, in.Service, in.DedupKey = text, text, text, text
	in.Affected, in.SourceURL = []string{text, text}, "https://monitor.example/"+strings.Repeat("a", 100_000)
	in.Labels = map[string]string{}
	for i := range 300 {
		in.Labels[fmt.Sprint(i, text[:100])] = text
		in.Links = append(in.Links, sdk.Link{Name: text, URL: "https://wiki.example/" + fmt.Sprint(i)})
	}
	return m
}

// Send makes one attempt within a generous deadline.
func Send(t *testing.T, s core.Sender, m core.Message) core.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return s.Send(ctx, m)
}

// Run holds a type to what all have in common.
func Run(t *testing.T, kit Kit) {
	if kit.Disliked == 0 {
		kit.Disliked = http.StatusBadRequest
	}
	t.Run("every kind of change is taken", kit.takes)
	t.Run("a rehearsal asks nobody", kit.rehearses)
	t.Run("whose fault a refusal is", kit.classifies)
	t.Run("silence is the destination's fault", kit.bearsSilence)
	t.Run("a hostile incident is sent all the same", kit.bearsHostility)
}

func (kit Kit) rehearses(t *testing.T) {
	v := NewVendor(t, kit.Accept)
	ctx, rehearsal := core.Rehearse(t.Context())
	answer := kit.New(t, v.URL).Send(ctx, Message(core.Created))
	if rehearsal.Request == nil || !errors.Is(answer.Err, core.ErrRehearsed) {
		t.Errorf("request %v and error %v, want what would have been asked", rehearsal.Request, answer.Err)
	}
	if n := len(v.Requests()); n > 0 {
		t.Errorf("%d requests in a rehearsal", n)
	}
}

func (kit Kit) takes(t *testing.T) {
	vendor := NewVendor(t, kit.Accept)
	s := kit.New(t, vendor.URL)
	for _, kind := range core.Kinds() {
		a := Send(t, s, Message(kind))
		if class, _ := a.Classify(time.Now()); class != core.NoFault || !a.Address.Addr().IsLoopback() {
			t.Errorf("%s: answer %+v is class %q, want it taken by this machine", kind, a, class)
		}
	}
	if len(vendor.Requests()) < 3 {
		t.Error("fewer than three requests; want some for most kinds")
	}
}

func (kit Kit) classifies(t *testing.T) {
	tests := map[int]core.FaultClass{
		kit.Disliked: core.DeliveryFault, 401: core.DestinationFault, 403: core.DestinationFault, 404: core.DestinationFault,
		500: core.DestinationFault, 302: core.DestinationFault, 410: core.Gone, 429: core.Throttled,
	}
	for status, want := range tests {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			vendor := NewVendor(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "120")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"error": "no"}`)
			})
			a := Send(t, kit.New(t, vendor.URL), Message(core.Created))
			class, wait := a.Classify(time.Now())
			if class != want || class == core.Throttled && wait != 2*time.Minute {
				t.Errorf("answer %+v is class %q for %v, want %q", a, class, wait, want)
			}
			if n := len(vendor.Requests()); n != 1 {
				t.Errorf("%d requests, want one: nothing is tried twice", n)
			}
		})
	}
}

func (kit Kit) bearsSilence(t *testing.T) {
	vendor := NewVendor(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	s := kit.New(t, vendor.URL)
	a := Send(t, s, Message(core.Created))
	if class, _ := a.Classify(time.Now()); class != core.DestinationFault || a.Err == nil {
		t.Errorf("answer %+v is class %q, want %q and why", a, class, core.DestinationFault)
	}
	vendor.Close()
	a = Send(t, s, Message(core.Created))
	if a.Err == nil || strings.Contains(a.Err.Error(), "s3cr3t") {
		t.Errorf("error %v, want one that says why without the secret", a.Err)
	}
}

func (kit Kit) bearsHostility(t *testing.T) {
	vendor := NewVendor(t, kit.Accept)
	a := Send(t, kit.New(t, vendor.URL), Hostile())
	if class, _ := a.Classify(time.Now()); class != core.NoFault {
		t.Errorf("answer %+v is class %q, want it taken", a, class)
	}
	for _, r := range vendor.Requests() {
		if len(r.Body) > 64<<10 || !utf8.Valid(r.Body) {
			t.Errorf("a body of %d bytes, valid %v; want at most 64 KiB of text", len(r.Body), utf8.Valid(r.Body))
		}
		if len(r.Path) > 4<<10 {
			t.Errorf("a path of %d bytes, want at most 4 KiB", len(r.Path))
		}
	}
}
