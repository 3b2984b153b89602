package alerts

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/template"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/plugins/internal/loose"
	"bellcrank.example/sdk"
)

// payload is the body of a notification. Its members are those of
// alertmanager's template.Data and notify/webhook.Message, each of a type that
// takes what older versions and other senders put there: group keys and
// versions as numbers, times that don't parse, labels that aren't strings.
type payload struct {
	Receiver           text    `json:"receiver"`
	Status             text    `json:"status"`
	Alerts             []alert `json:"alerts"`
	GroupLabels        labels  `json:"groupLabels"`
	CommonLabels       labels  `json:"commonLabels"`
	CommonAnnotations  labels  `json:"commonAnnotations"`
	RouteLabels        labels  `json:"routeLabels"` // since 0.34
	ExternalURL        text    `json:"externalURL"`
	GroupKey           text    `json:"groupKey"`
	TruncatedAlerts    count   `json:"truncatedAlerts"`
	NotificationReason text    `json:"notification_reason"` // since 0.32

	OrgID text `json:"orgId"` // Grafana

	rejected []sdk.Rejection // elements of alerts that are no alerts
	dropped  []string        // paths of links that lead nowhere
}

// Paths lists what is read of a body.
func Paths() []string { return sdk.PathsOf[payload]() }

// alert is one element of alerts: template.Alert, and what Grafana adds.
type alert struct {
	Status       text    `json:"status"`
	Labels       labels  `json:"labels"`
	Annotations  labels  `json:"annotations"`
	StartsAt     instant `json:"startsAt"`
	EndsAt       instant `json:"endsAt"`
	GeneratorURL text    `json:"generatorURL"`
	Fingerprint  text    `json:"fingerprint"` // since 0.19

	SilenceURL   text       `json:"silenceURL"`
	DashboardURL text       `json:"dashboardURL"`
	PanelURL     text       `json:"panelURL"`
	ImageURL     text       `json:"imageURL"`
	RuleUID      text       `json:"ruleUID"`
	ValueString  text       `json:"valueString"`
	Values       loose.JSON `json:"values"`

	index int // in alerts
}

// read takes a body apart. Most bodies decode as they are; the others member
// by member, so that one odd value doesn't cost the rest.
func read(body []byte) (payload, flat.Members, error) {
	var p payload
	if json.Unmarshal(body, &p) == nil && len(p.Alerts) > 0 && p.complete() {
		return p.numbered(), nil, nil
	}
	if body[0] == '[' {
		return readList(body)
	}
	members, err := flat.Parse(body)
	if err != nil {
		return payload{}, nil, err
	}
	return readMembers(members)
}

// complete reports whether every alert says what it is about. JSON null and
// elements of other kinds decode into alerts without labels.
func (p *payload) complete() bool {
	for i := range p.Alerts {
		if len(p.Alerts[i].Labels) == 0 {
			return false
		}
	}
	return true
}

func (p payload) numbered() payload {
	for i := range p.Alerts {
		p.Alerts[i].index = i
	}
	return p
}

// readList reads a bare list of alerts, the form of Prometheus's own API.
func readList(body []byte) (payload, flat.Members, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		return payload{}, nil, &sdk.Failure{Code: sdk.Malformed, Message: "the list is not valid JSON"}
	}
	var p payload
	p.readAlerts(elements)
	return p, nil, nil
}

// readMembers reads an object whose alerts may be of any kind. The members are
// returned if there is no list of alerts in it.
func readMembers(m flat.Members) (payload, flat.Members, error) {
	var elements []json.RawMessage
	switch {
	case json.Unmarshal(m["alerts"], &elements) == nil && elements != nil:
	case m.Has("labels"): // a single alert without its envelope
		object, err := json.Marshal(m)
		if err != nil {
			return payload{}, nil, &sdk.Failure{Code: sdk.Malformed, Message: "invalid JSON"}
		}
		elements = []json.RawMessage{object}
	default:
		return payload{}, m, nil
	}
	envelope := make(flat.Members, len(m))
	for name, value := range m {
		if name != "alerts" {
			envelope[name] = value
		}
	}
	var p payload
	if object, err := json.Marshal(envelope); err == nil {
		_ = json.Unmarshal(object, &p) // every type in it takes every value
	}
	p.readAlerts(elements)
	return p, nil, nil
}

func (p *payload) readAlerts(elements []json.RawMessage) {
	for i, element := range elements {
		a := alert{index: i}
		if err := json.Unmarshal(element, &a); err != nil || bytes.TrimSpace(element)[0] != '{' {
			p.rejected = append(p.rejected, sdk.Rejection{Index: i, Path: path(i, ""), Reason: "not an alert: want an object with labels"})
			continue
		}
		if len(a.Labels) == 0 && a.Fingerprint == "" && len(p.GroupLabels)+len(p.CommonLabels) == 0 {
			p.rejected = append(p.rejected, sdk.Rejection{Index: i, Path: path(i, "labels"), Reason: "an alert without labels has no identity"})
			continue
		}
		p.Alerts = append(p.Alerts, a)
	}
}

type text = loose.Text

// labels takes an object of strings; other values are kept as written, but
// what isn't a value at all is no label.
type labels template.KV

// UnmarshalJSON makes labels a json.Unmarshaler that never fails.
func (l *labels) UnmarshalJSON(raw []byte) error {
	strict, plain := loose.Strings(raw)
	if plain || json.Unmarshal(raw, &strict) == nil {
		*l = strict
		return nil
	}
	var mixed map[string]json.RawMessage
	_ = json.Unmarshal(raw, &mixed) // what is no object has no labels
	*l = make(labels, len(mixed))
	for name, value := range mixed {
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = loose.Scalar(value)
		}
		if s != "" {
			(*l)[name] = s
		}
	}
	return nil
}

// get returns the first of the named labels that isn't empty. Names match in
// any letter case, exactly first.
func (l labels) get(names ...string) string {
	for _, name := range names {
		if value := strings.TrimSpace(l[name]); value != "" {
			return value
		}
	}
	for _, name := range names {
		if value := l.fold(name); value != "" {
			return value
		}
	}
	return ""
}

// fold returns the label whose name is alike but for letter case; of several,
// the first in order of name.
func (l labels) fold(name string) string {
	var found, value string
	for n, v := range l {
		if v = strings.TrimSpace(v); v != "" && strings.EqualFold(n, name) && (found == "" || n < found) {
			found, value = n, v
		}
	}
	return value
}

// instant takes RFC 3339 times; others, and Alertmanager's zero time
// 0001-01-01T00:00:00Z, are zero.
type instant struct{ time.Time }

// UnmarshalJSON makes instant a json.Unmarshaler that never fails.
func (i *instant) UnmarshalJSON(raw []byte) error {
	i.Time = time.Time{}
	if t, err := time.Parse(time.RFC3339Nano, loose.Scalar(raw)); err == nil && t.Year() > 1 {
		i.Time = t.UTC()
	}
	return nil
}

// count takes whole numbers. What isn't one, or isn't there, is unknown, which
// is not none.
type count struct {
	n     int
	known bool
}

// UnmarshalJSON makes count a json.Unmarshaler that never fails.
func (c *count) UnmarshalJSON(raw []byte) error {
	*c = count{}
	var i int
	if json.Unmarshal([]byte(loose.Scalar(raw)), &i) == nil && i >= 0 {
		*c = count{n: i, known: true}
	}
	return nil
}
