package alerts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"bellcrank.example/sdk"
)

// event makes an event of one alert that arrived now.
func (p *payload) event(a *alert, s Settings, now time.Time) sdk.Event {
	e := sdk.Event{
		Action:      p.action(a, now),
		Title:       p.title(a),
		Description: first(a.Annotations.get("description", "message", "details"), p.CommonAnnotations.get("description", "message")),
		Service:     first(a.Labels.get(s.ServiceLabels...), p.CommonLabels.get(s.ServiceLabels...)),
		SourceURL:   p.sourceURL(a),
		OccurredAt:  a.StartsAt.Time,
		Labels:      a.Labels,
		Links:       p.links(a),
		Metadata:    p.metadata(a),
		Test:        a.Labels["alertname"] == "TestAlert" && a.Labels["instance"] == "Grafana", // Grafana's test button
	}
	e.DedupKey, e.IdentityRule = p.identity(a)
	e.SeverityRaw = first(a.Labels.get(s.SeverityLabels...), p.CommonLabels.get(s.SeverityLabels...), a.Annotations.get("severity"))
	if e.Action == sdk.Resolve {
		e.OccurredAt, e.EndedAt = a.EndsAt.Time, a.EndsAt.Time
	} else {
		e.Severity = sdk.SeverityOf(e.SeverityRaw)
	}
	return e
}

// statuses are the words for what has happened to an alert or a group.
var statuses = map[string]sdk.Action{
	"firing": sdk.Trigger, "alerting": sdk.Trigger, "active": sdk.Trigger,
	"resolved": sdk.Resolve, "ok": sdk.Resolve,
}

// action believes the alert, then the group, then the end time.
func (p *payload) action(a *alert, now time.Time) sdk.Action {
	for _, status := range []text{a.Status, p.Status} {
		if action, ok := statuses[strings.ToLower(string(status))]; ok {
			return action
		}
	}
	if !a.EndsAt.IsZero() && a.EndsAt.Before(now) {
		return sdk.Resolve
	}
	return sdk.Trigger
}

func (p *payload) title(a *alert) string {
	// A summary that its template has left unfilled is none: the alert is real,
	// and its labels still name it.
	title := sdk.Line(first(a.Annotations.get("summary", "title"), p.CommonAnnotations.get("summary", "title")))
	if title != "" && !sdk.Unrendered(title) {
		return title
	}
	name := first(a.Labels.get("alertname"), p.GroupLabels.get("alertname"), p.CommonLabels.get("alertname"))
	if name == "" {
		return sdk.Line("Alert " + firstLabels(a.Labels))
	}
	if instance := a.Labels.get("instance"); instance != "" {
		name += " (" + instance + ")"
	}
	return sdk.Line(name)
}

// firstLabels names an alert without a name: by its first labels.
func firstLabels(l labels) string {
	var pairs []string
	for _, pair := range template.KV(l).SortedPairs() {
		if len(pairs) == 3 {
			break
		}
		pairs = append(pairs, pair.Name+"="+pair.Value)
	}
	return strings.Join(pairs, ",")
}

// identity is the fingerprint if it is that of the labels. Some senders give
// two alerts one fingerprint, or make up their own: then the labels tell them
// apart. Neither startsAt nor the group key is part of it: the one changes
// with each episode, the other with the route.
func (p *payload) identity(a *alert) (key, rule string) {
	if len(a.Labels) == 0 {
		if a.Fingerprint != "" {
			return "fp:" + string(a.Fingerprint), "fingerprint, without labels"
		}
		return "group:" + string(p.GroupKey) + "#" + hash(p.GroupLabels, p.CommonLabels), "group key, without labels"
	}
	own := fingerprint(a.Labels)
	switch string(a.Fingerprint) {
	case own:
		return "fp:" + own, "fingerprint"
	case "":
		return "fp:" + own, "fingerprint, computed from the labels"
	}
	return "fp:" + string(a.Fingerprint) + "|" + hash(a.Labels), "fingerprint and labels"
}

