// Package flat reads the shape that people and scripts send: one JSON object
// with a title and a handful of named members. Every adapter accepts it after
// its vendor's own shape, since a webhook template that follows our documents
// to the letter looks like this on any integration.
//
// The members and their aliases, the first that is there counts:
//
//	title              title; else message, summary, text, with a note
//	description        description, details, message, body
//	severity           severity, priority, level
//	service            service, service_id
//	affected_services  a list, or text with commas
//	customer_impact    a boolean, "true", "yes", or 1
//	status             status, action, state, event_action
//	dedup_key          dedup_key, deduplication_key, fingerprint, alert_uid, alias, incident_key
//	source_url         source_url, url, link, link_to_upstream_details
//	metadata           an object; every other member joins it
//
// A name stands for the first value that an object gives it: a member that is
// appended cannot override one.
package flat

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"bellcrank.example/sdk"
)

// Members is a JSON object whose values are still encoded.
type Members map[string]json.RawMessage

// Parse reads exactly one JSON object. Its error is an *sdk.Failure with code
// Malformed.
func Parse(raw []byte) (Members, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	open, err := d.Token()
	if err != nil {
		return nil, malformed(err)
	}
	if open != json.Delim('{') {
		return nil, &sdk.Failure{Code: sdk.Malformed, Message: "want a JSON object"}
	}
	members := Members{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, malformed(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, malformed(err)
		}
		key, _ := name.(string) // the decoder lets nothing else be a name
		if _, there := members[key]; !there {
			members[key] = value
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &sdk.Failure{Code: sdk.Malformed, Message: "there is more after the JSON value"}
	}
	return members, nil
}

func malformed(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &sdk.Failure{Code: sdk.Malformed, Message: fmt.Sprintf("invalid JSON at byte %d", syntax.Offset)}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &sdk.Failure{Code: sdk.Malformed, Message: "the JSON ends too early"}
	}
	return &sdk.Failure{Code: sdk.Malformed, Message: "invalid JSON"}
}

// Has reports whether a member is there and not null.
func (m Members) Has(name string) bool {
	value, ok := m[name]
	return ok && !bytes.Equal(value, []byte("null"))
}

// reader takes members out of an object; what is left is metadata.
type reader struct {
	members Members
	taken   map[string]bool
	status  bool // the sender says what has happened
	notes   []string
}

// Event makes an event of an object. Its error is an *sdk.Failure with code
// Unsupported whose Path names the member that is missing. The notes are for
// the operator; sdk.UnrenderedMember finds those that name a member whose
// placeholder nobody has filled in. A title like that marks the event as a
// test: it tells nothing about a problem.
func Event(m Members) (sdk.Event, []string, error) {
	r := &reader{members: m, taken: map[string]bool{}}
	title, from := r.text("title", "message", "summary", "text")
	if title = sdk.Line(title); title == "" {
		return sdk.Event{}, nil, &sdk.Failure{Code: sdk.Unsupported, Path: "title", Message: "a title is required"}
	}
	if from != "title" {
		r.notes = append(r.notes, "the title was taken from "+from)
	}
	e := sdk.Event{Action: r.action(), Title: title}
	e.Description, _ = r.text("description", "details", "message", "body")
	e.Service, _ = r.text("service", "service_id")
	e.AffectedServices = r.list("affected_services")
	e.CustomerImpact = r.boolean("customer_impact")
	link, _ := r.text("source_url", "url", "link", "link_to_upstream_details")
	e.SourceURL = sdk.AbsoluteURL(link)
	e.OccurredAt = r.time("occurred_at", "timestamp")
	r.severity(&e)
	r.identity(&e)
	r.findUnrendered(&e)
	e.Metadata = r.rest()
	return e, r.notes, nil
}

// text takes the first of the named members that has text: a string, or a
// number or boolean as written. Empty ones before it say nothing, and are not
// worth keeping as metadata.
func (r *reader) text(names ...string) (text, from string) {
	for _, name := range names {
		if r.taken[name] {
			continue
		}
		if text := scalar(r.members[name]); text != "" {
			r.taken[name] = true
			return text, name
		}
		r.taken[name] = empty(r.members[name])
	}
	return "", ""
}

