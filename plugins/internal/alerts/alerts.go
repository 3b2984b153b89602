// Package alerts reads Alertmanager's webhook body, versions 3 and 4, and what
// Grafana makes of it: its own notifications, and those of its alerting before
// version 9. People point either at either, so both adapters read both.
package alerts

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// Settings are the settings of an integration that gets such bodies.
type Settings struct {
	GroupBy        string   `json:"group_by" default:"alert" enum:"alert,group" doc:"One incident per alert, or one per notification group."`
	SeverityLabels []string `json:"severity_labels" default:"[\"severity\",\"priority\",\"level\"]" doc:"Labels whose value is the severity; the first that is there counts."`
	ServiceLabels  []string `json:"service_labels" default:"[\"service\",\"app\",\"application\",\"app_kubernetes_io_name\"]" doc:"Labels whose value is the service; the first that is there counts."`
	Truncated      string   `json:"truncated" default:"note" enum:"note,incident" doc:"What becomes of alerts that max_alerts has cut off: a note, or an incident that tells of them."`
}

// Adapt makes one event of each alert: the senders put several into one
// request, and the first notification of a group often lacks some.
func Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	s, err := sdk.Settings[Settings](r)
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
	return p.result(ctx, s, r.ReceivedAt)
}

// result puts together what a notification says. The caller may go away while
// tens of thousands of alerts are still to be read.
func (p *payload) result(ctx context.Context, s Settings, now time.Time) (sdk.Result, error) {
	result := sdk.Result{Rejected: p.rejected}
	for i := range p.Alerts {
		if err := ctx.Err(); err != nil {
			return sdk.Result{}, err
		}
		result.Events = append(result.Events, p.event(&p.Alerts[i], s, now))
	}
	switch {
	case len(result.Events)+len(p.rejected) == 0:
		result.Ignored = "a notification without alerts"
	case s.GroupBy == "group" && len(result.Events) > 0:
		result.Events = []sdk.Event{p.groupEvent(result.Events)}
	}
	if s.Truncated == "incident" && p.TruncatedAlerts.known {
		result.Events = append(result.Events, p.truncatedEvent())
	}
	result.Notes = p.notes()
	return result, nil
}

// notes tell of what isn't in the events: one note of a kind, however long
// the notification is.
func (p *payload) notes() []string {
	var notes []string
	if p.TruncatedAlerts.n > 0 {
		notes = append(notes, fmt.Sprintf("%d more alerts of this group are hidden by max_alerts", p.TruncatedAlerts.n))
	}
	switch n := len(p.dropped); {
	case n == 1:
		notes = append(notes, p.dropped[0]+" is no absolute URL and was dropped")
	case n > 1:
		notes = append(notes, fmt.Sprintf("%s and %d more are no absolute URLs and were dropped", p.dropped[0], n-1))
	}
	return notes
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
