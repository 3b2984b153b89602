package main

import (
	"cmp"
	"strings"
	"time"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// notification reads what was published: an alarm, another service's event,
// the shape that every adapter takes, or just text.
func (m envelope) notification(s settings) (sdk.Result, error) {
	message := strings.TrimSpace(m.message)
	if message == "" && m.subject == "" {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "Message", Message: "the message is empty"}
	}
	members, ok := parse(message)
	switch {
	case !ok:
		return m.one(m.plain(message)), nil
	case members.Has("AlarmName") && members.Has("NewStateValue"):
		return m.alarm(alarmOf(members), s)
	case members.Has("detail-type"):
		return m.bridged(members, s)
	}
	if members.First("title", "message", "summary", "text") == "" {
		return m.one(m.service(members, message)), nil
	}
	event, notes, err := flat.Event(members)
	result := m.one(event)
	result.Notes = notes
	return result, err
}

// parse reads a message that is a JSON object. Any other is as good.
func parse(message string) (flat.Members, bool) {
	members, err := flat.Parse([]byte(message))
	return members, err == nil
}

// maxClockSkew is how far a publisher's clock may be ahead of ours.
const maxClockSkew = 5 * time.Minute

// one is the result of a single event. What the message doesn't say, the
// envelope may.
func (m envelope) one(e sdk.Event) sdk.Result {
	if e.OccurredAt.IsZero() {
		e.OccurredAt = m.at
	}
	if e.OccurredAt.After(m.received.Add(maxClockSkew)) {
		e.OccurredAt = time.Time{} // it would outrank every later event of the problem
	}
	if e.Labels == nil {
		e.Labels = map[string]string{}
	}
	if topic := last(m.topic); topic != "" {
		e.Labels["topic"] = topic
	}
	if e.Metadata == nil {
		e.Metadata = map[string]any{}
	}
	if m.topic != "" {
		e.Metadata["topic_arn"] = m.topic
	}
	if m.subject != "" && m.subject != e.Title {
		e.Metadata["subject"] = m.subject
	}
	return sdk.Result{Events: []sdk.Event{e}}
}

// plain makes an event of text: it has no identity, so each opens an incident.
func (m envelope) plain(message string) sdk.Event {
	e := sdk.Event{Action: sdk.Trigger, Title: m.subject, Description: message}
	if e.Title == "" {
		line, _, _ := strings.Cut(message, "\n")
		e.Title = sdk.Line(line)
	}
	if e.Title == "" {
		e.Title = "Message of SNS topic " + cmp.Or(last(m.topic), "without a name")
	}
	return e
}

// service reads the JSON of services that have no shape in common: whatever
// says best what happened is the title, and the whole is kept.
func (m envelope) service(members flat.Members, message string) sdk.Event {
	e := m.plain(message)
	if title := cmp.Or(m.subject, members.Text("Event Message"), members.Text("Description"), members.Text("notificationType"),
		members.Text("Event"), members.Text("eventName")); title != "" {
		e.Title = sdk.Line(title)
	} else {
		e.Title = sdk.Line("Message of SNS topic " + cmp.Or(last(m.topic), "without a name"))
	}
	e.Service = cmp.Or(members.Text("Source ID"), members.Text("AutoScalingGroupName"))
	e.SourceURL = sdk.AbsoluteURL(members.Text("Identifier Link"))
	e.Test = strings.HasSuffix(members.Text("Event"), ":TEST_NOTIFICATION") // of an auto scaling group
	return e
}
