// Package wording puts incident changes into words for people: what chat,
// mail and paging destinations share.
//
// It knows no vendor's markup; escaping and limits are the types' own.
package wording

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Texts are the texts that an operator may write, for embedding in the
// settings of a type.
type Texts struct {
	Title string `json:"title" type:"template" doc:"The change in one line; by default its name, what happened and the incident's title."`
	Text  string `json:"text" type:"template" doc:"What is said beside the title; by default who made the change and what they said, if a person did, and the incident's description."`
}

// Wording makes the texts of one destination: an operator's templates where
// there are any and they work, else its own words.
type Wording struct {
	templates map[string]core.Template
}

// New returns a Wording. Title and Text use the templates of these names.
func New(templates map[string]core.Template) Wording { return Wording{templates: templates} }

// Title returns the change in one line, such as
// "[INC-042] High: Disk full".
func (w Wording) Title(m core.Message) string { return w.TitleOr(m, defaultTitle) }

// TitleOr is Title with other words for when there is no template.
func (w Wording) TitleOr(m core.Message, otherwise func(core.Message) string) string {
	return Line(w.Render("title", m, otherwise))
}

// Text returns what is to be said beside the title: what came with the change,
// and the incident's description. It may be empty.
func (w Wording) Text(m core.Message) string {
	return strings.TrimSpace(w.Render("text", m, func(m core.Message) string {
		return Remark(m) + "\n\n" + strings.TrimSpace(m.Incident.Description)
	}))
}

// Remark says who made the change and what they said of it, empty if nobody
// did: "anna: a disk is on its way".
func Remark(m core.Message) string {
	switch {
	case m.Author == "":
		return m.Note
	case m.Note == "":
		return "by " + m.Author
	}
	return m.Author + ": " + m.Note
}

// Render makes one text, by the template of that name or in other words. A template that fails costs its words, never the
// delivery.
func (w Wording) Render(name string, m core.Message, otherwise func(core.Message) string) string {
	template := w.templates[name]
	if template == nil {
		return otherwise(m)
	}
	text, err := template(m)
	if err != nil {
		slog.Warn("template failed; the default text is sent", "destination", m.Destination, "delivery", m.ID, "template", name, "err", err)
		return otherwise(m)
	}
	return text
}

func defaultTitle(m core.Message) string {
	in := m.Incident
	title := "[" + in.Name() + "] " + News(m) + ": " + cmp.Or(in.Title, "(no title)")
	if in.Test {
		return "[test] " + title
	}
	return title
}

// News says in a word or two what has happened: the severity of a new
// incident, else the kind of the change.
func News(m core.Message) string {
	severity := string(m.Incident.Severity)
	switch m.Kind {
	case core.Escalated:
		return "Escalated to " + severity
	case core.Reopened:
		return "Reopened, " + severity
	case core.Created:
		return severity
	}
	return Capital(string(m.Kind))
}

// Fact is something about an incident with its name.
type Fact struct {
	Name, Value string
}

// Facts lists what is known of the incident, the most important first, without
// what is empty.
func Facts(in *core.Incident) []Fact {
	facts := []Fact{
		{"Severity", string(in.Severity)},
		{"Status", Capital(string(in.Status))},
		{"Service", in.Service},
		{"Affected", strings.Join(in.Affected, ", ")},
		{"Customer impact", impact(in)},
		{"Integration", in.Integration},
		{"Count", count(in)},
		{"Labels", labels(in)},
	}
	return slices.DeleteFunc(facts, func(f Fact) bool { return f.Value == "" })
}

func impact(in *core.Incident) string {
	if in.Impact == nil || !*in.Impact {
		return ""
	}
	return "Yes"
}

func count(in *core.Incident) string {
	if in.Count < 2 {
		return ""
	}
	return strconv.Itoa(in.Count)
}

const maxLabels = 300 // characters of them all

