package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

type settings struct {
	GroupBy        string   `json:"group_by" default:"alert" enum:"alert,group" doc:"One incident per alert, or one per notification group."`
	SeverityLabels []string `json:"severity_labels" default:"[\"severity\",\"priority\",\"level\"]" doc:"Labels whose value is the severity; the first that is there counts."`
	ServiceLabels  []string `json:"service_labels" default:"[\"service\",\"app\",\"application\",\"app_kubernetes_io_name\"]" doc:"Labels whose value is the service; the first that is there counts."`
	Truncated      string   `json:"truncated" default:"note" enum:"note,incident" doc:"What becomes of alerts that max_alerts has cut off: a note, or an incident that tells of them."`
}

type adapter struct{}

// Adapt makes one event of each alert: Alertmanager puts several into one
// request, and the first notification of a group often lacks some.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	body := bytes.TrimSpace(r.Body)
	if len(body) == 0 {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "the body is empty"}
	}
	p, members, err := read(body)
	if err != nil {
		return sdk.Result{}, err
	}
	if members != nil {
		return other(members)
	}
	if err := ctx.Err(); err != nil {
		return sdk.Result{}, err
	}
	return p.result(s, r), nil
}

func (p *payload) result(s settings, r sdk.Request) sdk.Result {
	result := sdk.Result{Rejected: p.rejected}
	switch {
	case len(p.Alerts) == 0 && len(p.rejected) == 0:
		result.Ignored = "a notification without alerts"
	case s.GroupBy == "group" && len(p.Alerts) > 0:
		result.Events = []sdk.Event{p.groupEvent(s, r)}
	default:
		for i := range p.Alerts {
			event, note := p.event(&p.Alerts[i], s, r)
			result.Events = append(result.Events, event)
			if note != "" {
				result.Notes = append(result.Notes, note)
			}
		}
	}
	if p.TruncatedAlerts > 0 {
		result.Notes = append(result.Notes, fmt.Sprintf("%d more alerts of this group are hidden by max_alerts", p.TruncatedAlerts))
	}
	if s.Truncated == "incident" {
		result.Events = append(result.Events, p.truncatedEvent())
	}
	return result
}

// other reads a body without a list of alerts: Grafana's alerting before
// version 9, or the flat shape that a payload template makes.
func other(m flat.Members) (sdk.Result, error) {
	if m.Has("ruleId") || m.Has("ruleName") {
		return legacyGrafana(m)
	}
	event, notes, err := flat.Event(m)
	if err != nil {
		return sdk.Result{}, &sdk.Failure{
			Code: sdk.Unsupported, Path: "alerts",
			Message: "no list of alerts: want Alertmanager's webhook body, version 3 or 4 (its event recorder sends something else), or an object with a title",
		}
	}
	return sdk.Result{Events: []sdk.Event{event}, Notes: notes}, nil
}

// path names a member of an alert.
func path(index int, member string) string {
	if member == "" {
		return fmt.Sprintf("alerts[%d]", index)
	}
	return fmt.Sprintf("alerts[%d].%s", index, member)
}

// unescape takes back the quoting of a receiver's name: Alertmanager sends it
// as a regular expression.
func unescape(receiver string) string {
	var out strings.Builder
	for i := 0; i < len(receiver); i++ {
		if receiver[i] == '\\' && i+1 < len(receiver) {
			i++
		}
		out.WriteByte(receiver[i])
	}
	return out.String()
}
