package main

import (
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// bridged reads an EventBridge event that a rule sends to the topic: an
// alarm's change of state, AWS Health, or any other.
func (m envelope) bridged(members flat.Members, s settings) (sdk.Result, error) {
	kind, detail := text(members, "detail-type"), object(members, "detail")
	if kind == "CloudWatch Alarm State Change" && detail.Has("alarmName") {
		return m.alarm(bridgedAlarm(members, detail), s)
	}
	e := sdk.Event{
		Action: sdk.Trigger, Title: flat.Line(kind), Service: text(members, "source"), OccurredAt: readTime(text(members, "time")),
		Metadata: map[string]any{"detail": members["detail"], "source": text(members, "source")},
	}
	if id := text(members, "id"); id != "" {
		e.DedupKey, e.IdentityRule = "event:"+id, "event id"
	}
	if title := flat.Line(first(text(detail, "title"), text(detail, "eventTypeCode"))); title != "" {
		e.Title += ": " + title
	}
	e.Description = text(detail, "description")
	if arn := text(detail, "eventArn"); kind == "AWS Health Event" && arn != "" {
		e.DedupKey, e.IdentityRule = arn, "health event ARN"
		if strings.EqualFold(text(detail, "statusCode"), "closed") {
			e.Action = sdk.Resolve
			e.EndedAt = readTime(text(detail, "endTime"))
		}
	}
	if len(members["detail"]) == 0 {
		delete(e.Metadata, "detail")
	}
	if e.Title == "" {
		e.Title = "An EventBridge event without a name"
	}
	return m.one(e), nil
}

func bridgedAlarm(members, detail flat.Members) alarm {
	state := object(detail, "state")
	a := alarm{
		name: flat.Line(text(detail, "alarmName")), account: text(members, "account"), region: text(members, "region"),
		state: strings.ToUpper(text(state, "value")), before: text(object(detail, "previousState"), "value"),
		reason: text(state, "reason"), at: readTime(text(state, "timestamp")), dimensions: map[string]string{},
		description: text(object(detail, "configuration"), "description"),
	}
	a.arn = firstARN(members)
	for _, query := range objects(object(detail, "configuration"), "metrics") {
		metric := object(object(query, "metricStat"), "metric")
		a.namespace, a.metric = first(a.namespace, text(metric, "namespace")), first(a.metric, text(metric, "name"))
		for name := range object(metric, "dimensions") {
			a.dimensions[name] = text(object(metric, "dimensions"), name)
		}
	}
	a.locate()
	return a
}

// firstARN returns the first of the event's resources.
func firstARN(m flat.Members) string {
	for _, arn := range texts(m, "resources") {
		if strings.HasPrefix(arn, "arn:") {
			return arn
		}
	}
	return ""
}
