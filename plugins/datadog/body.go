package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"bellcrank.example/sdk"
)

// body is a request's body taken apart: one element, or several when a relay
// sends them as an array.
type body struct {
	elements []json.RawMessage
	batch    bool
}

// readBody accepts JSON and, for webhooks with "Encode as form" ticked, form
// fields. What the body looks like counts for more than its content type.
func readBody(contentType string, raw []byte) (body, error) {
	raw = bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
	switch {
	case len(raw) == 0:
		return body{}, &sdk.Failure{Code: sdk.Malformed, Message: "the body is empty"}
	case raw[0] == '[':
		var elements []json.RawMessage
		if err := decode(raw, &elements); err != nil {
			return body{}, err
		}
		if len(elements) == 0 {
			return body{}, &sdk.Failure{Code: sdk.Malformed, Message: "the array is empty"}
		}
		return body{elements: elements, batch: true}, nil
	case raw[0] != '{' && looksLikeForm(contentType, raw):
		return readForm(raw)
	}
	return body{elements: []json.RawMessage{raw}}, nil
}

func looksLikeForm(contentType string, raw []byte) bool {
	if media, _, err := mime.ParseMediaType(contentType); err == nil && media == "application/x-www-form-urlencoded" {
		return true
	}
	name, _, found := bytes.Cut(raw, []byte("="))
	return found && !bytes.ContainsAny(name, "{}[]\"<> \t\r\n")
}

// readForm makes a JSON object of form fields. A single field whose value is
// an object is the whole payload.
func readForm(raw []byte) (body, error) {
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return body{}, &sdk.Failure{Code: sdk.Malformed, Message: "the body is neither JSON nor form fields"}
	}
	members := make(map[string]json.RawMessage, len(form))
	for name, values := range form {
		members[name] = formValue(values[0])
	}
	if len(members) == 1 {
		for _, value := range members {
			if value[0] == '{' {
				return body{elements: []json.RawMessage{value}}, nil
			}
		}
	}
	object, err := json.Marshal(members)
	if err != nil {
		return body{}, fmt.Errorf("encode form fields: %w", err)
	}
	return body{elements: []json.RawMessage{object}}, nil
}

// formValue keeps objects and arrays, which Datadog writes as JSON text into
// one field, and makes a JSON string of everything else.
func formValue(value string) json.RawMessage {
	trimmed := strings.TrimSpace(value)
	if strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		if json.Valid([]byte(trimmed)) {
			return json.RawMessage(trimmed)
		}
	}
	quoted, _ := json.Marshal(value) // a string always encodes
	return quoted
}

// decode reads exactly one JSON value and keeps numbers as written: a monitor
// id may be larger than a float can hold.
func decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err := d.Decode(into)
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return &sdk.Failure{Code: sdk.Malformed, Message: "there is more after the JSON value"}
		}
		return nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &sdk.Failure{Code: sdk.Malformed, Message: fmt.Sprintf(
			"invalid JSON at byte %d (a variable that a template leaves unquoted breaks the body when it is empty)", syntax.Offset)}
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &sdk.Failure{Code: sdk.Malformed, Path: wrong.Field, Message: "want a JSON object, got " + wrong.Value}
	}
	return &sdk.Failure{Code: sdk.Malformed, Message: "the JSON ends too early"}
}

// members are the members of one payload under their plain names. The payload
// is the customer's own template, so "alert_id", "alertId", "Alert ID" and
// {"alert": {"id": …}} all occur and all mean "alertid".
type members struct {
	plain map[string]any
	// raw has the members of the top level as written.
	raw map[string]any
	// unrendered has, by plain name, the members whose value is a variable that
	// nobody filled in. They count as missing.
	unrendered map[string]unrendered
}

// unrendered is a member as its template named it, and the variable in it.
type unrendered struct{ name, variable string }

func readMembers(raw []byte) (members, error) {
	m := members{plain: map[string]any{}, unrendered: map[string]unrendered{}}
	if err := decode(raw, &m.raw); err != nil {
		return members{}, err
	}
	if len(m.raw) == 0 {
		return members{}, &sdk.Failure{Code: sdk.Malformed, Message: "the body has no members"}
	}
	m.collect("", m.raw, 0)
	if inner, ok := envelope(m.raw); ok {
		m.collect("", inner, 1)
	}
	return m, nil
}

