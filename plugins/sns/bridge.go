package main

import (
	"cmp"
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// bridged reads an EventBridge event that a rule sends to the topic: an
// alarm's change of state, AWS Health, or any other.
func (m envelope) bridged(members flat.Members, s settings) (sdk.Result, error) {
	kind, detail := members.Text("detail-type"), members.Object("detail")
	if kind == "CloudWatch Alarm State Change" && detail.Has("alarmName") {
		return m.alarm(bridgedAlarm(members, detail), s)
	}
	e := sdk.Event{
		Action: sdk.Trigger, Title: sdk.Line(kind), Service: members.Text("source"), OccurredAt: sdk.ParseTime(members.Text("time")),
		Metadata: map[string]any{"detail": members.Value("detail"), "source": members.Text("source")},
	}
	if id := members.Text("id"); id != "" {
		e.DedupKey, e.IdentityRule = "event:"+id, "event id"
	}
	if title := sdk.Line(cmp.Or(detail.Text("title"), detail.Text("eventTypeCode"))); title != "" {
		e.Title += ": " + title
	}
	e.Description = detail.Text("description")
	if arn := detail.Text("eventArn"); kind == "AWS Health Event" && arn != "" {
		e.DedupKey, e.IdentityRule = arn, "health event ARN"
		if strings.EqualFold(detail.Text("statusCode"), "closed") {
			e.Action = sdk.Resolve
			e.EndedAt = sdk.ParseTime(detail.Text("endTime"))
		}
	}
	if e.Title == "" {
		e.Title = "An EventBridge event without a name"
	}
	return m.one(e), nil
}

func bridgedAlarm(members, detail flat.Members) alarm {
	state := detail.Object("state")
	a := alarm{
		name: sdk.Line(detail.Text("alarmName")), account: members.Text("account"), region: members.Text("region"),
		state: strings.ToUpper(state.Text("value")), before: detail.Object("previousState").Text("value"),
		reason: state.Text("reason"), at: sdk.ParseTime(state.Text("timestamp")), dimensions: map[string]string{},
		description: detail.Object("configuration").Text("description"),
	}
	a.arn = firstARN(members)
	for _, query := range detail.Object("configuration").Objects("metrics") {
		metric := query.Object("metricStat").Object("metric")
		a.namespace, a.metric = cmp.Or(a.namespace, metric.Text("namespace")), cmp.Or(a.metric, metric.Text("name"))
		for name := range metric.Object("dimensions") {
			a.dimensions[name] = metric.Object("dimensions").Text(name)
		}
	}
	a.locate()
	return a
}

// firstARN returns the first of the event's resources.
func firstARN(m flat.Members) string {
	for _, arn := range m.Texts("resources") {
		if strings.HasPrefix(arn, "arn:") {
			return arn
		}
	}
	return ""
}
