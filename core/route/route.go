// Package route decides which destinations hear of an incident: an ordered
// list of routes, each with matchers, a condition, and where it leads.
//
// A Tree is immutable. A reload builds a new one and swaps it whole. How a
// condition is written is the configuration's business; here it is a function.
package route

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Route leads incidents to destinations.
type Route struct {
	Name  string
	Match Matcher
	// When is a further condition, nil for none. It is asked only if Match
	// matches. An error counts as a match: in doubt somebody is told.
	When     func(*core.Incident) (bool, error)
	To       []string // destinations, "TYPE/NAME"
	Continue bool     // later routes are asked as well
}

// Matcher matches an incident by its fields; all that are given must match.
// Patterns are those of path.Match, without regard to letter case.
type Matcher struct {
	Integrations []string // patterns of "TYPE/NAME"
	Severities   []sdk.Severity
	AtLeast      sdk.Severity // this severity or a higher one
	Services     []string     // patterns
	Titles       []string     // patterns
	Labels       map[string]string
}

// Empty reports whether the matcher matches everything.
func (m *Matcher) Empty() bool {
	return len(m.Integrations)+len(m.Severities)+len(m.Services)+len(m.Titles)+len(m.Labels) == 0 && m.AtLeast == ""
}

// CatchAll reports whether the route takes every incident.
func (r *Route) CatchAll() bool { return r.Match.Empty() && r.When == nil }

// Mismatch returns the first field that doesn't match, "" if all do.
func (m *Matcher) Mismatch(in *core.Incident) string {
	switch {
	case len(m.Integrations) > 0 && !anyGlob(m.Integrations, in.Integration):
		return "integration"
	case len(m.Severities) > 0 && !slices.Contains(m.Severities, in.Severity):
		return "severity"
	case m.AtLeast != "" && m.AtLeast.Above(in.Severity):
		return "severity"
	case len(m.Services) > 0 && !anyGlob(m.Services, in.Service):
		return "service"
	case len(m.Titles) > 0 && !anyGlob(m.Titles, in.Title):
		return "title"
	}
	for name, pattern := range m.Labels {
		value, there := in.Labels[name]
		if !there || !glob(pattern, value) {
			return "label " + name
		}
	}
	return ""
}

func anyGlob(patterns []string, value string) bool {
	for _, pattern := range patterns {
		if glob(pattern, value) {
			return true
		}
	}
	return false
}

// glob matches without regard to letter case. A lone star also matches
// slashes, which services and titles may have.
func glob(pattern, value string) bool {
	if pattern == "*" || strings.EqualFold(pattern, value) {
		return true
	}
	if !strings.ContainsAny(pattern, `*?[\`) {
		return false
	}
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(value))
	return err == nil && ok
}

// Config holds what a Tree is built from.
type Config struct {
	Routes       []Route
	Destinations []*core.Destination
	Generation   int64 // counts the configurations that were loaded
}

// Tree is core.Routes.
type Tree struct {
	routes       []Route
	destinations map[string]*core.Destination
	all          []string // ids, sorted
	tests        []string // of those that hear of tests
	notify       []string // of those that hear of trouble
	generation   int64
}

// New builds a tree. It reports routes to destinations that don't exist and
// patterns that can't match.
func New(cfg Config) (*Tree, error) {
	t := &Tree{routes: slices.Clone(cfg.Routes), destinations: map[string]*core.Destination{}, generation: cfg.Generation}
	for _, d := range cfg.Destinations {
		t.destinations[d.ID()] = d
		t.all = append(t.all, d.ID())
		if d.Tests {
			t.tests = append(t.tests, d.ID())
		}
		if d.Notify {
			t.notify = append(t.notify, d.ID())
		}
	}
	for _, ids := range [][]string{t.all, t.tests, t.notify} {
		slices.Sort(ids)
	}
	for _, r := range t.routes {
		if err := t.check(&r); err != nil {
			return nil, fmt.Errorf("route %s: %w", r.Name, err)
		}
	}
	return t, nil
}

func (t *Tree) check(r *Route) error {
	for _, id := range r.To {
		if t.destinations[id] == nil {
			return fmt.Errorf("there is no destination %s", id)
		}
	}
	patterns := slices.Concat(r.Match.Integrations, r.Match.Services, r.Match.Titles)
	for _, pattern := range r.Match.Labels {
		patterns = append(patterns, pattern)
	}
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("pattern %q: %w", pattern, err)
		}
	}
	return nil
}

// Generation counts the configurations that were loaded.
func (t *Tree) Generation() int64 { return t.generation }

// Wants reports whether the destination takes versions of this kind. What it
// never takes is not owed to it.
func (t *Tree) Wants(destination string, kind core.Kind) bool {
	d := t.destinations[destination]
	return d == nil || len(d.Events) == 0 || slices.Contains(d.Events, kind)
}

// Match lists the destinations that hear of the incident. A test is heard of
// only by those that take tests; what tells of unreadable requests never goes
// unheard while there is a destination.
func (t *Tree) Match(in *core.Incident) []string {
	matched := t.match(in)
	switch {
	case in.Test:
		return t.forTest(matched)
	case in.Fallback != "" && len(matched) == 0 && len(t.notify) > 0:
		return t.notify
	case in.Fallback != "" && len(matched) == 0:
		return t.all
	}
	return matched
}

func (t *Tree) match(in *core.Incident) []string {
	var matched []string
	for i := range t.routes {
		r := &t.routes[i]
		if !r.matches(in) {
			continue
		}
		for _, id := range r.To {
			if !slices.Contains(matched, id) {
				matched = append(matched, id)
			}
		}
		if !r.Continue {
			break
		}
	}
	return matched
}

func (r *Route) matches(in *core.Incident) bool {
	if r.Match.Mismatch(in) != "" {
		return false
	}
	if r.When == nil {
		return true
	}
	ok, err := r.When(in)
	return ok || err != nil
}

// forTest keeps those of the matched destinations that take tests, or takes
// all that do.
func (t *Tree) forTest(matched []string) []string {
	var out []string
	for _, id := range matched {
		if slices.Contains(t.tests, id) {
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		return t.tests
	}
	return out
}

// Decision is what one route said of an incident.
type Decision struct {
	Route   string
	Matched bool
	Reason  string // the field that didn't match, or what decided
	To      []string
}

// Explain tells route by route why an incident goes where it goes. Routes
// behind the last that was asked are left out.
func (t *Tree) Explain(in *core.Incident) []Decision {
	var decisions []Decision
	for i := range t.routes {
		r := &t.routes[i]
		d := Decision{Route: r.Name, To: r.To, Reason: r.Match.Mismatch(in)}
		if d.Reason == "" {
			d.Matched, d.Reason = r.explainWhen(in)
		} else {
			d.Reason += " doesn't match"
		}
		decisions = append(decisions, d)
		if d.Matched && !r.Continue {
			break
		}
	}
	return decisions
}

func (r *Route) explainWhen(in *core.Incident) (matched bool, reason string) {
	if r.When == nil {
		return true, "all matchers match"
	}
	ok, err := r.When(in)
	switch {
	case err != nil:
		return true, "the condition failed, which counts as a match: " + err.Error()
	case ok:
		return true, "the condition holds"
	}
	return false, "the condition doesn't hold"
}
