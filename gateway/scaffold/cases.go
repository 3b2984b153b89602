package scaffold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"

	"bellcrank.example/sdk"
)

// Case is a recorded request and what the plugin makes of it.
type Case struct {
	Name    string // of its folder
	Request []byte // request.json
	Want    []byte // want.json
}

// madeUp is the sample of a plugin that is begun without one.
const madeUp = `{
  "id": "example-1",
  "status": "firing",
  "title": "Checkout answers slowly",
  "description": "p99 latency is 4.2 s, over 2 s for 5 minutes",
  "severity": "high",
  "service": "checkout",
  "url": "https://monitoring.example/problems/example-1",
  "started_at": "2026-03-01T12:00:00Z",
  "labels": {"env": "production", "region": "eu-west-1"}
}`

// cases are the sample as it came, and its other half: the same problem with
// its end, or with its beginning if the sample is an end.
func (d *Draft) cases() ([]Case, error) {
	firing, resolved := d.body, d.body
	if d.ends(d.body) {
		firing = d.turned(false)
	} else {
		resolved = d.turned(true)
	}
	if d.ends(firing) || !d.ends(resolved) {
		return nil, fmt.Errorf("member %s doesn't tell the end of a problem from its beginning", d.State.Name())
	}
	var cases []Case
	for _, c := range []struct {
		name string
		body any
	}{{"problem_firing", firing}, {"problem_resolved", resolved}} {
		request, err := encode(map[string]any{"body": c.body})
		if err != nil {
			return nil, err
		}
		want, err := encode(d.result(c.body))
		if err != nil {
			return nil, err
		}
		cases = append(cases, Case{Name: c.name, Request: request, Want: want})
	}
	return cases, nil
}

func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode a case: %w", err)
	}
	return out.Bytes(), nil
}

// ends reports whether the first problem of a body is over.
func (d *Draft) ends(body any) bool {
	events := d.result(body).Events
	return len(events) > 0 && events[0].Action == sdk.Resolve
}

// turned is the sample with every problem ended, or begun.
func (d *Draft) turned(end bool) any {
	turn := func(object any) any { return d.turn(object, d.State.Path, end) }
	each := func(list any, with func(any) any) any {
		all, _ := list.([]any)
		out := make([]any, len(all))
		for i := range all {
			out[i] = with(all[i])
		}
		return out
	}
	whole := turn
	if d.State.Element {
		whole = func(body any) any {
			object, _ := body.(map[string]any)
			return with(object, d.List, each(object[d.List], turn))
		}
	}
	if _, ok := d.body.([]any); ok {
		return each(d.body, whole)
	}
	return whole(d.body)
}

// turn replaces the state in an object.
func (d *Draft) turn(value any, path []string, end bool) any {
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	if len(path) > 1 {
		return with(object, path[0], d.turn(object[path[0]], path[1:], end))
	}
	return with(object, path[0], d.stateAt(object[path[0]], end))
}

func (d *Draft) stateAt(was any, end bool) any {
	switch d.Ends {
	case EndsIfTrue:
		return end
	case EndsIfFalse:
		return !end
	case EndsByTime:
		if !end {
			return nil
		}
		return d.endTime().Format(time.RFC3339)
	}
	if d.StateMadeUp {
		return map[bool]string{true: "resolved", false: "firing"}[end]
	}
	return opposite(textOf(was))
}

// endTime is a while after the problem's beginning.
func (d *Draft) endTime() time.Time {
	began := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	if d.OccurredAt != nil {
		began = sdk.ParseTime(d.OccurredAt.Sample)
	}
	return began.Add(10 * time.Minute)
}

func with(object map[string]any, name string, value any) map[string]any {
	c := maps.Clone(object)
	if c == nil {
		c = map[string]any{}
	}
	c[name] = value
	return c
}

// opposites are words for the end of a problem, and for its beginning, that
// the same vendor would use.
var opposites = map[string]string{
	"firing": "resolved", "trigger": "resolve", "triggered": "resolved", "alerting": "ok", "alert": "ok",
	"problem": "ok", "open": "closed", "opened": "closed", "active": "resolved", "activated": "resolved",
	"down": "up", "failed": "success", "investigating": "resolved",

	"resolved": "firing", "resolve": "trigger", "ok": "problem", "close": "open", "closed": "open",
	"recovered": "triggered", "recovery": "problem", "up": "down", "cleared": "active", "clear": "active",
	"normal": "alerting", "success": "failed",
}

// opposite turns a word for a state into that for the other one. Of
// "incident.triggered" only the end is turned; letter case stays.
func opposite(word string) string {
	last := lastWord(word)
	other, ok := opposites[strings.ToLower(last)]
	switch {
	case !ok && sdk.SeverityOf(last) != "":
		other = "ok"
	case !ok:
		other = "resolved"
	}
	letters := []rune(last)
	switch {
	case len(letters) > 1 && strings.ToUpper(last) == last:
		other = strings.ToUpper(other)
	case len(letters) > 0 && unicode.IsUpper(letters[0]):
		other = strings.ToUpper(other[:1]) + other[1:]
	}
	return strings.TrimSuffix(word, last) + other
}

// lastWord is the last part of a word such as "incident.opened".
func lastWord(word string) string { return word[strings.LastIndexAny(word, "._:-/ ")+1:] }