// fingerprint is Prometheus's own hash of a label set, in 16 hex digits.
func fingerprint(l labels) string {
	set := make(model.LabelSet, len(l))
	for name, value := range l {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return set.Fingerprint().String()
}

func hash(sets ...labels) string {
	h := sha256.New()
	var text []byte
	for _, set := range sets {
		for _, pair := range template.KV(set).SortedPairs() {
			text = strconv.AppendQuote(text[:0], pair.Name)
			text = strconv.AppendQuote(append(text, '='), pair.Value)
			h.Write(append(text, ','))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// sourceURL is where the alert was made. Grafana and some proxies send it
// relative to the external URL.
func (p *payload) sourceURL(a *alert) string {
	raw := string(a.GeneratorURL)
	external := sdk.AbsoluteURL(string(p.ExternalURL))
	if link := sdk.AbsoluteURL(raw); link != "" || raw == "" {
		return first(link, external)
	}
	if strings.HasPrefix(raw, "?") || strings.HasPrefix(raw, "/") {
		if link := relative(external, raw); link != "" {
			return link
		}
	}
	p.dropped = append(p.dropped, path(a.index, "generatorURL"))
	return external
}

// relative resolves a link against an absolute URL. One that begins with two
// slashes names a host of its own and gives nothing.
func relative(external, link string) string {
	base, err := url.Parse(external)
	if err != nil || base.Host == "" {
		return ""
	}
	resolved, err := base.Parse(link)
	if err != nil || resolved.Host != base.Host {
		return ""
	}
	return resolved.String()
}

func (p *payload) links(a *alert) []sdk.Link {
	var links []sdk.Link
	add := func(name, raw string) {
		if link := sdk.AbsoluteURL(raw); link != "" {
			links = append(links, sdk.Link{Name: name, URL: link})
		}
	}
	add("Runbook", first(a.Annotations.get("runbook_url", "runbook"), p.CommonAnnotations.get("runbook_url", "runbook")))
	add("Dashboard", first(string(a.DashboardURL), a.Annotations.get("dashboard_url", "dashboard", "dashboardURL")))
	add("Panel", string(a.PanelURL))
	add("Silence", string(a.SilenceURL))
	add("Image", string(a.ImageURL))
	return links
}

// metadata keeps what no field holds. What the alert says goes above what the
// group says.
func (p *payload) metadata(a *alert) map[string]any {
	m := map[string]any{}
	add := func(name string, value text) {
		if value != "" {
			m[name] = string(value)
		}
	}
	add("groupKey", p.GroupKey)
	add("receiver", text(unescape(string(p.Receiver))))
	add("notification_reason", p.NotificationReason)
	add("externalURL", p.ExternalURL)
	add("orgId", p.OrgID)
	add("ruleUID", a.RuleUID)
	add("valueString", a.ValueString)
	if len(a.Annotations) > 0 {
		m["annotations"] = anyMap(a.Annotations)
	}
	if len(p.RouteLabels) > 0 {
		m["routeLabels"] = anyMap(p.RouteLabels)
	}
	if p.TruncatedAlerts.n > 0 {
		m["truncatedAlerts"] = p.TruncatedAlerts.n
	}
	if len(a.Values) > 0 && a.Values[0] == '{' {
		m["values"] = a.Values
	}
	return m
}

func anyMap(l labels) map[string]any {
	m := make(map[string]any, len(l))
	for name, value := range l {
		m[name] = value
	}
	return m
}

// groupEvent makes one event of those of a whole notification: of those that
// fire, if any do. It resolves only when the group says so and nothing fires.
func (p *payload) groupEvent(events []sdk.Event) sdk.Event {
	firing := slices.DeleteFunc(slices.Clone(events), func(e sdk.Event) bool { return e.Action != sdk.Trigger })
	e := events[0]
	if len(firing) > 0 {
		e = firing[0]
	} else if p.hidesFiring() {
		e.Action, e.OccurredAt, e.EndedAt, e.Severity = sdk.Trigger, time.Time{}, time.Time{}, sdk.SeverityOf(e.SeverityRaw)
	}
	for _, one := range firing {
		if one.Severity.Above(e.Severity) {
			e.Severity, e.SeverityRaw = one.Severity, one.SeverityRaw
		}
	}
	group, rule := p.group()
	e.DedupKey, e.IdentityRule = "group:"+group, rule
	e.Title = sdk.Line(first(p.CommonAnnotations.get("summary", "title"), p.GroupLabels.get("alertname"), "Alerts "+firstLabels(p.GroupLabels)))
	e.Test = !slices.ContainsFunc(events, func(e sdk.Event) bool { return !e.Test })
	e.Labels = p.CommonLabels
	e.Metadata["firing"], e.Metadata["resolved"] = len(firing), len(events)-len(firing)
	return e
}

// hidesFiring reports whether alerts that fire are cut off. A group that lost
// its status may have some.
func (p *payload) hidesFiring() bool {
	action, known := statuses[strings.ToLower(string(p.Status))]
	return action == sdk.Trigger || !known && p.TruncatedAlerts.n > 0
}

// group identifies the notification's group.
func (p *payload) group() (key, rule string) {
	if p.GroupKey == "" {
		return hash(p.GroupLabels, p.CommonLabels), "group labels"
	}
	return string(p.GroupKey), "group key"
}

// truncatedEvent tells of alerts that nobody will ever be told of otherwise.
// Without any it resolves: which notification was the last to hide some isn't
// known here.
func (p *payload) truncatedEvent() sdk.Event {
	receiver := unescape(string(p.Receiver))
	group, _ := p.group()
	e := sdk.Event{
		Action: sdk.Resolve, DedupKey: "truncated:" + group, IdentityRule: "truncated group",
		Title: "No alerts are hidden by max_alerts on receiver " + receiver,
	}
	if p.TruncatedAlerts.n > 0 {
		e.Action, e.Severity = sdk.Trigger, sdk.Medium
		e.Title = fmt.Sprintf("%d alerts are hidden by max_alerts on receiver %s", p.TruncatedAlerts.n, receiver)
	}
	return e
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
