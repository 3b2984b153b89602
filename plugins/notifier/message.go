package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"bellcrank.example/sdk"
)

const (
	maxTitle  = 1 << 10 // bytes of a line
	maxText   = 8 << 10 // bytes of a text; vendors take less
	maxWord   = 500     // bytes of a fact
	maxLabels = 30      // of an alert: a sender chooses how many there are
	maxLabel  = 200     // bytes of a label
)

// texts are those that an operator may write.
type texts struct {
	Title string `json:"title" type:"template" doc:"The change in one line; by default the incident's name, what happened and its title."`
	Text  string `json:"text" type:"template" doc:"What is said beside the title; by default who made the change and what they said, if a person did, and the incident's description."`
}

// message is one change that is to be told.
type message struct{ sdk.Delivery }

// over reports whether the problem has ended.
func (m message) over() bool { return m.Kind == "resolved" || m.Incident.Status == "resolved" }

// quiet reports whether the change needs nobody's attention at once.
func (m message) quiet() bool { return m.over() || m.Kind == "acknowledged" || m.Kind == "updated" }

// title is the change in one line.
func (m message) title() string {
	return sdk.Line(cut(cmp.Or(m.Texts["title"], m.Headline, m.subject()), maxTitle))
}

// subject is what the change is about, in one line: for vendors who say
// themselves what has happened.
func (m message) subject() string {
	return sdk.Line(cut(cmp.Or(m.Texts["title"], m.Incident.ID+" "+m.Incident.Title), maxTitle))
}

// text is what is said beside it; it may be empty.
func (m message) text() string {
	if written := m.Texts["text"]; written != "" {
		return sdk.Paragraphs(cut(written, maxText))
	}
	return sdk.Paragraphs(cut(m.remark(), maxText/2) + "\n\n" + cut(m.Incident.Description, maxText/2))
}

// remark says who made the change and what they said of it.
func (m message) remark() string {
	switch {
	case m.Author == "":
		return m.Note
	case m.Note == "":
		return "by " + m.Author
	}
	return m.Author + ": " + m.Note
}

// links are where more is to be found.
func (m message) links() []sdk.Link {
	all := append([]sdk.Link{{Name: m.Incident.ID, URL: m.Incident.URL}, {Name: "Source", URL: m.Incident.SourceURL}}, m.Incident.Links...)
	var links []sdk.Link
	for _, l := range all {
		if at := sdk.AbsoluteURL(l.URL); at != "" && len(at) <= maxWord && len(links) < 5 {
			links = append(links, sdk.Link{Name: cmp.Or(sdk.Line(cut(l.Name, maxWord)), "Link"), URL: at})
		}
	}
	return links
}

// url is where the incident is looked at, empty if it is nowhere.
func (m message) url() string {
	if links := m.links(); len(links) > 0 {
		return links[0].URL
	}
	return ""
}

// fact is something about an incident with its name.
type fact struct{ name, value string }

// facts lists what is known of the incident, without what is empty.
func (m message) facts() []fact {
	in := m.Incident
	facts := []fact{
		{"severity", string(in.Severity)}, {"status", in.Status}, {"service", in.Service},
		{"affected", strings.Join(in.AffectedServices, ", ")}, {"integration", in.Integration},
	}
	if in.CustomerImpact != nil && *in.CustomerImpact {
		facts = append(facts, fact{"customer_impact", "yes"})
	}
	if in.Count > 1 {
		facts = append(facts, fact{"count", strconv.Itoa(in.Count)})
	}
	for i := range facts {
		facts[i].value = sdk.Line(cut(facts[i].value, maxWord))
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.value == "" })
}

