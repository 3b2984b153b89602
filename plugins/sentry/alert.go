package main

import (
	"bellcrank.example/sdk"
)

// errorEvent is one occurrence of an issue, as alerts and error hooks carry
// it. It has no user, request, breadcrumbs or stack: those are people's data.
type errorEvent struct {
	EventID     text            `json:"event_id"`
	IssueID     text            `json:"issue_id"`
	IssueURL    text            `json:"issue_url"`
	WebURL      text            `json:"web_url"`
	URL         text            `json:"url"`
	Title       text            `json:"title"`
	Message     text            `json:"message"`
	Culprit     text            `json:"culprit"`
	Level       text            `json:"level"`
	Project     project         `json:"project"`
	Environment text            `json:"environment"`
	Release     text            `json:"release"`
	Platform    text            `json:"platform"`
	Type        text            `json:"type"`
	Datetime    text            `json:"datetime"`
	Received    text            `json:"received"`
	Tags        tags            `json:"tags"`
	Metadata    lax[metadata]   `json:"metadata"`
	Occurrence  lax[occurrence] `json:"occurrence"`
}

// metadata is what Sentry made an issue's title of.
type metadata struct {
	Title text `json:"title"`
	Type  text `json:"type"`
	Value text `json:"value"`
}

func (m metadata) title() text {
	switch {
	case m.Title != "":
		return m.Title
	case m.Type != "" && m.Value != "":
		return m.Type + ": " + m.Value
	}
	return text(firstOf(m.Type, m.Value))
}

// occurrence tells of problems that are no errors: slow queries, missed cron
// jobs, sites that are down.
type occurrence struct {
	IssueTitle text `json:"issueTitle"`
	Subtitle   text `json:"subtitle"`
	Culprit    text `json:"culprit"`
	Level      text `json:"level"`
}

// rule is the alert rule that sent an event alert.
type rule struct {
	ID    text `json:"id"`
	Title text `json:"title"`
}

// eventAlert is "an alert rule's action was triggered". It never tells that
// the issue is over: issue.resolved does.
func (h *hook) eventAlert(s settings) (sdk.Event, string, error) {
	if h.action != "" && h.action != "triggered" {
		return sdk.Event{}, h.unknownAction(), nil
	}
	event, err := h.occurred("event", s)
	if err != nil {
		return sdk.Event{}, "", err
	}
	alert := optional[rule](h, "issue_alert")
	facts(event.Metadata).
		put("rule", text(firstOf(optional[text](h, "triggered_rule"), alert.Title))).
		put("rule_id", alert.ID)
	return event, "", nil
}

// errorEvent is "an error happened", for every single one of them.
func (h *hook) errorEvent(s settings) (sdk.Event, string, error) {
	if s.ErrorEvents != errorEventsTrigger {
		return sdk.Event{}, h.name() + ` is ignored while the setting error_events is "ignore"`, nil
	}
	if h.action != "" && h.action != "created" {
		return sdk.Event{}, h.unknownAction(), nil
	}
	event, err := h.occurred("error", s)
	return event, "", err
}

// occurred makes the trigger of one occurrence.
func (h *hook) occurred(member string, s settings) (sdk.Event, error) {
	var e errorEvent
	if err := h.member(member, &e); err != nil {
		return sdk.Event{}, err
	}
	h.receivedAt = sdk.ParseTime(string(e.Received))
	event := e.trigger(s)
	event.SourceURL = h.link(e.WebURL)
	if event.Title == "" || event.DedupKey == "" {
		return sdk.Event{}, &sdk.Failure{Code: sdk.Malformed, Path: "data." + member, Message: "neither a title nor an issue"}
	}
	return event, nil
}

func (e errorEvent) trigger(s settings) sdk.Event {
	slug := projectSlug(e.Project, e.URL, e.IssueURL)
	title := sdk.Line(firstOf(e.Title, e.Occurrence.Value.IssueTitle, e.Message, e.Metadata.Value.title(), e.Culprit))
	event := sdk.Event{
		Action:      sdk.Trigger,
		Title:       title,
		Description: paragraphs(title, string(e.Message), string(e.Occurrence.Value.Subtitle), string(e.Metadata.Value.Value), firstOf(e.Culprit, e.Occurrence.Value.Culprit)),
		Service:     service(s, e.Tags, slug),
		// Sentry marks the events that it makes up for "Send test notification".
		Test:     e.Tags["sample_event"] == "yes",
		Metadata: e.facts(),
	}
	event.DedupKey, event.IdentityRule = issueIdentity(e.IssueID, []text{e.IssueURL, e.WebURL}, slug, title)
	event.Severity, event.SeverityRaw = severity(e.Level, e.Occurrence.Value.Level, text(e.Tags["level"]))
	if event.Title == "" {
		event.Title = untitled(event.DedupKey)
	}
	event.Labels = labels("project", slug, "environment", e.environment(), "platform", string(e.Platform), "level", event.SeverityRaw)
	return event
}

func (e errorEvent) environment() string { return firstOf(e.Environment, text(e.Tags["environment"])) }

func (e errorEvent) facts() map[string]any {
	return facts{}.
		put("event_id", e.EventID).put("issue_id", e.IssueID).put("project_id", e.Project.ID).
		put("culprit", e.Culprit).put("environment", text(e.environment())).put("release", e.Release).
		put("platform", e.Platform).put("type", e.Type).put("event_time", e.Datetime)
}
