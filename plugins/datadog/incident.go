package main

import (
	"fmt"
	"strings"

	"bellcrank.example/sdk"
)

// incidentActions are the states of Datadog's Incident Management.
var incidentActions = map[string]sdk.Action{
	"active":   sdk.Trigger,
	"stable":   sdk.Acknowledge,
	"resolved": sdk.Resolve,
}

// isIncident reports whether the payload is of an incident notification rule.
// A template shared with monitors has the members too, but empty.
func isIncident(m members) bool { return m.has("incidentuuid", "incidentpublicid") }

// incidentEvent makes the event of an incident that was declared in Datadog.
func incidentEvent(m members) (event sdk.Event, notes []string) {
	status := m.text("incidentstatus", "incidentstate")
	action, ok := incidentActions[strings.ToLower(status)]
	if !ok {
		action = sdk.Trigger
		notes = append(notes, fmt.Sprintf("incident status %.40q is not known, taken as active", status))
	}
	event = sdk.Event{
		Action:         action,
		DedupKey:       "dd-incident:" + m.text("incidentuuid", "incidentpublicid"),
		IdentityRule:   "incident id",
		Title:          firstOf(sdk.Line(m.text("incidenttitle", "eventtitle", "title")), "Datadog incident "+m.text("incidentpublicid", "incidentuuid")),
		Description:    cleanText(m.text("incidentmsg", "incidentmessage", "textonlymsg", "body")),
		CustomerImpact: m.flag("incidentcustomerimpact", "incidentcustomerimpacted", "incidentcustomerimpactcustomerimpacted"),
		Labels:         tagLabels(m.tags()),
		Metadata:       m.metadata(),
	}
	if link := sdk.AbsoluteURL(m.text("incidenturl", "incidentlink")); link != "" {
		event.SourceURL = link
	}
	if action != sdk.Resolve {
		event.SeverityRaw = m.text("incidentseverity")
		if !strings.EqualFold(event.SeverityRaw, "unknown") { // Datadog's word for "not set yet"
			event.Severity = sdk.SeverityOf(event.SeverityRaw)
		}
	}
	return event, notes
}
