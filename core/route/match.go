package route

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Matcher selects incidents, see core.Matcher.
type Matcher = core.Matcher

// HoldsIntegration reports whether the integration "TYPE/NAME" is among those
// that the matcher is for.
func HoldsIntegration(m Matcher, id string) bool {
	c := compile(Matcher{Integrations: m.Integrations})
	return len(m.Integrations) == 0 || c.holdsIntegration(id)
}

// ParseSeverities reads a level or a comparison, such as "High" or ">=High",
// and returns the levels that it holds for, most severe first.
func ParseSeverities(s string) ([]sdk.Severity, error) {
	word := strings.TrimLeft(s, "<>= ")
	level, err := sdk.ParseSeverity(word)
	if err != nil {
		return nil, err
	}
	var holds func(sdk.Severity) bool
	switch op := strings.TrimSpace(s[:len(s)-len(word)]); {
	case level == "":
		return nil, fmt.Errorf("severity %q: no level is named", s)
	case op == "" || op == "=" || op == "==":
		holds = func(other sdk.Severity) bool { return other == level }
	case op == ">=":
		holds = func(other sdk.Severity) bool { return !level.Above(other) }
	case op == ">":
		holds = func(other sdk.Severity) bool { return other.Above(level) }
	case op == "<=":
		holds = func(other sdk.Severity) bool { return !other.Above(level) }
	case op == "<":
		holds = level.Above
	default:
		return nil, fmt.Errorf("severity %q: %q is none of >=, >, <=, < and =", s, op)
	}
	levels := slices.DeleteFunc(sdk.Severities(), func(s sdk.Severity) bool { return !holds(s) })
	if len(levels) == 0 {
		return nil, fmt.Errorf("severity %q: no level is like that", s)
	}
	return levels, nil
}

// matcher is a Matcher with its patterns compiled.
type matcher struct {
	integrations []integrationPattern
	severities   []sdk.Severity
	services     []pattern
	labels       []labelPattern // sorted by label, so that reasons are stable
	titles       []pattern
}

type integrationPattern struct{ kind, name pattern }

type labelPattern struct {
	label   string
	pattern pattern
}

func compile(m Matcher) matcher {
	c := matcher{severities: m.Severities, services: patterns(m.Services), titles: patterns(m.Titles)}
	for _, s := range m.Integrations {
		kind, name, ok := strings.Cut(s, "/")
		if !ok {
			name = "*"
		}
		c.integrations = append(c.integrations, integrationPattern{newPattern(kind), newPattern(name)})
	}
	for _, label := range slices.Sorted(maps.Keys(m.Labels)) {
		c.labels = append(c.labels, labelPattern{label, newPattern(m.Labels[label])})
	}
	return c
}

// fails names the first member that doesn't hold, "" if all do.
func (m *matcher) fails(in *core.Incident) string {
	switch {
	case len(m.severities) > 0 && !slices.Contains(m.severities, in.Severity):
		return "severity"
	case len(m.integrations) > 0 && !m.holdsIntegration(in.Integration):
		return "integration"
	case len(m.services) > 0 && !matchAny(m.services, in.Service):
		return "service"
	case len(m.titles) > 0 && !matchAny(m.titles, in.Title):
		return "title"
	}
	for i := range m.labels {
		l := &m.labels[i]
		value, there := in.Labels[l.label]
		if !l.pattern.match(value) || !there && l.pattern.lower != "" {
			return "labels"
		}
	}
	return ""
}

func (m *matcher) holdsIntegration(id string) bool {
	kind, name, _ := strings.Cut(id, "/")
	for i := range m.integrations {
		if m.integrations[i].kind.match(kind) && m.integrations[i].name.match(name) {
			return true
		}
	}
	return false
}

func matchAny(patterns []pattern, s string) bool {
	for i := range patterns {
		if patterns[i].match(s) {
			return true
		}
	}
	return false
}
