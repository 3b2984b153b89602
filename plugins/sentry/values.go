package main

import (
	"encoding/json"
	"strconv"
	"strings"

	"bellcrank.example/sdk"
)

// Sentry's members change their type with resource, version and action: ids
// are numbers or strings, tags are pairs or objects, a project is a number, a
// slug or an object. The types below take what comes: one odd member must not
// cost an alert.

// text is a string, or a number or bool as written. Everything that means
// "nothing" is empty: null, "null", and Python's "None".
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(raw []byte) error { //nolint:unparam // json.Unmarshaler wants it so
	var s string
	if len(raw) > 0 && raw[0] != '{' && raw[0] != '[' {
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
	}
	switch s = strings.TrimSpace(s); strings.ToLower(s) {
	case "null", "none":
		s = ""
	}
	*t = text(s)
	return nil
}

// lax holds a value that stays zero when it can't be read.
type lax[T any] struct{ Value T }

// UnmarshalJSON never fails.
func (l *lax[T]) UnmarshalJSON(raw []byte) error {
	var value T
	if json.Unmarshal(raw, &value) == nil {
		l.Value = value
	}
	return nil
}

// JSONShape makes lax an sdk.Shaped.
func (l *lax[T]) JSONShape() any { return l.Value }

// texts is a list of which only the plain values count.
type texts []string

// UnmarshalJSON never fails.
func (t *texts) UnmarshalJSON(raw []byte) error { //nolint:unparam // json.Unmarshaler wants it so
	var items lax[[]text]
	_ = json.Unmarshal(raw, &items) // a lax value never fails
	*t = nil
	for _, item := range items.Value {
		if item != "" {
			*t = append(*t, string(item))
		}
	}
	return nil
}

// tags come as [["key", "value"], …], as [{"key": …, "value": …}, …] or as an
// object. The first of several with one key counts.
type tags map[string]string

// UnmarshalJSON never fails.
func (t *tags) UnmarshalJSON(raw []byte) error { //nolint:unparam // json.Unmarshaler wants it so
	*t = tags{}
	var object map[string]text
	if json.Unmarshal(raw, &object) == nil {
		for key, value := range object {
			t.add(key, value)
		}
		return nil
	}
	var items lax[[]json.RawMessage]
	_ = json.Unmarshal(raw, &items) // a lax value never fails
	for _, item := range items.Value {
		var pair []text
		var named struct{ Key, Value text }
		if json.Unmarshal(item, &pair) == nil && len(pair) == 2 {
			t.add(string(pair[0]), pair[1])
		} else if json.Unmarshal(item, &named) == nil {
			t.add(string(named.Key), named.Value)
		}
	}
	return nil
}

func (t tags) add(key string, value text) {
	if _, taken := t[key]; !taken && key != "" && value != "" {
		t[key] = string(value)
	}
}

// project is a number, a slug or an object.
type project struct{ ID, Slug, Name text }

// UnmarshalJSON never fails.
func (p *project) UnmarshalJSON(raw []byte) error { //nolint:unparam // json.Unmarshaler wants it so
	*p = project{}
	var fields struct{ ID, Slug, Name text }
	if json.Unmarshal(raw, &fields) == nil {
		*p = project(fields)
		return nil
	}
	var plain text
	_ = json.Unmarshal(raw, &plain) // a text never fails
	if _, err := strconv.ParseUint(string(plain), 10, 64); err == nil {
		p.ID = plain
	} else {
		p.Slug = plain
	}
	return nil
}

// webURL returns the first absolute http or https URL and what else stood
// there: relative paths, other schemes, URLs with a password in them.
func webURL(candidates ...text) (link string, dropped []string) {
	for _, c := range candidates {
		if c == "" {
			continue
		}
		if link := sdk.AbsoluteURL(string(c)); link != "" {
			return link, dropped
		}
		dropped = append(dropped, string(c))
	}
	return "", dropped
}

// link is webURL with a note for the operator about what was dropped.
func (h *hook) link(candidates ...text) string {
	link, dropped := webURL(candidates...)
	if len(dropped) > 0 {
		h.note("a link that is not an absolute http or https URL was dropped")
	}
	return link
}

func firstOf(values ...text) string {
	for _, v := range values {
		if v != "" {
			return string(v)
		}
	}
	return ""
}
