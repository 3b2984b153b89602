package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// alarm is a change of a CloudWatch alarm's state, however it was told.
type alarm struct {
	name        string
	arn         string
	account     string
	region      string // such as eu-west-1
	description string
	state       string // ALARM, OK, INSUFFICIENT_DATA
	before      string
	reason      string
	rule        string // of a composite alarm
	at          time.Time
	namespace   string
	metric      string
	dimensions  map[string]string
}

// alarmOf reads the message that an alarm's action publishes.
func alarmOf(m flat.Members) alarm {
	trigger := m.Object("Trigger")
	a := alarm{
		name: sdk.Line(m.Text("AlarmName")), arn: m.Text("AlarmArn"), account: m.Text("AWSAccountId"), region: m.Text("Region"),
		description: m.Text("AlarmDescription"), state: strings.ToUpper(m.Text("NewStateValue")),
		before: m.Text("OldStateValue"), reason: m.Text("NewStateReason"), rule: m.Text("AlarmRule"),
		at: sdk.ParseTime(m.Text("StateChangeTime")), dimensions: map[string]string{},
	}
	a.measures(trigger)
	for _, query := range trigger.Objects("Metrics") { // of an expression over several metrics
		a.measures(query.Object("MetricStat").Object("Metric"))
	}
	a.locate()
	return a
}

// measures takes the first metric's name, and the dimensions of all.
func (a *alarm) measures(m flat.Members) {
	a.namespace = cmp.Or(a.namespace, m.Text("Namespace"))
	a.metric = cmp.Or(a.metric, m.Text("MetricName"))
	for _, d := range m.Objects("Dimensions") {
		name, value := cmp.Or(d.Text("name"), d.Text("Name")), cmp.Or(d.Text("value"), d.Text("Value"))
		if _, taken := a.dimensions[name]; name != "" && value != "" && !taken {
			a.dimensions[name] = value
		}
	}
}

// locate reads account and region out of the ARN, where they are codes:
// arn:PARTITION:cloudwatch:REGION:ACCOUNT:alarm:NAME.
func (a *alarm) locate() {
	if parts := strings.SplitN(a.arn, ":", 7); len(parts) == 7 {
		a.region, a.account = cmp.Or(parts[3], a.region), cmp.Or(parts[4], a.account)
	}
}

// alarm makes an event of an alarm's new state.
func (m envelope) alarm(a alarm, s settings) (sdk.Result, error) {
	if a.name == "" {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "Message.AlarmName", Message: "an alarm without a name"}
	}
	e := sdk.Event{
		Action: sdk.Trigger, Title: a.name, Description: join(a.description, a.reason), SeverityRaw: a.state,
		Service: a.service(s), SourceURL: a.console(), OccurredAt: a.at, Labels: a.labels(), Metadata: a.metadata(),
	}
	e.DedupKey, e.IdentityRule = a.identity()
	switch a.state {
	case "ALARM":
	case "OK":
		e.Action = sdk.Resolve
	case "INSUFFICIENT_DATA":
		switch s.InsufficientData {
		case "ignore":
			return sdk.Result{Ignored: "the alarm has insufficient data"}, nil
		case "resolve":
			e.Action = sdk.Resolve
		}
		e.Severity, e.Title = sdk.Medium, "No data: "+a.name
	default:
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "Message.NewStateValue", Message: "not a state that an alarm can be in"}
	}
	if e.Action == sdk.Resolve {
		e.Severity, e.SeverityRaw, e.EndedAt = "", "", e.OccurredAt
	}
	return m.one(e), nil
}

// identity is the alarm's ARN; without one, what it is made of.
func (a *alarm) identity() (key, rule string) {
	if a.arn != "" {
		return a.arn, "alarm ARN"
	}
	return strings.Join([]string{"alarm", a.account, a.region, a.name}, ":"), "account, region and alarm name"
}

func (a *alarm) service(s settings) string {
	for _, name := range s.ServiceFrom {
		if value := a.dimensions[name]; value != "" {
			return value
		}
	}
	return ""
}

// console is the alarm's page.
func (a *alarm) console() string {
	parts := strings.SplitN(a.arn, ":", 7)
	hosts := map[string]string{"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
	if len(parts) != 7 || hosts[parts[1]] == "" || parts[3] == "" || url.PathEscape(parts[3]) != parts[3] {
		return ""
	}
	return fmt.Sprintf("https://%s/cloudwatch/home?region=%s#alarmsV2:alarm/%s", hosts[parts[1]], parts[3], url.PathEscape(a.name))
}

func (a *alarm) labels() map[string]string {
	labels := map[string]string{}
	for name, value := range a.dimensions {
		labels[name] = value
	}
	for name, value := range map[string]string{
		"alarm": a.name, "account": a.account, "region": a.region, "namespace": a.namespace, "metric": a.metric,
	} {
		if value != "" {
			labels[name] = value
		}
	}
	return labels
}

func (a *alarm) metadata() map[string]any {
	m := map[string]any{"state": a.state}
	for name, value := range map[string]string{"old_state": a.before, "alarm_arn": a.arn, "alarm_rule": a.rule} {
		if value != "" {
			m[name] = value
		}
	}
	return m
}

// join puts texts into one, with an empty line between them.
func join(texts ...string) string {
	var parts []string
	for _, t := range texts {
		if t != "" {
			parts = append(parts, t)
		}
	}
	return strings.Join(parts, "\n\n")
}
