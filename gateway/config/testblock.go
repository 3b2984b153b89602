package config

import (
	"net/http"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/sdk"
)

// Test is a payload with what the configuration shall make of it.
type Test struct {
	Name        string
	Integration string // "TYPE/NAME"
	Payload     string // path of the body
	Method      string // POST by default
	Path        string // what follows the routing key
	Query       string
	Headers     http.Header
	At          time.Time // when it arrives; zero: whenever the test runs
	Ignored     bool      // the adapter makes nothing of it
	Expect      []Expect  // an event each
}

// Expect is what is expected of an event. What isn't set isn't looked at.
type Expect struct {
	Fields       []Field           // in the order of ExpectedFields
	Labels       map[string]string // each of these
	Routes       []string          // those that match, in their order, if HasRoutes
	HasRoutes    bool
	Destinations []string // who hears of it, sorted, if HasTo
	HasTo        bool
}

// Field is the expected value of a field.
type Field struct{ Name, Value string }

// ExpectedFields lists the fields that are one text.
func ExpectedFields() []string {
	return []string{"action", "title", "severity", "service", "dedup_key", "identity_rule", "group", "held_by"}
}

func (l *loader) test(b *block) {
	t := Test{Name: b.labels[0], Method: http.MethodPost, Headers: http.Header{"Content-Type": {"application/json"}}}
	b.required("integration", "Say which integration the payload is for.")
	read(b, "integration", cty.String, &t.Integration, func(v cty.Value) (string, error) {
		return v.AsString(), among(v.AsString(), l.order["integration"])
	})
	b.required("payload", "Say in which file the payload is.")
	b.path("payload", &t.Payload)
	b.text("method", &t.Method)
	b.text("path", &t.Path)
	b.text("query", &t.Query)
	b.boolean("ignored", &t.Ignored)
	read(b, "at", cty.String, &t.At, parseTime(time.UTC))
	var headers map[string]string
	b.stringMap("headers", &headers)
	for name, value := range headers {
		t.Headers.Set(name, value)
	}
	b.each("expect", func(b *block) { t.Expect = append(t.Expect, l.expect(b)) })
	if len(t.Expect) == 0 && !t.Ignored {
		l.errorf(&b.at, "Nothing expected", "Add an expect block for each event, or ignored = true.")
	}
	l.cfg.Tests = append(l.cfg.Tests, t)
}

// required notes an argument that is missing.
func (b *block) required(name, detail string) {
	if !b.has(name) {
		b.l.errorf(&b.at, "No "+name, "%s", detail)
	}
}

func (l *loader) expect(b *block) Expect {
	var e Expect
	for _, name := range ExpectedFields() {
		f := Field{Name: name}
		if read(b, name, cty.String, &f.Value, expectedValue(name)) {
			e.Fields = append(e.Fields, f)
		}
	}
	b.stringMap("labels", &e.Labels)
	e.HasRoutes = list(b, "routes", &e.Routes, func(s string) (string, error) { return s, among(s, l.order["route"]) })
	e.HasTo = list(b, "destinations", &e.Destinations, func(s string) (string, error) { return s, among(s, l.order["destination"]) })
	slices.Sort(e.Destinations)
	return e
}

// expectedValue checks a word that can only be one of a few.
func expectedValue(name string) func(cty.Value) (string, error) {
	return func(v cty.Value) (string, error) {
		switch text := v.AsString(); name {
		case "severity":
			level, err := severity(text)
			return string(level), err
		case "action":
			return text, among(text, []string{string(sdk.Trigger), string(sdk.Acknowledge), string(sdk.Resolve)})
		}
		return v.AsString(), nil
	}
}
