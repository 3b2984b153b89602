package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

// event is an event in the making.
type event struct {
	*mapper
	sdk.Event
	element any
	field   string // that is being evaluated
	notes   []string
}

func (e *event) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// conditions are asked in this order.
var conditions = []struct {
	name   string
	action sdk.Action
}{
	{"ignore_when", ""},
	{"resolve_when", sdk.Resolve},
	{"acknowledge_when", sdk.Acknowledge},
	{"trigger_when", sdk.Trigger},
}

// action finds out what has happened; nothing worth telling if empty. Without
// a condition it is a problem: in doubt somebody is told.
func (e *event) action() (sdk.Action, error) {
	for _, c := range conditions {
		e.field = c.name
		holds, err := e.holds(c.name, false)
		if err != nil {
			return "", err
		}
		if holds {
			e.reason = fmt.Sprintf("mapping %s: %s holds", e.name, c.name)
			return c.action, nil
		}
	}
	if e.has("status") {
		return e.status()
	}
	if e.has("trigger_when") {
		e.reason = fmt.Sprintf("mapping %s: none of its conditions holds", e.name)
		return "", nil
	}
	return sdk.Trigger, nil
}

func (e *event) status() (sdk.Action, error) {
	e.field = "status"
	word, err := e.text("status")
	if err != nil {
		return "", err
	}
	if action := sdk.ActionOf(word); action != "" {
		return action, nil
	}
	e.note("status %.60q is no status that we know; it counts as a trigger", word)
	return sdk.Trigger, nil
}

// read evaluates all fields. If it fails, e.field is the one that did.
func (e *event) read(action sdk.Action) error {
	e.Action = action
	for _, step := range []struct {
		field string
		read  func() error
	}{
		{"title", e.readTitle},
		{"description", func() (err error) { e.Description, err = e.text("description"); return err }},
		{"severity", e.readSeverity},
		{"service", func() (err error) { e.Service, err = e.text("service"); return err }},
		{"affected_services", e.readAffected},
		{"customer_impact", e.readImpact},
		{"source_url", e.readURL},
		{"occurred_at", func() error { return e.readTime("occurred_at", &e.OccurredAt) }},
		{"ended_at", func() error { return e.readTime("ended_at", &e.EndedAt) }},
		{"test", func() (err error) { e.Test, err = e.holds("test", false); return err }},
		{"labels", e.readLabels},
		{"metadata", e.readMetadata},
		{"links", e.readLinks},
		{"dedup_key", e.readKey},
	} {
		e.field = step.field
		if err := step.read(); err != nil {
			return err
		}
	}
	return nil
}

func (e *event) readTitle() error {
	title, err := e.text("title")
	if err != nil {
		return err
	}
	if e.Title = sdk.Line(title); e.Title == "" && e.Action == sdk.Trigger {
		return fmt.Errorf("%s: the title is empty: what it reads isn't there", e.fields["title"].Place())
	}
	return nil
}

func (e *event) readSeverity() error {
	word, err := e.text("severity")
	if err != nil {
		return err
	}
	e.SeverityRaw = sdk.Line(word)
	if e.Action == sdk.Resolve {
		return nil // a resolve carries no severity
	}
	e.Severity = sdk.SeverityOf(word)
	if e.Severity == "" && word != "" {
		e.note("severity %.60q is no word that we know; the integration's default counts", word)
	}
	return nil
}

// readKey names the problem. An empty key is none: it would make one incident
// of all that have nothing else in common.
func (e *event) readKey() error {
	key, err := e.text("dedup_key")
	switch {
	case err != nil:
		return err
	case key != "" && !sdk.Unrendered(key):
		e.DedupKey, e.IdentityRule = "key:"+key, "dedup_key of mapping "+e.name
	case e.has("dedup_key") && e.Action != sdk.Trigger:
		return fmt.Errorf("%s: the key is empty, so nothing says which problem this is about", e.fields["dedup_key"].Place())
	case e.has("dedup_key"):
		e.note("dedup_key is empty; this opens an incident of its own")
	case e.Title == "":
		return errors.New("there is neither a dedup_key nor a title, so nothing says which problem this is about")
	case e.has("resolve_when", "acknowledge_when", "status"):
		e.DedupKey, e.IdentityRule = flat.TitleKey(e.Title, e.Service), "title and service"
	}
	return nil
}

func (e *event) readAffected() error {
	value, err := e.value("affected_services")
	if err != nil {
		return err
	}
	list, ok := value.([]any)
	if text, is := value.(string); is && !ok {
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, part)
		}
	}
	for _, one := range list {
		if word := strings.TrimSpace(scalar(one)); word != "" {
			e.AffectedServices = append(e.AffectedServices, word)
		}
	}
	return nil
}

// scalar is a value as text; what is no scalar says nothing.
func scalar(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return string(v)
	case bool:
		return fmt.Sprint(v)
	}
	return ""
}

func (e *event) readImpact() error {
	value, err := e.value("customer_impact")
	if err != nil || value == nil {
		return err
	}
	impact, ok := flat.Boolean(scalar(value))
	if !ok {
		e.note("customer_impact %.60q is neither true nor false", scalar(value))
		return nil
	}
	e.CustomerImpact = &impact
	return nil
}

func (e *event) readURL() error {
	link, err := e.text("source_url")
	if e.SourceURL = sdk.AbsoluteURL(link); e.SourceURL == "" && link != "" {
		e.note("source_url %.60q is no absolute URL", link)
	}
	return err
}

func (e *event) readTime(name string, to *time.Time) error {
	value, err := e.value(name)
	if err != nil || value == nil || value == "" {
		return err
	}
	at := sdk.ParseTime(scalar(value))
	if at.IsZero() {
		e.note("%s %.60q is no time that we know", name, scalar(value))
		return nil
	}
	*to = at
	return nil
}

func (e *event) readLabels() error {
	value, err := e.value("labels")
	if err != nil {
		return err
	}
	members, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text := scalar(members[name])
		switch {
		case text != "":
			if e.Labels == nil {
				e.Labels = map[string]string{}
			}
			e.Labels[name] = text
		case members[name] != nil && members[name] != "":
			e.note("label %.60q is neither text nor a number, and left out", name)
		}
	}
	return nil
}

func (e *event) readMetadata() error {
	value := e.element
	if e.has("metadata") {
		var err error
		if value, err = e.value("metadata"); err != nil {
			return err
		}
	}
	e.Metadata, _ = value.(map[string]any)
	return nil
}

func (e *event) readLinks() error {
	value, err := e.value("links")
	if err != nil {
		return err
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			e.link(name, scalar(v[name]))
		}
	case []any:
		for _, one := range v {
			member, _ := one.(map[string]any)
			e.link(scalar(member["name"]), scalar(member["url"]))
		}
	}
	return nil
}

func (e *event) link(name, to string) {
	absolute := sdk.AbsoluteURL(to)
	if absolute == "" {
		if to != "" {
			e.note("link %.60q is no absolute URL", to)
		}
		return
	}
	if name == "" {
		name = "Link"
	}
	e.Links = append(e.Links, sdk.Link{Name: name, URL: absolute})
}
