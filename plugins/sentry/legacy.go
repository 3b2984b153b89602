package main

import (
	"encoding/json"

	"bellcrank.example/sdk"
)

// legacyBody is what the WebHooks plugin of a project sends. It knows alerts
// only, so its incidents end by hand or by age.
type legacyBody struct {
	ID          text            `json:"id"` // of the issue
	Project     project         `json:"project"`
	ProjectName text            `json:"project_name"`
	ProjectSlug text            `json:"project_slug"`
	Level       text            `json:"level"`
	Culprit     text            `json:"culprit"`
	Message     text            `json:"message"`
	URL         text            `json:"url"`
	Rules       texts           `json:"triggering_rules"`
	Event       lax[errorEvent] `json:"event"`
}

// isLegacy knows the body by members that nothing else of Sentry's has at its
// top level.
func isLegacy(top map[string]json.RawMessage) bool {
	for _, member := range []string{"project_slug", "project_name", "triggering_rules"} {
		if _, ok := top[member]; ok {
			return true
		}
	}
	return false
}

func (h *hook) legacyEvent(s settings) (sdk.Event, string, error) {
	whole, err := json.Marshal(h.data)
	if err != nil {
		return sdk.Event{}, "", err
	}
	var b legacyBody
	if err := decode(whole, "", &b); err != nil {
		return sdk.Event{}, "", err
	}
	h.receivedAt = sdk.ParseTime(string(b.Event.Value.Received))
	event := b.merged().trigger(s)
	event.SourceURL = h.link(b.URL, b.Event.Value.WebURL)
	if len(b.Rules) > 0 {
		event.Metadata["triggering_rules"] = b.Rules
	}
	if event.Title == "" || event.DedupKey == "" {
		return sdk.Event{}, "", &sdk.Failure{Code: sdk.Malformed, Message: "a legacy webhook with neither a title nor an issue"}
	}
	return event, "", nil
}

// merged puts the body's own members into its event, which lacks them in most
// versions.
func (b legacyBody) merged() errorEvent {
	e := b.Event.Value
	e.IssueID = text(firstOf(b.ID, e.IssueID))
	e.IssueURL = text(firstOf(e.IssueURL, b.URL))
	e.Title = text(firstOf(e.Title, b.Message))
	e.Message = text(firstOf(e.Message, b.Message))
	e.Culprit = text(firstOf(e.Culprit, b.Culprit))
	e.Level = text(firstOf(b.Level, e.Level))
	e.Project = project{ID: e.Project.ID, Slug: text(firstOf(b.ProjectSlug, b.Project.Slug, e.Project.Slug)), Name: b.ProjectName}
	return e
}
