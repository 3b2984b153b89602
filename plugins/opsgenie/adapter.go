package main

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

type adapter struct{}

// Adapt makes one event of a call that opens an alert, closes or acknowledges
// it. All other calls are ignored by name.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	if err := ctx.Err(); err != nil {
		return sdk.Result{}, err
	}
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	identifier, action, err := target(r)
	if err != nil {
		return sdk.Result{}, err
	}
	m, err := flat.Parse(bytes.TrimSpace(r.Body))
	if identifier == "" && err != nil {
		return sdk.Result{}, err
	}
	if identifier == "" {
		return s.create(m, r.ID)
	}
	// The path says it all: a body that is empty or broken costs no close.
	e := sdk.Event{
		DedupKey: "key:" + identifier, IdentityRule: cmp.Or(r.Query.Get("identifierType"), "id"),
		Metadata: keep(flat.Members{}, m, "user", "source", "note"),
	}
	switch action {
	case "close", "":
		e.Action = sdk.Resolve
	case "acknowledge":
		e.Action = sdk.Acknowledge
	default:
		return sdk.Result{Ignored: action + " of an alert changes nothing about its incident"}, nil
	}
	return sdk.Result{Events: []sdk.Event{e}}, nil
}

// target reads from the path which alert a call is about, and what is done to
// it. Without any it is a new one; an action that is empty deletes.
func target(r sdk.Request) (identifier, action string, err error) {
	segments := strings.Split(strings.Trim(r.Path, "/"), "/")
	i := slices.Index(segments, "alerts")
	if i < 0 {
		return "", "", nil
	}
	below := segments[i+1:]
	for n, segment := range below {
		if below[n], err = url.PathUnescape(segment); err != nil || below[n] == "" {
			return "", "", unknown()
		}
	}
	switch {
	case len(below) == 0 && r.Method != http.MethodDelete:
		return "", "", nil
	case len(below) == 1 && r.Method == http.MethodDelete:
		return strings.ToValidUTF8(below[0], "\uFFFD"), "", nil
	case len(below) == 2 && r.Method != http.MethodDelete:
		return strings.ToValidUTF8(below[0], "\uFFFD"), strings.ToValidUTF8(below[1], "\uFFFD"), nil
	}
	return "", "", unknown()
}

func unknown() error {
	return &sdk.Failure{Code: sdk.Unsupported, Path: "path", Message: "not a call of Opsgenie's Alert API that is about one alert"}
}

// create reads a new alert. One without an alias has the receipt's id as its
// key: the client has been told it as the id of its request.
func (s settings) create(m flat.Members, receipt string) (sdk.Result, error) {
	title := sdk.Line(m.Text("message"))
	if title == "" {
		event, notes, err := flat.Event(m)
		if err != nil {
			return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "message", Message: "an alert without a message"}
		}
		return sdk.Result{Events: []sdk.Event{event}, Notes: notes}, nil
	}
	details := m.Object("details")
	tags := m.Texts("tags")
	e := sdk.Event{
		Action: sdk.Trigger, Title: title, Description: m.Text("description"), SeverityRaw: m.Text("priority"),
		DedupKey: "key:" + receipt, IdentityRule: "receipt, as there is no alias",
		Service:   s.service(m, details, tags),
		SourceURL: cmp.Or(sdk.AbsoluteURL(m.Text("source")), sdk.AbsoluteURL(details.First("url", "link", "source_url"))),
		Labels:    labels(m, details, tags),
		Links:     links(details),
		Metadata:  keep(details, m, "user", "note", "tags", "responders", "teams", "visibleTo", "actions", "source"),
	}
	e.Severity = sdk.SeverityOf(e.SeverityRaw)
	if alias := m.Exact("alias"); alias != "" {
		e.DedupKey, e.IdentityRule = "key:"+alias, "alias"
	}
	return sdk.Result{Events: []sdk.Event{e}}, nil
}