// labels joins them as "name=value", cut to what still can be read.
func labels(in *core.Incident) string {
	all, comma := "", ""
	for _, name := range slices.Sorted(maps.Keys(in.Labels)) {
		if len(all) > maxLabels {
			break
		}
		all += comma + Cut(name, maxLabels) + "=" + Cut(in.Labels[name], maxLabels)
		comma = ", "
	}
	return Cut(all, maxLabels)
}

// maxDetails bounds the labels among the details: a sender chooses how many
// there are.
const maxDetails = 50

// Details returns what pagers show in a table: the facts by names such as
// customer_impact, and the labels as "label.NAME". Each is cut.
func Details(in *core.Incident) map[string]string {
	details := map[string]string{}
	for _, f := range Facts(in) {
		if f.Name != "Labels" {
			details[strings.ReplaceAll(strings.ToLower(f.Name), " ", "_")] = Cut(f.Value, 500)
		}
	}
	if in.DedupKey != "" {
		details["dedup_key"] = Cut(Line(in.DedupKey), 200)
	}
	for _, name := range slices.Sorted(maps.Keys(in.Labels))[:min(len(in.Labels), maxDetails)] {
		details["label."+Cut(Line(name), 100)] = Cut(in.Labels[name], 200)
	}
	return details
}

// IncidentKey returns the key by which a vendor that folds knows the incident:
// the same for every change.
func IncidentKey(in *core.Incident) string { return "bellcrank-" + in.ID.String() }

// Links lists where more is to be found: the incident, its source, and what
// the source links to. At most ten.
func Links(m core.Message) []sdk.Link {
	var links []sdk.Link
	if m.IncidentURL != "" {
		links = append(links, sdk.Link{Name: m.Incident.Name(), URL: m.IncidentURL})
	}
	if m.Incident.SourceURL != "" {
		links = append(links, sdk.Link{Name: "Source", URL: m.Incident.SourceURL})
	}
	for _, l := range m.Incident.Links {
		links = append(links, sdk.Link{Name: cmp.Or(Line(l.Name), "Link"), URL: l.URL})
	}
	return links[:min(len(links), 10)]
}

// Colour returns the incident's colour as 24 bits: green once it is resolved,
// else the severity's.
func Colour(in *core.Incident) int {
	if !in.Open() {
		return 0x2eb67d
	}
	switch in.Severity {
	case sdk.Critical:
		return 0xc4162a
	case sdk.High:
		return 0xe8590c
	case sdk.Medium:
		return 0xf2b705
	case sdk.Low:
		return 0x3b82f6
	}
	return 0x8a8f98
}

// Words are a vendor's words for our severities, as an operator has set them:
// by the severity, in any case.
type Words map[string]string

// Check reports a severity that doesn't exist, and a word that the vendor
// doesn't know.
func (w Words) Check(known ...string) error {
	for _, ours := range slices.Sorted(maps.Keys(w)) {
		if level, err := sdk.ParseSeverity(ours); err != nil || level == "" {
			return fmt.Errorf("%q is no severity", ours)
		}
		if !slices.Contains(known, w[ours]) {
			return fmt.Errorf("%q is none of %s", w[ours], strings.Join(known, ", "))
		}
	}
	return nil
}

// For returns the word for a severity, otherwise if the operator has set none.
func (w Words) For(severity sdk.Severity, otherwise string) string {
	for ours, theirs := range w {
		if strings.EqualFold(strings.TrimSpace(ours), string(severity)) {
			return theirs
		}
	}
	return otherwise
}

// maxLine is more characters than any vendor takes in a line.
const maxLine = 4096

// Line makes one line of a text: senders choose what is in it.
func Line(s string) string { return sdk.Line(Cut(s, maxLine)) }

// Cut shortens a text to n characters at most and shows that it did.
func Cut(s string, n int) string {
	last, seen := 0, 0
	for at := range s {
		if seen == n {
			return s[:last] + "…"
		}
		last = at
		seen++
	}
	return s
}

// Capital begins a word with a capital letter.
func Capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
