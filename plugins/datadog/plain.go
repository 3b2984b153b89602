package main

import (
	"slices"
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// nativePrefixes and nativeNames are the plain names by which a payload is
// known as one of Datadog's.
var (
	nativePrefixes = []string{"alert", "monitor", "incident", "securitysignal", "org", "aggreg"}
	nativeNames    = map[string]bool{
		"eventtype": true, "eventtitle": true, "eventmsg": true, "textonlymsg": true, "lastupdated": true,
		"transition": true, "cyclekey": true, "scope": true, "scopes": true, "tags": true, "hostname": true, "snapshot": true,
	}
)

// isNative reports whether a payload has what only Datadog knows, a link to
// one of its monitors at least.
func isNative(raw []byte, m members) bool {
	inner, _ := envelope(m.raw)
	return hasNativeName(m.raw) || hasNativeName(inner) || m.has("alertcyclekey", "alerttransition", "aggregkey") || monitorLink.Match(raw)
}

func hasNativeName(object map[string]any) bool {
	for name := range object {
		plain := plainName(name)
		if nativeNames[plain] || slices.ContainsFunc(nativePrefixes, func(p string) bool { return strings.HasPrefix(plain, p) }) {
			return true
		}
	}
	return false
}

// plainEvent makes an event of a template that has a title and little else.
// Where its title is Datadog's, the groups before it still say whether the
// monitor recovered.
func plainEvent(raw []byte, s settings) (sdk.Event, []string, error) {
	m, err := flat.Parse(raw)
	if err != nil {
		return sdk.Event{}, nil, err
	}
	e, notes, err := flat.Event(m)
	if err != nil {
		return sdk.Event{}, nil, err
	}
	h := readHeading(e.Title)
	e.Title, e.Test = firstOf(h.text, e.Title), e.Test || h.test
	if h.transition == unknown {
		return e, notes, nil
	}
	if h.transition == noData && s.NoData == noDataIgnored {
		return sdk.Event{}, notes, nil
	}
	mon := monitor{title: h.text, scope: h.scope, transition: h.transition, priority: firstOf(e.SeverityRaw, h.priority)}
	e.Action = mon.action(s.NoData)
	e.Severity, e.SeverityRaw = "", ""
	if e.Action == sdk.Trigger {
		e.Severity, e.SeverityRaw = mon.severity()
	}
	e.Labels = tagLabels(mon.scope)
	if e.Service == "" {
		e.Service, e.AffectedServices = mon.services(s.ServiceTags)
	}
	if e.DedupKey == "" {
		mon.identify(&e, s.Identity)
	}
	return e, notes, nil
}
