package main

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/DataDog/datadog-api-client-go/v2/api/datadogV1"

	"bellcrank.example/sdk"
)

// monitor is a notification of a monitor: what the body, its titles and the
// links in its text say together.
type monitor struct {
	members

	id         string
	scope      []string // sorted; empty: no groups, or unknown
	cycle      string
	aggregate  string
	transition transition
	kind       datadogV1.EventAlertType // error, warning, success, info …
	priority   string                   // "P2", or a word that means a severity
	title      string
	wholeTitle string // as Datadog wrote it
	text       string // the description, not yet cleaned
	test       bool
}

// readMonitor finds every fact in its most trusted place first.
func readMonitor(m members) monitor {
	own := readHeading(m.text("alerttitle", "monitorname", "monitortitle", "alertname"))
	event := readHeading(m.text("eventtitle", "title", "msgtitle", "subject", "summary"))
	mon := monitor{
		members:    m,
		id:         m.text("alertid", "monitorid", "alertmonitorid"),
		scope:      sortedScope(m.list("alertscope", "alertscopes", "scope", "scopes", "monitorscope", "monitorgroup")),
		cycle:      m.text("alertcyclekey", "cyclekey", "monitorcyclekey"),
		aggregate:  m.text("aggregkey", "aggregationkey", "alertaggregkey", "eventaggregkey"),
		kind:       datadogV1.EventAlertType(strings.ToLower(m.text("alerttype", "eventalerttype"))),
		text:       m.text("textonlymsg", "alertmessage", "eventmsg", "body", "message", "description", "text"),
		title:      firstOf(own.text, event.text, sdk.Line(m.text("securitysignaltitle", "syntheticstestname"))),
		wholeTitle: sdk.Line(m.text("eventtitle", "title", "alerttitle")),
		test:       own.test || event.test,
	}
	mon.transition = mon.readTransition(own, event)
	mon.priority = mon.readPriority(own, event)
	for _, h := range []heading{event, own} {
		if len(mon.scope) == 0 {
			mon.scope = h.scope
		}
	}
	mon.readLinks()
	mon.test = mon.test || testNotice.MatchString(mon.text)
	return mon
}

// testNotice is what "Test Notifications" writes into the text, even where
// the template leaves out the title that has [TEST].
var testNotice = regexp.MustCompile(`(?m)^\s*Test notification triggered by \S`)

// readTransition falls back on the titles' prefixes and then on the alert
// type. $ALERT_STATUS is a sentence and $EVENT_TYPE the monitor's kind, so
// neither says anything about it.
func (mon *monitor) readTransition(own, event heading) transition {
	for _, name := range []string{"alerttransition", "transition", "monitortransition", "alertstate", "monitorstate", "state", "status"} {
		if t := transitionOf(mon.members.text(name)); t != unknown {
			return t
		}
	}
	for _, h := range []heading{event, own} {
		if h.transition != unknown {
			return h.transition
		}
	}
	if mon.kind == datadogV1.EVENTALERTTYPE_SUCCESS {
		return recovered
	}
	return unknown
}

// readPriority passes over $PRIORITY, which has its values from another list:
// it is the event's priority, "normal" for nearly all of them.
func (mon *monitor) readPriority(own, event heading) string {
	if p := mon.members.text("alertpriority", "monitorpriority", "securitysignalseverity"); p != "" {
		return p
	}
	for _, name := range []string{"severity", "priority"} {
		word := mon.members.text(name)
		if word != "" && !datadogV1.EventPriority(strings.ToLower(word)).IsValid() {
			return word
		}
	}
	return firstOf(event.priority, own.priority)
}

// Links in the text lead to the monitor and to its group. They are all that
// the default payload has to tell monitors apart.
var (
	monitorLink = regexp.MustCompile(`https?://[^\s()\[\]"<>]+/monitors[/#](\d+)[^\s()\[\]"<>]*`)
	groupParam  = regexp.MustCompile(`[?&]group=([^&#]+)`)
)

// readLinks fills in id and scope from the text or the event's own link.
func (mon *monitor) readLinks() {
	for _, text := range []string{mon.text, mon.members.text("body", "eventmsg"), mon.sourceURL()} {
		for _, link := range monitorLink.FindAllStringSubmatch(text, -1) {
			if mon.id == "" {
				mon.id = link[1]
			}
			if link[1] == mon.id && len(mon.scope) == 0 {
				mon.scope = groupOf(link[0])
			}
		}
	}
}

func groupOf(link string) []string {
	param := groupParam.FindStringSubmatch(link)
	if param == nil {
		return nil
	}
	group, err := url.QueryUnescape(param[1])
	if err != nil {
		return nil
	}
	// Any bytes may be escaped.
	return sortedScope(strings.Split(strings.ToValidUTF8(group, "\uFFFD"), ","))
}

// action is what the notification does to its incident.
func (mon *monitor) action(whenNoData string) sdk.Action {
	if mon.transition == recovered || mon.transition == noData && whenNoData == noDataResolves {
		return sdk.Resolve
	}
	return sdk.Trigger
}

// typeSeverity is what a monitor without a priority is worth. The types that
// aren't here say nothing about it.
var typeSeverity = map[datadogV1.EventAlertType]sdk.Severity{
	datadogV1.EVENTALERTTYPE_ERROR:   sdk.High,
	datadogV1.EVENTALERTTYPE_WARNING: sdk.Medium,
	datadogV1.EVENTALERTTYPE_INFO:    sdk.Low,
}

// warnSeverity is what a monitor's priority is worth while it only warns.
var warnSeverity = map[sdk.Severity]sdk.Severity{
	sdk.Critical: sdk.High,
	sdk.High:     sdk.Medium,
}

// severity returns the level and the vendor's word that it comes from.
func (mon *monitor) severity() (level sdk.Severity, raw string) {
	raw = firstOf(mon.priority, string(mon.kind), string(mon.transition))
	if level = sdk.SeverityOf(mon.priority); level != "" {
		if lower, ok := warnSeverity[level]; ok && mon.transition == warned {
			level = lower
		}
		return level, raw
	}
	switch mon.transition {
	case noData, warned:
		return sdk.Medium, raw
	}
	if level, ok := typeSeverity[mon.kind]; ok {
		return level, raw
	}
	if mon.transition == triggered {
		return sdk.High, raw
	}
	return "", raw
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