// envelope returns what the only member of an object holds, if that is an
// object: templates put everything into {"event": {…}} or {"alert": {…}}.
func envelope(object map[string]any) (map[string]any, bool) {
	if len(object) != 1 {
		return nil, false
	}
	for _, only := range object {
		inner, ok := only.(map[string]any)
		return inner, ok
	}
	return nil, false
}

// variables are the plain names of those of Datadog's variables that mean the
// same wherever a template puts them, such as into an object of metadata.
// Source: https://docs.datadoghq.com/integrations/webhooks/#variables.
var variables = map[string]bool{
	"aggregkey": true, "alertcyclekey": true, "alertid": true, "alertmetric": true, "alertpriority": true, "alertquery": true,
	"alertscope": true, "alertstatus": true, "alerttitle": true, "alerttransition": true, "alerttype": true,
	"eventmsg": true, "eventtitle": true, "eventtype": true, "hostname": true, "lastupdated": true, "link": true,
	"priority": true, "snapshot": true, "tags": true, "textonlymsg": true,
}

// collect adds an object's members, those of the outer objects first. Where
// two names are equal once they are plain, the first that says something in
// alphabetical order counts, so that equal bodies give equal events.
func (m *members) collect(prefix string, object map[string]any, depth int) {
	names := slices.Sorted(maps.Keys(object))
	for _, name := range names {
		value := object[name]
		if text, ok := value.(string); ok && placeholder.MatchString(text) {
			m.unrendered[prefix+plainName(name)] = unrendered{name, sdk.Line(text)}
			continue
		}
		own := plainName(name)
		if plain := prefix + own; isMissing(m.plain[plain]) {
			m.plain[plain] = value
		}
		if variables[own] && isMissing(m.plain[own]) {
			m.plain[own] = value
		}
	}
	if depth == maxNesting {
		return
	}
	for _, name := range names {
		if inner, ok := object[name].(map[string]any); ok {
			m.collect(prefix+plainName(name), inner, depth+1)
		}
	}
}

// maxNesting is how deep in a payload members are looked for.
const maxNesting = 2

// placeholder matches a whole value that is a variable: Datadog leaves names
// that it doesn't know, and has no {{…}} in webhook payloads at all.
var placeholder = regexp.MustCompile(`^\s*(\$[A-Z][A-Z0-9_]*(\[[^\]]*\])?|\{\{[^{}]*\}\})\s*$`)

func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

func isMissing(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return missingWord(v)
	}
	return false
}

// missingWord reports whether a value says "nothing": a variable that doesn't
// apply renders as an empty string, relays write the others.
func missingWord(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "null", "none", "undefined", "<no value>":
		return true
	}
	return false
}

// text returns the first of the named members that has a value, as text.
func (m members) text(names ...string) string {
	for _, name := range names {
		if s := textOf(m.plain[name]); !missingWord(s) {
			return strings.TrimSpace(s)
		}
	}
	return ""
}

func (m members) has(names ...string) bool { return m.text(names...) != "" }

func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	}
	return ""
}

// list returns the first of the named members that has elements. Datadog
// writes lists as comma-separated text, templates also as arrays.
func (m members) list(names ...string) []string {
	for _, name := range names {
		var items []string
		switch v := m.plain[name].(type) {
		case []any:
			for _, item := range v {
				items = append(items, textOf(item))
			}
		default:
			items = strings.Split(textOf(v), ",")
		}
		if items = cleanList(items); len(items) > 0 {
			return items
		}
	}
	return nil
}

// cleanList drops what is empty or repeated and keeps the order.
func cleanList(items []string) []string {
	var clean []string
	seen := map[string]bool{}
	for _, item := range items {
		if item = strings.TrimSpace(item); !missingWord(item) && !seen[item] {
			seen[item] = true
			clean = append(clean, item)
		}
	}
	return clean
}
