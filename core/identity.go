package core

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bellcrank.example/sdk"
)

// EventExpression is an operator's expression over an event, compiled.
type EventExpression struct {
	Place string // "FILE:LINE"
	// Eval returns the expression's text, empty if it gives none. It may be
	// called by many goroutines.
	Eval func(*sdk.Event) (string, error)
}

// IdentityPolicy is the operator's say about which events belong together. It
// goes above the adapter's key. At most one of its fields is set.
type IdentityPolicy struct {
	Fields     []string // such as "service", "labels.cluster" or "metadata.monitor.id"
	Expression *EventExpression
}

// Decide returns the key of an event and the rule that gave it. The key is
// empty if the policy gives none; the rule says why then, and is empty only if
// there is no policy.
func (p IdentityPolicy) Decide(e *sdk.Event) (key, rule string) {
	switch {
	case p.Expression != nil:
		return p.byExpression(e)
	case len(p.Fields) > 0:
		return p.byFields(e)
	}
	return "", ""
}

func (p IdentityPolicy) byExpression(e *sdk.Event) (key, rule string) {
	rule = fmt.Sprintf("expression (%s)", p.Expression.Place)
	key, err := p.Expression.Eval(e)
	switch key = strings.TrimSpace(key); {
	case err != nil:
		return "", fmt.Sprintf("the identity %s failed: %v", rule, err)
	case key == "":
		return "", fmt.Sprintf("the identity %s is empty", rule)
	}
	return short(key), rule
}

// byFields makes a key of the fields' values. Fields without a value take
// part, but if none has one, there is no key: it would make one incident of
// everything.
func (p IdentityPolicy) byFields(e *sdk.Event) (key, rule string) {
	rule = "fields " + strings.Join(p.Fields, ", ")
	var parts []string
	some := false
	for _, field := range p.Fields {
		value := fieldOf(e, field)
		some = some || value != ""
		parts = append(parts, field+"="+strconv.Quote(value))
	}
	if !some {
		return "", fmt.Sprintf("the identity %s are empty", rule)
	}
	return short(strings.Join(parts, " ")), rule
}

// maxOwnKey is how long a key may be to be kept readable, in bytes.
const maxOwnKey = 512

func short(key string) string {
	if len(key) <= maxOwnKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// EventFields lists what an identity can be made of. Below labels and metadata
// a field names a member: "labels.team".
func EventFields() []string {
	return []string{
		"action", "affected_services", "customer_impact", "dedup_key", "description", "ended_at", "labels", "links", "metadata",
		"occurred_at", "series_key", "service", "severity", "severity_raw", "source_url", "test", "title",
	}
}

// KnownField reports whether an identity can be made of a field.
func KnownField(field string) bool {
	name, member, deep := strings.Cut(field, ".")
	if deep {
		return (name == "labels" || name == "metadata") && member != ""
	}
	return slices.Contains(EventFields(), name)
}

// fieldOf returns a field as text, empty if it says nothing.
func fieldOf(e *sdk.Event, field string) string {
	name, member, deep := strings.Cut(field, ".")
	switch {
	case deep && name == "labels":
		return e.Labels[member]
	case deep:
		return textOf(below(e.Metadata, member))
	}
	return textOf(EventValue(e, []string{name})[name])
}

// below finds a member by its name, or by the names on the way to it.
func below(object map[string]any, path string) any {
	if value, ok := object[path]; ok {
		return value
	}
	name, rest, deep := strings.Cut(path, ".")
	inner, ok := object[name].(map[string]any)
	if !deep || !ok {
		return nil
	}
	return below(inner, rest)
}

func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return string(v)
	}
	blob, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	switch text := string(blob); text {
	case "null", "[]", "{}":
		return ""
	default:
		return text
	}
}

// EventValue returns the named fields of an event as JSON has them.
func EventValue(e *sdk.Event, fields []string) map[string]any {
	value := make(map[string]any, len(fields))
	for _, name := range fields {
		value[name] = eventField(e, name)
	}
	return value
}

func eventField(e *sdk.Event, name string) any {
	texts := map[string]string{
		"action": string(e.Action), "dedup_key": e.DedupKey, "description": e.Description, "series_key": e.SeriesKey,
		"service": e.Service, "severity": string(e.Severity), "severity_raw": e.SeverityRaw, "source_url": e.SourceURL,
		"title": e.Title, "occurred_at": timeText(e.OccurredAt), "ended_at": timeText(e.EndedAt),
	}
	if text, ok := texts[name]; ok {
		return text
	}
	switch name {
	case "affected_services":
		return e.AffectedServices
	case "customer_impact":
		if e.CustomerImpact != nil {
			return *e.CustomerImpact
		}
	case "labels":
		return e.Labels
	case "links":
		return linkValues(e.Links)
	case "metadata":
		return e.Metadata
	case "test":
		return e.Test
	}
	return nil
}

func linkValues(links []sdk.Link) []any {
	values := []any{}
	for _, l := range links {
		values = append(values, map[string]any{"name": l.Name, "url": l.URL})
	}
	return values
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
