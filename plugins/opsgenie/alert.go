package main

import (
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// service looks where the operator says that it is named.
func (s settings) service(m, details flat.Members, tags []string) string {
	for _, from := range s.ServiceFrom {
		value := details.Text(from)
		if from == "entity" || from == "source" {
			value = m.Text(from)
		}
		for _, tag := range tags {
			if name, rest, ok := pair(tag); value == "" && ok && name == from {
				value = rest
			}
		}
		if value != "" {
			return sdk.Line(value)
		}
	}
	return ""
}

// pair splits a tag such as service:checkout or service=checkout.
func pair(tag string) (name, value string, ok bool) {
	i := strings.IndexAny(tag, ":=")
	if i <= 0 {
		return "", "", false
	}
	name, value = strings.TrimSpace(tag[:i]), strings.TrimSpace(tag[i+1:])
	return name, value, name != "" && value != ""
}

// labels are what routes can match: the entity, short details, and tags that
// are pairs.
func labels(m, details flat.Members, tags []string) map[string]string {
	l := map[string]string{}
	if entity := m.Text("entity"); entity != "" {
		l["entity"] = entity
	}
	details.Labels(l)
	pairs := flat.Members{}
	for _, tag := range tags {
		if name, value, ok := pair(tag); ok && !strings.HasPrefix(value, "//") {
			pairs.Set(name, value)
		}
	}
	return pairs.Labels(l)
}

// links are the details that are named as links.
func links(details flat.Members) []sdk.Link {
	var list []sdk.Link
	for _, l := range []struct{ name, members string }{
		{"Runbook", "runbook runbook_url"}, {"Dashboard", "dashboard dashboard_url"},
	} {
		if target := sdk.AbsoluteURL(details.First(strings.Fields(l.members)...)); target != "" {
			list = append(list, sdk.Link{Name: l.name, URL: target})
		}
	}
	return list
}

// keep returns the details, and what the named members of an alert say.
func keep(details, m flat.Members, names ...string) map[string]any {
	data := map[string]any{}
	if len(details) > 0 {
		data["details"] = details.Values()
	}
	for _, name := range names {
		if m.Has(name) {
			data[name] = m.Value(name)
		}
	}
	return data
}
