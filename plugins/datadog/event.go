package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bellcrank.example/sdk"
)

// event makes the event of a monitor's notification. A trigger without any
// title gets one from the monitor's number.
func (mon *monitor) event(s settings) (sdk.Event, error) {
	e := sdk.Event{
		Action:         mon.action(s.NoData),
		Title:          mon.titleOrNumber(),
		Description:    cleanText(mon.text),
		CustomerImpact: mon.flag("customerimpact"),
		SourceURL:      mon.sourceURL(),
		Test:           mon.test,
		Labels:         tagLabels(slices.Concat(mon.tags(), mon.scope)),
		Metadata:       mon.metadata(),
		Links:          mon.links(),
	}
	if e.Title == "" {
		// Nobody filled the template in: that is a set-up being tried, and the
		// variable in the title says so best.
		if e.Title = mon.unrenderedTitle(); e.Title == "" {
			return sdk.Event{}, &sdk.Failure{Code: sdk.Unsupported, Path: "title",
				Message: "neither a title nor a monitor id, so this is no payload that Datadog would render"}
		}
		e.Test = true
	}
	e.Service, e.AffectedServices = mon.services(s.ServiceTags)
	if e.Action == sdk.Trigger {
		e.Severity, e.SeverityRaw = mon.severity()
	}
	mon.identify(&e, s.Identity)
	return e, nil
}

func (mon *monitor) titleOrNumber() string {
	if mon.title != "" {
		return mon.title
	}
	return prefixed("Datadog monitor ", mon.id)
}

func (m members) unrenderedTitle() string {
	for _, name := range []string{"title", "alerttitle", "eventtitle"} {
		if u, ok := m.unrendered[name]; ok {
			return u.variable
		}
	}
	return ""
}

// Mentions steer Datadog's own notifications and the %%% fences its Markdown;
// neither is for readers. Only known handles are dropped, as "@http.url" and
// its like are attributes of logs.
var (
	mention = regexp.MustCompile(`(^|\s)@(?:(?:webhook|slack|teams|pagerduty|opsgenie|victorops|servicenow|jira|case|workflow|oncall|incident|team|sns|hangouts|googlechat|hipchat)(?:-[\w.-]+)?|all|here|[\w.+-]+@[\w.-]+\w)`)
	blank   = regexp.MustCompile(`[ \t]*\n(?:[ \t]*\n)+`)
)

func cleanText(text string) string {
	text = strings.ReplaceAll(text, "%%%", "")
	text = mention.ReplaceAllString(text, "$1")
	return strings.TrimSpace(blank.ReplaceAllString(text, "\n\n"))
}

func (m members) tags() []string {
	return m.list("tags", "tag", "eventtags", "alerttags", "monitortags")
}

// tagLabels makes labels of tags with a value. The first of several with one
// key counts.
func tagLabels(tags []string) map[string]string {
	labels := map[string]string{}
	for _, tag := range tags {
		key, value, found := strings.Cut(tag, ":")
		if _, taken := labels[key]; found && !taken && key != "" && value != "" {
			labels[key] = value
		}
	}
	return labels
}

// services come from the tags, then from the scope. A member "service" counts
// unless it repeats the host: hosts are not services.
func (mon *monitor) services(keys []string) (service string, affected []string) {
	tags, scope := mon.tags(), mon.scope
	all := tagValues(tags, keys)
	if len(all) == 0 {
		all = tagValues(scope, keys)
	}
	if len(all) == 0 {
		host := append(tagValues(slices.Concat(tags, scope), []string{"host"}), mon.members.text("hostname", "host"))
		if own := mon.members.text("service", "servicename"); !slices.Contains(host, own) {
			all = cleanList([]string{own})
		}
	}
	affected = cleanList(append(all, mon.list("affectedservices")...))
	if len(affected) == 0 {
		return "", nil
	}
	if len(affected) == 1 {
		return affected[0], nil
	}
	return affected[0], affected
}

func tagValues(tags, keys []string) []string {
	var values []string
	for _, key := range keys {
		for _, tag := range tags {
			if value, ok := strings.CutPrefix(tag, key+":"); ok {
				values = append(values, value)
			}
		}
	}
	return cleanList(values)
}

// flag reads a yes or no; nil means that the body doesn't say.
func (m members) flag(names ...string) *bool {
	yes, err := strconv.ParseBool(strings.ToLower(m.text(names...)))
	if err != nil {
		return nil
	}
	return &yes
}

func (m members) sourceURL() string {
	for _, name := range []string{"link", "url", "eventurl", "eventlink", "alerturl", "alertlink", "monitorurl", "sourceurl"} {
		if link := sdk.AbsoluteURL(m.text(name)); link != "" {
			return link
		}
	}
	return ""
}

func (mon *monitor) links() []sdk.Link {
	var links []sdk.Link
	if link := sdk.AbsoluteURL(monitorLink.FindString(mon.text)); link != "" {
		links = append(links, sdk.Link{Name: "Monitor", URL: link})
	}
	if link := sdk.AbsoluteURL(mon.members.text("snapshot", "alertsnapshot")); link != "" {
		links = append(links, sdk.Link{Name: "Snapshot", URL: link})
	}
	return links
}

const maxClockSkew = 5 * time.Minute

// occurredAt is when Datadog said the event: milliseconds since 1970 from its
// variables, seconds or RFC 3339 from people's templates. A time that lies
// past the receipt is no time at all, as it would outrank every later event.
func (m members) occurredAt(received time.Time) (at time.Time, note string) {
	for _, name := range []string{"lastupdated", "lastupdatedposix", "date", "dateposix", "timestamp"} {
		at := sdk.ParseTime(m.text(name))
		switch {
		case at.IsZero():
		case !received.IsZero() && at.After(received.Add(maxClockSkew)):
			note = "the event's time lies in the future and is not used"
		default:
			return at, ""
		}
	}
	return time.Time{}, note
}
