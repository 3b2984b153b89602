package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/route"
	"bellcrank.example/sdk"
)

// TrialRequest says what to try: a request to an integration, one that is
// stored, or an incident that is made up.
type TrialRequest struct {
	Integration string         `json:"integration,omitempty"`
	Method      string         `json:"method,omitempty"` // POST if empty
	Path        string         `json:"path,omitempty"`
	Query       string         `json:"query,omitempty"`
	Header      http.Header    `json:"header,omitempty"`
	Encoding    string         `json:"content_encoding,omitempty"`
	Body        []byte         `json:"body_base64,omitempty"`
	Request     string         `json:"request,omitempty"`  // a receipt, instead of the above
	Incident    *TrialIncident `json:"incident,omitempty"` // instead of both
}

// TrialIncident is an incident that is made up.
type TrialIncident struct {
	Integration string            `json:"integration,omitempty"`
	Severity    string            `json:"severity,omitempty"` // Medium if empty
	Service     string            `json:"service,omitempty"`
	Title       string            `json:"title,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Test        bool              `json:"test,omitempty"`
}

// TrialAnswer is what would become of it.
type TrialAnswer struct {
	Trials  []Trial  `json:"trials"`
	Ignored string   `json:"ignored,omitempty"` // why the adapter made nothing of it
	Notes   []string `json:"notes,omitempty"`
	Failure string   `json:"failure,omitempty"` // why it made nothing of it, against its will
}

// Trial is what would become of one event.
type Trial struct {
	Action       sdk.Action        `json:"action"`
	Key          string            `json:"dedup_key,omitempty"`
	IdentityRule string            `json:"identity_rule,omitempty"`
	Title        string            `json:"title,omitempty"`
	Severity     sdk.Severity      `json:"severity,omitempty"`
	SeverityRule string            `json:"severity_rule,omitempty"`
	Service      string            `json:"service,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Group        string            `json:"group,omitempty"`   // the group that would tell of it
	HeldBy       string            `json:"held_by,omitempty"` // what would keep its news back
	HeldUntil    Time              `json:"held_until,omitzero"`
	Routes       []RouteSaid       `json:"routes,omitempty"`
	Destinations []string          `json:"destinations"`
}

// RouteSaid is what one route says of an incident.
type RouteSaid struct {
	Route        string   `json:"route,omitempty"` // empty: a rule that stands behind the routes
	Matched      bool     `json:"matched"`
	Why          string   `json:"why,omitempty"`
	Destinations []string `json:"destinations,omitempty"`
}

// TrialOf tells what a trial came to.
func TrialOf(t route.Trial) Trial {
	e := t.Event
	out := Trial{
		Action: e.Action, Key: e.DedupKey, IdentityRule: e.IdentityRule, Title: e.Title, Severity: e.Severity,
		SeverityRule: e.SeverityRule, Service: e.Service, Labels: e.Labels,
		HeldBy: t.Hold.By, HeldUntil: Time{t.Hold.Until}, Routes: each(t.Decisions, saidOf), Destinations: each(t.Destinations, same),
	}
	if e.Group.Rule != "" {
		out.Group = e.Group.Rule + ": " + e.Group.Values
	}
	return out
}

func same(s string) string { return s }

func saidOf(d route.Decision) RouteSaid {
	out := RouteSaid{Route: d.Route, Matched: d.Matched, Why: d.Words, Destinations: d.To}
	switch {
	case d.Err != nil:
		out.Why = "its condition failed, which counts as a match: " + d.Err.Error()
	case d.Route == "":
		out.Why = d.Reason
	}
	return out
}

// Event returns what would open the incident that is made up.
func (t *TrialIncident) Event() (sdk.Event, error) {
	severity, err := sdk.ParseSeverity(t.Severity)
	if err != nil {
		return sdk.Event{}, badRequest("severity", "severity must be one of Critical, High, Medium, Low and Pre-emptive")
	}
	return sdk.Event{
		Action: sdk.Trigger, DedupKey: "made up", IdentityRule: "made up", Title: t.Title, Severity: severity,
		Service: t.Service, Labels: t.Labels, Test: t.Test,
	}, nil
}

