package main

import (
	"strings"

	"bellcrank.example/sdk"
)

// metricAlert is one incident of a metric alert rule.
type metricAlert struct {
	ID           text            `json:"id"`
	Identifier   text            `json:"identifier"`
	Title        text            `json:"title"` // a random nickname such as "Sacred Marmot"
	Status       text            `json:"status"`
	Rule         lax[metricRule] `json:"alert_rule"`
	Projects     texts           `json:"projects"`
	DateStarted  text            `json:"date_started"`
	DateDetected text            `json:"date_detected"`
	DateClosed   text            `json:"date_closed"`
}

type metricRule struct {
	ID            text  `json:"id"`
	Name          text  `json:"name"`
	Aggregate     text  `json:"aggregate"`
	Query         text  `json:"query"`
	Dataset       text  `json:"dataset"`
	Environment   text  `json:"environment"`
	TimeWindow    text  `json:"time_window"`
	DetectionType text  `json:"detection_type"`
	Projects      texts `json:"projects"`
}

// metricSeverity holds the actions that trigger.
var metricSeverity = map[string]sdk.Severity{
	"critical": sdk.Critical,
	"warning":  sdk.Medium,
	"open":     sdk.High,
}

// metricByStatus is the action of an alert that a relay passed on without
// one.
var metricByStatus = map[text]string{"20": "critical", "10": "warning", "2": "resolved", "1": "open", "0": "open"}

// metricEvent follows a metric alert. The action is the level.
func (h *hook) metricEvent() (sdk.Event, string, error) {
	var m metricAlert
	if err := h.member("metric_alert", &m); err != nil {
		return sdk.Event{}, "", err
	}
	if h.action == "" {
		h.action = metricByStatus[m.Status]
	}
	level, firing := metricSeverity[h.action]
	if !firing && h.action != "resolved" {
		return sdk.Event{}, h.unknownAction(), nil
	}
	heading := optional[text](h, "description_title")
	event := m.event(heading)
	event.Description = readable(optional[text](h, "description_text"))
	event.SourceURL = h.link(optional[text](h, "web_url"))
	if event.DedupKey == "" {
		return sdk.Event{}, "", &sdk.Failure{Code: sdk.Malformed, Path: "data.metric_alert", Message: "no id, neither of the rule nor of the alert"}
	}
	if firing {
		event.Action, event.Severity, event.SeverityRaw = sdk.Trigger, level, h.action
		return event, "", nil
	}
	event.Action, event.EndedAt = sdk.Resolve, sdk.ParseTime(string(m.DateClosed))
	return event, "", nil
}

func (m metricAlert) event(heading text) sdk.Event {
	rule := m.Rule.Value
	projects := m.Projects
	if len(projects) == 0 {
		projects = rule.Projects
	}
	event := sdk.Event{
		Title:    sdk.Line(firstOf(rule.Name, withoutLevel(heading), m.Title)),
		Labels:   labels("environment", string(rule.Environment)),
		Metadata: m.facts(),
	}
	event.DedupKey, event.IdentityRule = m.identity()
	if event.Title == "" {
		event.Title = "Sentry metric alert " + firstOf(rule.ID, m.ID)
	}
	if len(projects) > 0 {
		event.Service = projects[0]
		event.Labels["project"] = projects[0]
	}
	if len(projects) > 1 {
		event.AffectedServices = projects
	}
	return event
}

// identity is the rule, as Sentry's own notifications have it: the alert's id
// lasts for one incident only.
func (m metricAlert) identity() (key, rule string) {
	switch {
	case m.Rule.Value.ID != "":
		return "sentry:metric:" + string(m.Rule.Value.ID), "alert rule id"
	case m.ID != "":
		return "sentry:metric-alert:" + string(m.ID), "metric alert id"
	}
	return "", ""
}

func (m metricAlert) facts() map[string]any {
	rule := m.Rule.Value
	f := facts{}.
		put("metric_alert_id", m.ID).put("identifier", m.Identifier).put("status", m.Status).
		put("rule_id", rule.ID).put("aggregate", rule.Aggregate).put("query", rule.Query).put("dataset", rule.Dataset).
		put("environment", rule.Environment).put("time_window", rule.TimeWindow).put("detection_type", rule.DetectionType).
		put("date_started", m.DateStarted).put("date_detected", m.DateDetected).put("date_closed", m.DateClosed)
	return f
}

// withoutLevel takes "Critical: " off a description title.
func withoutLevel(heading text) text {
	if _, name, found := strings.Cut(string(heading), ": "); found {
		return text(name)
	}
	return heading
}

// readable turns the backslash and n that some versions send into the line
// break that they mean.
func readable(s text) string { return strings.ReplaceAll(string(s), `\n`, "\n") }
