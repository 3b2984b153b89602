package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"bellcrank.example/sdk"
)

// damage is what has happened to one member of a body: it is gone, null, or of
// another kind.
type damage struct {
	path []any // names of members, and indexes of elements
	kind string
}

// String names the damage for a complaint.
func (d damage) String() string { return fmt.Sprint(d.path, " ", d.kind) }

// damages lists what can happen to the members of a value. Of a list only the
// first element is looked at: they are of one kind.
func damages(value any, at ...any) []damage {
	var all []damage
	if len(at) > maxDepth+1 {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			path := append(slices.Clone(at), name)
			for _, kind := range []string{"removed", "null", "retyped"} {
				all = append(all, damage{path: path, kind: kind})
			}
			all = append(all, damages(v[name], path...)...)
		}
	case []any:
		if len(v) > 0 {
			all = damages(v[0], append(slices.Clone(at), 0)...)
		}
	}
	return all
}

// done returns a copy of the value with the damage done. A value that has no
// such member comes back as it is.
func (d damage) done(value any) any {
	if len(d.path) == 0 {
		return d.instead(value)
	}
	inner := damage{path: d.path[1:], kind: d.kind}
	switch v := value.(type) {
	case map[string]any:
		name, _ := d.path[0].(string)
		member, there := v[name]
		if !there {
			return value
		}
		if d.kind == "removed" && len(d.path) == 1 {
			rest := maps.Clone(v)
			delete(rest, name)
			return rest
		}
		return with(v, name, inner.done(member))
	case []any:
		if i, ok := d.path[0].(int); ok && i < len(v) {
			list := slices.Clone(v)
			list[i] = inner.done(v[i])
			return list
		}
	}
	return value
}

func (d damage) instead(value any) any {
	if d.kind != "retyped" {
		return nil
	}
	if _, ok := value.(map[string]any); ok {
		return []any{}
	}
	return map[string]any{}
}

// parse reads a JSON body, keeping numbers as written.
func parse(body []byte) (any, bool) {
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return value, d.Decode(&value) == nil && !d.More()
}

// eventsOf returns what an adapter makes of a body; nothing if it refuses it.
func eventsOf(a sdk.Adapter, r sdk.Request, body any) ([]sdk.Event, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r.Body = encoded
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	result, err := a.Adapt(ctx, r)
	return result.Events, err
}

// harmless says which damage to a request makes a wrong incident of it. In
// doubt an adapter opens: damage never ends a problem that was reported. It
// may cost an event its action or its key, but not both: what ended one
// problem would report another. And it never makes one problem of two.
func harmless(a sdk.Adapter, r sdk.Request) error {
	body, ok := parse(r.Body)
	if !ok {
		return nil
	}
	intact, err := eventsOf(a, r, body)
	if err != nil || len(intact) == 0 {
		return nil //nolint:nilerr // a body that is refused has no incident
	}
	second := r
	second.ID += "-second"
	other, others := twin(a, second, body, intact)
	for _, d := range damages(body) {
		events, _ := eventsOf(a, r, d.done(body)) // that it refuses what is damaged is its right
		if err := distorted(intact, events); err != nil {
			return fmt.Errorf("%v: %w\nbody: %s", d, err, r.Body[:min(len(r.Body), 2000)])
		}
		if others == nil {
			continue
		}
		damaged, _ := eventsOf(a, second, d.done(other))
		if key := shared(events, damaged); key != "" {
			return fmt.Errorf("%v: two problems are one, with the key %q\nbody: %s", d, key, r.Body[:min(len(r.Body), 2000)])
		}
	}
	return nil
}

// distorted compares the events of a damaged body with those of the intact
// one.
func distorted(intact, events []sdk.Event) error {
	ends := func(e sdk.Event) bool { return e.Action == sdk.Resolve }
	if slices.ContainsFunc(events, ends) && !slices.ContainsFunc(intact, ends) {
		return errors.New("a report became the end of a problem")
	}
	if len(events) != len(intact) {
		return nil
	}
	for i := range events {
		was, is := intact[i], events[i]
		if was.Action == sdk.Resolve && is.Action == sdk.Trigger && is.DedupKey != was.DedupKey && is.DedupKey != "" {
			return fmt.Errorf("the end of %q became a report of %q", was.DedupKey, is.DedupKey)
		}
	}
	return nil
}

// shared returns a key that two lists of events have at the same place.
func shared(events, others []sdk.Event) string {
	if len(events) != len(others) {
		return ""
	}
	for i := range events {
		if key := events[i].DedupKey; key == others[i].DedupKey {
			return key
		}
	}
	return ""
}

// maxSpots bounds how many texts and numbers of a body a twin differs in.
const maxSpots = 400

// twin makes a body that tells the same of other problems: each text and
// number that doesn't change what is told is another. Without events there is
// no such body, or its keys don't all differ. Tests have no twin: they are no
// problems, and may share a key.
func twin(a sdk.Adapter, r sdk.Request, body any, intact []sdk.Event) (any, []sdk.Event) {
	if slices.ContainsFunc(intact, func(e sdk.Event) bool { return e.Test }) {
		return nil, nil
	}
	other := body
	for _, spot := range spots(body) {
		for _, change := range []func(string) string{throughout, within, behind} {
			if events, err := eventsOf(a, r, spot.changed(body, change)); err == nil && alike(events, intact) {
				other = spot.changed(other, change)
				break
			}
		}
	}
	events, err := eventsOf(a, r, other)
	if err != nil || !alike(events, intact) || shared(events, intact) != "" {
		return nil, nil
	}
	return other, events
}

// alike reports whether events tell the same, whatever of.
func alike(events, others []sdk.Event) bool {
	return slices.EqualFunc(events, others, func(a, b sdk.Event) bool { return a.Action == b.Action && a.Test == b.Test })
}

// spot is the path to a text or number.
type spot []any

func spots(value any, at ...any) []spot {
	var all []spot
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, spots(v[name], append(slices.Clone(at), name)...)...)
		}
	case []any:
		for i, element := range v {
			all = append(all, spots(element, append(slices.Clone(at), i)...)...)
		}
	case string, json.Number:
		return []spot{slices.Clone(at)}
	}
	return all[:min(len(all), maxSpots)]
}

var digits = regexp.MustCompile(`\d+`)

// throughout changes every number in a text and its first word, within only
// the word, behind only the end: what an adapter reads of it may be anywhere.
func throughout(s string) string { return digits.ReplaceAllString(within(s), "${0}9") }

func within(s string) string {
	_, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		rest = s
	}
	i := strings.IndexFunc(rest, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) })
	if i < 0 {
		return s
	}
	i += len(s) - len(rest)
	return s[:i] + "9" + s[i:]
}

func behind(s string) string {
	if strings.TrimSpace(s) == "" {
		return s
	}
	return s + "9"
}

// changed returns a copy of the value with another text or number there.
func (s spot) changed(value any, change func(string) string) any {
	switch v := value.(type) {
	case map[string]any:
		name, _ := s[0].(string)
		return with(v, name, s[1:].changed(v[name], change))
	case []any:
		i, _ := s[0].(int)
		list := slices.Clone(v)
		list[i] = s[1:].changed(v[i], change)
		return list
	case string:
		return change(v)
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return json.Number(v.String() + "9")
		}
	}
	return value
}
