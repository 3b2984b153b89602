package flat

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Exact returns a member that is text, as it is, or a number as written; empty
// if it is anything else. It is what the gateway's own answers take from a
// body.
func (m Members) Exact(name string) string {
	var text string
	var number json.Number
	switch raw := m[name]; {
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &number) == nil:
		return number.String()
	}
	return ""
}

// Text returns a member that is text, without white space around it, or a
// number or boolean as written; empty if it is anything else. It is valid
// UTF-8.
func (m Members) Text(name string) string { return strings.ToValidUTF8(scalar(m[name]), "\uFFFD") }

// First returns the first of the named members that has text.
func (m Members) First(names ...string) string {
	for _, name := range names {
		if text := m.Text(name); text != "" {
			return text
		}
	}
	return ""
}

// Value returns a member of any kind, in valid UTF-8 and with its numbers as
// written; nil if there is none.
func (m Members) Value(name string) any { return decode(m[name]) }

// Values returns all members, as Value does.
func (m Members) Values() map[string]any {
	values := make(map[string]any, len(m))
	for name := range m {
		values[strings.ToValidUTF8(name, "\uFFFD")] = m.Value(name)
	}
	return values
}

// Set makes a member a text, unless it is there.
func (m Members) Set(name, text string) {
	if _, there := m[name]; !there {
		m[name], _ = json.Marshal(text) // text can be encoded
	}
}

// Object returns a member that is an object, empty if it is anything else.
func (m Members) Object(name string) Members {
	inner, err := Parse(m[name])
	if err != nil {
		return Members{}
	}
	return inner
}

// Objects returns the objects in a member that is a list.
func (m Members) Objects(name string) []Members {
	var list []Members
	for _, item := range m.items(name) {
		if inner, err := Parse(item); err == nil {
			list = append(list, inner)
		}
	}
	return list
}

// Texts returns the texts in a member that is a list, or the one that it is.
func (m Members) Texts(name string) []string {
	if one := m.Text(name); one != "" {
		return []string{one}
	}
	var list []string
	for _, item := range m.items(name) {
		if text := (Members{name: item}).Text(name); text != "" {
			list = append(list, text)
		}
	}
	return list
}

func (m Members) items(name string) []json.RawMessage {
	var items []json.RawMessage
	if raw := bytes.TrimSpace(m[name]); len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		return nil
	}
	return items
}

// Labels adds to labels what routes can match besides: the short lines among
// the members, as long as there is room.
func (m Members) Labels(labels map[string]string) map[string]string {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := m.Text(name)
		if value == "" || len(value) > maxLabel || len(name) > maxLabel || strings.Contains(value, "\n") || len(labels) == maxLabels {
			continue
		}
		name = strings.ToValidUTF8(name, "\uFFFD")
		if _, taken := labels[name]; !taken {
			labels[name] = value
		}
	}
	return labels
}

// Bounds of what becomes labels; the rest is metadata.
const (
	maxLabels = 32
	maxLabel  = 256 // bytes
)
