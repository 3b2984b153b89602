package main

import (
	"cmp"
	"encoding/json"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// second reads an event of version 2.
func (s settings) second(m flat.Members, name string) (sdk.Result, error) {
	e, notes, err := begin(m.Text("event_action"), "dedup_key", m.Exact("dedup_key"), name)
	if err != nil {
		return sdk.Result{}, err
	}
	p := m.Object("payload")
	details := p.Object("custom_details")
	e.Title = sdk.Line(p.Text("summary"))
	if e.Title == "" && e.Action == sdk.Trigger {
		if e.Title = sdk.Line(cmp.Or(p.First("class", "component", "source"), m.Exact("dedup_key"))); e.Title == "" {
			return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "payload.summary", Message: "a trigger without a summary"}
		}
		notes = append(notes, "there is no summary; the title was taken from another member")
	}
	e.Description = describe(p["custom_details"])
	e.SeverityRaw = p.Text("severity")
	if e.Action == sdk.Trigger {
		e.Severity = sdk.SeverityOf(e.SeverityRaw)
	} else {
		e.SeverityRaw = ""
	}
	e.OccurredAt = sdk.ParseTime(p.Text("timestamp"))
	e.Links = links(m)
	e.SourceURL = sdk.AbsoluteURL(m.Text("client_url"))
	if e.SourceURL == "" && len(e.Links) > 0 {
		e.SourceURL = e.Links[0].URL
	}
	e.Service = s.service(p, details)
	e.Labels = labels(p, details)
	e.Metadata = metadata(m, p.Value("custom_details"))
	return sdk.Result{Events: []sdk.Event{e}, Notes: notes}, nil
}

// first reads an event of version 1.
func first(m flat.Members, name string) (sdk.Result, error) {
	e, notes, err := begin(m.Text("event_type"), "incident_key", m.Exact("incident_key"), name)
	if err != nil {
		return sdk.Result{}, err
	}
	details := m.Object("details")
	if e.Title = sdk.Line(m.Text("description")); e.Title == "" && e.Action == sdk.Trigger {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "description", Message: "a trigger without a description"}
	}
	e.Description = describe(m["details"])
	e.SourceURL = sdk.AbsoluteURL(m.Text("client_url"))
	if e.Action == sdk.Trigger {
		e.SeverityRaw = details.Text("severity")
		e.Severity = sdk.SeverityOf(e.SeverityRaw)
	}
	for _, c := range m.Objects("contexts") {
		e.Links = link(e.Links, c.First("text", "alt", "type"), c.First("href", "src"))
	}
	e.Service = details.Text("service")
	e.Labels = labels(flat.Members{}, details)
	e.Metadata = metadata(m, m.Value("details"))
	return sdk.Result{Events: []sdk.Event{e}, Notes: notes}, nil
}

// service looks where the operator says that it is named.
func (s settings) service(payload, details flat.Members) string {
	for _, from := range s.ServiceFrom {
		switch from {
		case "component", "group", "class", "source":
			if value := payload.Text(from); value != "" {
				return value
			}
		default:
			if value := details.Text(from); value != "" {
				return value
			}
		}
	}
	return ""
}

// describe finds a text for people in what a sender has added.
func describe(raw json.RawMessage) string {
	m := flat.Members{"details": raw}
	if plain := m.Text("details"); plain != "" {
		return plain
	}
	details := m.Object("details")
	return details.First("description", "message", "body", "firing")
}

// links are the event's, then its images'.
func links(m flat.Members) []sdk.Link {
	var list []sdk.Link
	for _, l := range m.Objects("links") {
		list = link(list, cmp.Or(l.Text("text"), "Link"), l.Text("href"))
	}
	for _, image := range m.Objects("images") {
		list = link(list, cmp.Or(image.Text("alt"), "Image"), image.First("href", "src"))
	}
	return list
}

// maxLinks bounds the links of an incident.
const maxLinks = 32

func link(list []sdk.Link, name, target string) []sdk.Link {
	if target = sdk.AbsoluteURL(target); target == "" || len(list) == maxLinks {
		return list
	}
	return append(list, sdk.Link{Name: sdk.Line(name), URL: target})
}

// labels are what routes can match: the payload's own members, and short
// values of what the sender added.
func labels(payload, details flat.Members) map[string]string {
	l := map[string]string{}
	for _, name := range []string{"source", "component", "group", "class"} {
		if value := payload.Text(name); value != "" {
			l[name] = value
		}
	}
	return details.Labels(l)
}

func metadata(m flat.Members, details any) map[string]any {
	data := map[string]any{}
	if client := m.Text("client"); client != "" {
		data["client"] = client
	}
	if details != nil {
		data["custom_details"] = details
	}
	return data
}