// alert is the incident as Alertmanager knows problems. Its labels never
// change, as they are its identity; all that does is an annotation.
func (m message) alert() *alert.Alert {
	a := &alert.Alert{Alert: model.Alert{
		Labels: model.LabelSet{"alertname": "Bellcrank", "incident": model.LabelValue(m.Incident.ID), "uid": model.LabelValue(m.Incident.UID)},
		Annotations: model.LabelSet{
			"title": model.LabelValue(m.title()), "summary": model.LabelValue(sdk.Line(cut(m.Incident.Title, maxTitle))),
			"description": model.LabelValue(cut(m.text(), maxText/2)), "url": model.LabelValue(m.url()),
		},
		StartsAt: m.Incident.OpenedAt, GeneratorURL: cmp.Or(sdk.AbsoluteURL(cut(m.Incident.SourceURL, maxWord)), m.url()),
	}}
	for _, f := range m.facts() {
		a.Annotations[model.LabelName(f.name)] = model.LabelValue(f.value)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Incident.Labels))[:min(len(m.Incident.Labels), maxLabels)] {
		a.Annotations[model.LabelName("label."+sdk.Line(cut(name, maxLabel)))] = model.LabelValue(cut(m.Incident.Labels[name], maxLabel))
	}
	if m.over() {
		a.EndsAt = m.endedAt()
	}
	return a
}

// endedAt is when the incident ended. An alert whose end is to come is none
// that has ended, whatever the clocks of two machines say.
func (m message) endedAt() time.Time {
	if at := m.Incident.ResolvedAt; !at.IsZero() && at.Before(time.Now()) {
		return at
	}
	return time.Unix(0, 0)
}

// templates is what notifiers put texts together with. All that ours put
// together is what stands in an alert already, so it knows no template.
func (m message) templates() *template.Template {
	t, err := template.New()
	if err != nil {
		panic(err) // only options fail, and there are none
	}
	if t.ExternalURL, err = url.Parse(m.url()); err != nil {
		t.ExternalURL = &url.URL{}
	}
	return t
}

// literal is a text as it is in a place where notifiers expect a template: what
// somebody else has written must never be one.
func literal(s string) string {
	if !strings.Contains(s, "{{") {
		return s
	}
	return "{{ " + strconv.Quote(s) + " }}"
}

// cut shortens a text to n bytes at most, and shows that it did. Notifiers cut
// too, but one that counts bytes fails at a text that has few characters of
// many bytes each.
func cut(s string, n int) string {
	const mark = "…"
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:max(n-len(mark), 0)], "") + mark
}

// calls finds what chats may take for a call to many.
var calls = regexp.MustCompile(`(?i)@(here|channel|everyone|all)\b`)

// unmarked is a text in which nothing calls anybody, and in which each of the
// characters that a vendor gives a meaning to is replaced.
func unmarked(s string, replace *strings.Replacer) string {
	return replace.Replace(calls.ReplaceAllString(s, "@\u2060$1"))
}

// backslashed puts a backslash before each of the characters.
func backslashed(characters string) *strings.Replacer {
	var pairs []string
	for _, c := range characters {
		pairs = append(pairs, string(c), `\`+string(c))
	}
	return strings.NewReplacer(pairs...)
}

// words are a vendor's words for our severities, as an operator has set them.
type words map[string]string

// check reports a severity that doesn't exist, and a word that the vendor
// doesn't know; any is taken if none is named.
func (w words) check(name string, known ...string) error {
	for _, ours := range slices.Sorted(maps.Keys(w)) {
		if level, err := sdk.ParseSeverity(ours); err != nil || level == "" {
			return fmt.Errorf("%s: %q is no severity", name, ours)
		}
		if len(known) > 0 && !slices.Contains(known, w[ours]) {
			return fmt.Errorf("%s: %q is none of %s", name, w[ours], strings.Join(known, ", "))
		}
	}
	return nil
}

// of returns the word for a severity, otherwise if the operator has set none.
func (w words) of(severity sdk.Severity, otherwise string) string {
	for ours, theirs := range w {
		if level, err := sdk.ParseSeverity(ours); err == nil && level == severity {
			return theirs
		}
	}
	return otherwise
}

// checkURL reports what keeps a URL from being asked. It doesn't repeat it.
func checkURL(raw string) error {
	if sdk.AbsoluteURL(raw) == "" {
		return errors.New("url must be an absolute http or https URL without a user")
	}
	return nil
}

// filled reports the first of the settings, which are pairs of name and value,
// that is empty or white.
func filled(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if strings.TrimSpace(pairs[i+1]) == "" {
			return fmt.Errorf("%s must not be empty", pairs[i])
		}
	}
	return nil
}
