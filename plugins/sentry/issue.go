package main

import (
	"encoding/json"
	"strconv"

	"bellcrank.example/sdk"
)

// issue is Sentry's group of equal errors.
type issue struct {
	ID            text            `json:"id"`
	ShortID       text            `json:"shortId"`
	Title         text            `json:"title"`
	Culprit       text            `json:"culprit"`
	Level         text            `json:"level"`
	Status        text            `json:"status"`
	Substatus     text            `json:"substatus"`
	Platform      text            `json:"platform"`
	Project       project         `json:"project"`
	Metadata      lax[metadata]   `json:"metadata"`
	WebURL        text            `json:"web_url"`
	Permalink     text            `json:"permalink"`
	URL           text            `json:"url"`
	Count         text            `json:"count"`
	UserCount     text            `json:"userCount"`
	FirstSeen     text            `json:"firstSeen"`
	LastSeen      text            `json:"lastSeen"`
	IssueType     text            `json:"issueType"`
	IssueCategory text            `json:"issueCategory"`
	IsUnhandled   text            `json:"isUnhandled"`
	AssignedTo    json.RawMessage `json:"assignedTo"`
}

// issueByStatus is the action of an issue that a relay passed on without one.
var issueByStatus = map[text]string{"unresolved": "unresolved", "resolved": "resolved", "ignored": "archived", "archived": "archived"}

// issueEvent follows an issue's life.
func (h *hook) issueEvent(s settings) (sdk.Event, string, error) {
	var i issue
	if err := h.member("issue", &i); err != nil {
		return sdk.Event{}, "", err
	}
	if h.action == "" {
		h.action = issueByStatus[i.Status]
	}
	action, ignored := h.issueAction(i, s)
	if ignored != "" {
		return sdk.Event{}, ignored, nil
	}
	event := i.event(action, s)
	event.SourceURL = h.link(i.WebURL, i.Permalink)
	facts(event.Metadata).
		put("resolution_type", optional[text](h, "resolution_type"))
	if event.DedupKey == "" {
		return sdk.Event{}, "", &sdk.Failure{Code: sdk.Malformed, Path: "data.issue", Message: "neither an id nor a title"}
	}
	return event, "", nil
}

// issueAction says what the hook does to the incident, or why nothing.
func (h *hook) issueAction(i issue, s settings) (action sdk.Action, ignored string) {
	switch h.action {
	case "created", "unresolved":
		return sdk.Trigger, ""
	case "resolved":
		return sdk.Resolve, ""
	case "ignored", "archived":
		return chosen(s.Archived, h.name()+` is ignored by the setting archived = "ignore"`)
	case "assigned":
		if !h.isAssigned(i) {
			return "", h.name() + " took the assignee away"
		}
		return chosen(s.Assigned, h.name()+` is ignored by the setting assigned = "ignore"`)
	}
	return "", h.unknownAction()
}

// chosen reads a setting whose values are actions or "ignore".
func chosen(setting, whenIgnored string) (sdk.Action, string) {
	if setting == settingIgnore {
		return "", whenIgnored
	}
	return sdk.Action(setting), ""
}

// isAssigned reports whether somebody has the issue after the hook: one who
// took the assignee away has the same name.
func (h *hook) isAssigned(i issue) bool {
	_, named := asObject(h.data["assignee"])
	_, assigned := asObject(i.AssignedTo)
	return named || assigned
}

func (i issue) event(action sdk.Action, s settings) sdk.Event {
	slug := projectSlug(i.Project)
	title := sdk.Line(firstOf(i.Title, i.Metadata.Value.title(), i.Culprit, i.ShortID))
	users, _ := strconv.Atoi(string(i.UserCount)) // no number: nobody is known to be affected
	event := sdk.Event{
		Action:         action,
		Title:          title,
		Description:    paragraphs(title, string(i.Metadata.Value.Value), string(i.Culprit)),
		Service:        slug,
		CustomerImpact: customerImpact(s, users),
		Metadata:       i.facts(),
	}
	event.DedupKey, event.IdentityRule = issueIdentity(i.ID, []text{i.WebURL, i.Permalink, i.URL}, slug, title)
	if event.Title == "" {
		event.Title = untitled(event.DedupKey)
	}
	event.Severity, event.SeverityRaw = severity(i.Level)
	event.Labels = labels("project", slug, "platform", string(i.Platform), "level", event.SeverityRaw, "category", string(i.IssueCategory))
	return event
}

func (i issue) facts() map[string]any {
	return facts{}.
		put("issue_id", i.ID).put("short_id", i.ShortID).put("project_id", i.Project.ID).
		put("culprit", i.Culprit).put("platform", i.Platform).
		put("status", i.Status).put("substatus", i.Substatus).
		put("count", i.Count).put("user_count", i.UserCount).
		put("first_seen", i.FirstSeen).put("last_seen", i.LastSeen).
		put("issue_type", i.IssueType).put("issue_category", i.IssueCategory).put("is_unhandled", i.IsUnhandled)
}