// Trier tries things out against a configuration. Nothing is stored.
type Trier struct {
	Integrations []*core.Integration
	Routes       *route.Tree
	Ask          func(ctx context.Context, in *core.Integration, r *core.Request, decoded []byte) (sdk.Result, error)
	Now          time.Time
}

// Incident tells what would become of an incident that is made up.
func (t *Trier) Incident(made TrialIncident) (TrialAnswer, error) {
	e, err := made.Event()
	if err != nil {
		return TrialAnswer{}, err
	}
	in := t.find(made.Integration)
	if in == nil {
		kind, name, _ := strings.Cut(made.Integration, "/")
		in = &core.Integration{Type: kind, Name: name}
	}
	return t.answer(in, &core.Request{Integration: made.Integration}, sdk.Result{Events: []sdk.Event{e}}), nil
}

// Request tells what would become of a request. That its adapter can't read it
// is an answer, not an error.
func (t *Trier) Request(ctx context.Context, r *core.Request) (TrialAnswer, error) {
	in := t.find(r.Integration)
	switch {
	case r.Integration == "":
		return TrialAnswer{}, badRequest("integration", "Say what to try: a request to an integration, a stored one, or an incident")
	case in != nil && in.Type == core.HeartbeatType:
		return TrialAnswer{Trials: []Trial{}, Ignored: "heartbeat"}, nil
	case in == nil:
		return TrialAnswer{}, notFound("There is no integration " + r.Integration)
	}
	decoded, err := core.Decode(r.Body, r.Encoding, in.Limits.Body)
	if err != nil {
		return TrialAnswer{}, badRequest("", err.Error())
	}
	result, err := t.Ask(ctx, in, r, decoded)
	if err != nil {
		return TrialAnswer{Trials: []Trial{}, Failure: err.Error()}, nil //nolint:nilerr // what the adapter says is the answer
	}
	return t.answer(in, r, result), nil
}

func (t *Trier) find(id string) *core.Integration {
	if i := slices.IndexFunc(t.Integrations, func(in *core.Integration) bool { return in.ID() == id }); i >= 0 {
		return t.Integrations[i]
	}
	return nil
}

func (t *Trier) answer(in *core.Integration, r *core.Request, result sdk.Result) TrialAnswer {
	out := TrialAnswer{Trials: each(t.Routes.Try(in, r, result.Events, t.Now), TrialOf), Ignored: result.Ignored, Notes: result.Notes}
	for _, rejected := range result.Rejected {
		out.Notes = append(out.Notes, fmt.Sprintf("element %d can't be read: %s %s", rejected.Index, rejected.Path, rejected.Reason))
	}
	return out
}

// tryRoutes tells what would become of something, and what each route says.
func (a *api) tryRoutes(c *fiber.Ctx) error {
	var asked TrialRequest
	if err := decode(c, &asked); err != nil {
		return err
	}
	t := &Trier{Integrations: a.cfg.Integrations(), Routes: a.cfg.Routes(), Ask: a.cfg.Ask, Now: a.cfg.Now()}
	if asked.Incident != nil {
		answer, err := t.Incident(*asked.Incident)
		if err != nil {
			return err
		}
		return ok(c, answer)
	}
	r := asked.Core(t.Now)
	if asked.Request != "" {
		id, err := core.ParseID(asked.Request)
		if err != nil {
			return notFound("There is no such request")
		}
		if r, err = a.cfg.Store.Request(c.UserContext(), id); err != nil {
			return err
		}
	}
	answer, err := t.Request(c.UserContext(), r)
	if err != nil {
		return err
	}
	return ok(c, answer)
}

// Core returns the request to try.
func (t *TrialRequest) Core(now time.Time) *core.Request {
	return &core.Request{
		ID: core.IDAt(now), Tenant: core.DefaultTenant, Integration: t.Integration, ReceivedAt: now, Method: cmp.Or(t.Method, http.MethodPost),
		Path: t.Path, Query: t.Query, Header: t.Header, Encoding: t.Encoding, Body: t.Body,
	}
}