// time reads the first of the named members that is a time. It stays in the
// metadata: what it means is the sender's affair, unless the operator lets it
// order the events of a problem.
func (r *reader) time(names ...string) time.Time {
	for _, name := range names {
		if at := sdk.ParseTime(scalar(r.members[name])); !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// empty reports whether a value says nothing.
func empty(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

func scalar(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		var s string
		_ = json.Unmarshal(value, &s) // Parse has seen that it is a string
		return strings.TrimSpace(s)
	case '{', '[', 'n':
		return ""
	}
	return string(value)
}

// action reads the status. A word that nobody knows is kept as metadata and
// triggers: in doubt somebody is told.
func (r *reader) action() sdk.Action {
	for _, name := range []string{"status", "action", "state", "event_action"} {
		word := strings.ToLower(scalar(r.members[name]))
		if word == "" {
			continue
		}
		if action := sdk.ActionOf(word); action != "" {
			r.taken[name] = true
			r.status = true
			return action
		}
		r.notes = append(r.notes, fmt.Sprintf("%s %q is no status that we know; it counts as a trigger", name, clip(word)))
	}
	return sdk.Trigger
}

func (r *reader) severity(e *sdk.Event) {
	e.SeverityRaw, _ = r.text("severity", "priority", "level")
	if e.Action == sdk.Resolve {
		return // a resolve carries no severity
	}
	e.Severity = sdk.SeverityOf(e.SeverityRaw)
	if e.Severity == "" && e.SeverityRaw != "" && !sdk.Unrendered(e.SeverityRaw) {
		r.notes = append(r.notes, fmt.Sprintf("severity %q is no word that we know; the integration's default counts", clip(e.SeverityRaw)))
	}
}

// identity finds the dedup key. With a status but no key, title and service
// tell problems apart, so that a resolve finds what it resolves. With neither,
// every request is an incident of its own. A placeholder is no key: it would
// make one incident of everything that the template is used for.
func (r *reader) identity(e *sdk.Event) {
	key, from := r.text("dedup_key", "deduplication_key", "fingerprint", "alert_uid", "alias", "incident_key")
	if sdk.Unrendered(key) {
		r.notes = append(r.notes, sdk.UnrenderedNote(from, key))
		key = ""
	}
	switch {
	case key != "":
		e.DedupKey, e.IdentityRule = "key:"+key, from
	case r.status:
		e.DedupKey, e.IdentityRule = TitleKey(e.Title, e.Service), "title and service"
	}
}

// TitleKey returns the dedup key of a problem that has nothing better than its
// title and service.
func TitleKey(title, service string) string {
	sum := sha256.Sum256([]byte(title + "\x00" + service))
	return "title:" + hex.EncodeToString(sum[:12])
}

// list takes a list of strings, or text with commas.
func (r *reader) list(name string) []string {
	var parts []string
	if json.Unmarshal(r.members[name], &parts) != nil {
		parts = strings.Split(scalar(r.members[name]), ",")
	}
	var out []string
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	r.taken[name] = len(out) > 0 || empty(r.members[name])
	return out
}

// boolean takes a boolean in any of the forms that scripts use.
func (r *reader) boolean(name string) *bool {
	value, ok := Boolean(scalar(r.members[name]))
	if !ok {
		r.taken[name] = empty(r.members[name])
		return nil
	}
	r.taken[name] = true
	return &value
}

// Boolean reads true, yes or 1, false, no or 0, in any case.
func Boolean(word string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "true", "1", "yes":
		return true, true
	case "false", "0", "no":
		return false, true
	}
	return false, false
}

// rest is what no field has taken: every other member, and those of the
// member "metadata" on the same level.
func (r *reader) rest() map[string]any {
	rest := map[string]any{}
	for name, value := range r.members {
		if name == "metadata" || r.taken[name] {
			continue
		}
		rest[name] = decode(value)
	}
	switch metadata := decode(r.members["metadata"]).(type) {
	case map[string]any:
		for name, value := range metadata {
			if _, there := rest[name]; !there {
				rest[name] = value
			}
		}
	case nil:
	default:
		rest["metadata"] = metadata
	}
	if len(rest) == 0 {
		return nil
	}
	return rest
}

// decode keeps numbers as written.
func decode(value json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// findUnrendered marks an event whose title nobody has filled in. Where only
// the severity or the service is a placeholder, the rest still tells of a
// problem, and somebody has to hear of it.
func (r *reader) findUnrendered(e *sdk.Event) {
	for _, field := range []struct{ member, value string }{
		{"title", e.Title}, {"severity", e.SeverityRaw}, {"service", e.Service},
	} {
		if sdk.Unrendered(field.value) {
			r.notes = append(r.notes, sdk.UnrenderedNote(field.member, field.value))
		}
	}
	if sdk.Unrendered(e.Service) {
		e.Service = ""
	}
	e.Test = sdk.Unrendered(e.Title)
	if e.Test && e.DedupKey == "" { // it says the same whatever happens: one incident is enough to tell of it
		e.DedupKey, e.IdentityRule = TitleKey(e.Title, e.Service), "title and service"
	}
}

func clip(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}
