package alerts

import (
	"encoding/json"
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/plugins/internal/loose"
	"bellcrank.example/sdk"
)

// legacy is the body of Grafana's alerting before version 9.
type legacy struct {
	RuleID   text       `json:"ruleId"`
	RuleName text       `json:"ruleName"`
	RuleURL  text       `json:"ruleUrl"`
	State    text       `json:"state"` // alerting, ok, no_data, paused, pending
	Title    text       `json:"title"`
	Message  text       `json:"message"`
	ImageURL text       `json:"imageUrl"`
	OrgID    text       `json:"orgId"`
	Tags     labels     `json:"tags"`
	Matches  loose.JSON `json:"evalMatches"`
}

func legacyGrafana(m flat.Members) (sdk.Result, error) {
	object, err := json.Marshal(m)
	if err != nil {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "invalid JSON"}
	}
	var l legacy
	if err := json.Unmarshal(object, &l); err != nil {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "not a Grafana alert"}
	}
	title := sdk.Line(first(string(l.RuleName), string(l.Title)))
	if title == "" {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "ruleName", Message: "a Grafana alert without a name"}
	}
	e := sdk.Event{
		Action: sdk.Trigger, Title: title, Description: string(l.Message), SourceURL: sdk.AbsoluteURL(string(l.RuleURL)),
		DedupKey: "grafana:" + string(l.OrgID) + ":" + first(string(l.RuleID), title), IdentityRule: "organisation and rule",
		Labels: l.Tags, SeverityRaw: l.Tags.get("severity", "priority"), Service: l.Tags.get("service", "app"),
		Metadata: map[string]any{"state": string(l.State)},
		Test:     l.RuleName == "Test notification" && strings.HasPrefix(string(l.Message), "Someone is testing"),
	}
	if image := sdk.AbsoluteURL(string(l.ImageURL)); image != "" {
		e.Links = []sdk.Link{{Name: "Image", URL: image}}
	}
	if len(l.Matches) > 0 {
		e.Metadata["evalMatches"] = l.Matches
	}
	switch state := strings.ToLower(string(l.State)); state {
	case "ok":
		e.Action = sdk.Resolve
	case "paused", "pending":
		return sdk.Result{Ignored: "Grafana says that the rule is " + state}, nil
	default:
		e.Severity = sdk.SeverityOf(e.SeverityRaw)
	}
	return sdk.Result{Events: []sdk.Event{e}}, nil
}
