// Package route decides which destinations hear of an incident: the operator's
// routes in order, the first that matches wins unless it says continue.
//
// A Tree is immutable. A reload builds a new one and swaps it whole. Conditions
// come in as compiled functions; the language they were written in isn't known
// here.
package route

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"bellcrank.example/core"
)

// Config holds what a Tree is built from.
type Config struct {
	Routes       []Route // in the order in which they are asked
	Destinations []*core.Destination
	Quiets       []Quiet      // what holds news back
	Generation   int64        // counts the configurations that were loaded
	Logger       *slog.Logger // slog.Default if nil
}

// Route sends the incidents that it matches to its destinations. It matches if
// both Match and When do; without either it catches everything.
type Route struct {
	Name  string
	Match Matcher
	// When is a condition beyond Match, asked only if Match holds. An error
	// counts as a match, and the routes behind are asked as well: a condition
	// that breaks must not cost a page. Nil holds always.
	When     func(*core.Incident) (bool, error)
	To       []string // destinations, "TYPE/NAME"
	Continue bool     // the routes behind are asked as well
}

// CatchAll reports whether the route matches every incident.
func (r *Route) CatchAll() bool { return r.When == nil && r.Match.Empty() }

// Tree answers who hears of an incident.
type Tree struct {
	routes     []compiled
	quiets     []quiet
	configured int                    // of quiets
	takes      map[string][]core.Kind // by destination; nil: all
	all        []string
	tests      []string // destinations that hear of tests
	notify     []string // destinations that hear of what is wrong with us
	generation int64
	log        *slog.Logger
}

type compiled struct {
	name   string
	match  matcher
	source Matcher // of match, for people
	when   func(*core.Incident) (bool, error)
	to     []string
	tests  []string // those of to that hear of tests
	on     bool     // continue
}

var _ core.Routes = (*Tree)(nil)

// New builds a tree. It reports every destination that doesn't exist.
func New(cfg Config) (*Tree, error) {
	t := &Tree{takes: map[string][]core.Kind{}, quiets: compileQuiets(cfg.Quiets), configured: len(cfg.Quiets), generation: cfg.Generation, log: cfg.Logger}
	if t.log == nil {
		t.log = slog.Default()
	}
	for _, d := range cfg.Destinations {
		t.add(d)
	}
	var problems []error
	for _, r := range cfg.Routes {
		c, err := t.compile(r)
		if err != nil {
			problems = append(problems, fmt.Errorf("route %s: %w", r.Name, err))
		}
		t.routes = append(t.routes, c)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tree) add(d *core.Destination) {
	id := d.ID()
	t.takes[id] = d.Events
	t.all = append(t.all, id)
	if d.Tests {
		t.tests = append(t.tests, id)
	}
	if d.Notify {
		t.notify = append(t.notify, id)
	}
}

func (t *Tree) compile(r Route) (compiled, error) {
	c := compiled{name: r.Name, match: compile(r.Match), source: r.Match, when: r.When, on: r.Continue}
	for _, id := range r.To {
		if _, ok := t.takes[id]; !ok {
			return compiled{}, fmt.Errorf("destination %s doesn't exist", id)
		}
		if !slices.Contains(c.to, id) {
			c.to = append(c.to, id)
		}
	}
	for _, id := range c.to {
		if slices.Contains(t.tests, id) {
			c.tests = append(c.tests, id)
		}
	}
	return c, nil
}

// Match lists the destinations that hear of the incident, without repeats. The
// caller must not change the list.
//
// A test goes to those of them that take tests, and to all that take tests if
// there is none among them. A fallback incident that no route wants goes to
// the destinations with notify, else to all: something is broken, and somebody
// has to know. Any other incident that no route wants goes nowhere.
//
// What the gateway tells of itself asks no route, since the one that would be
// chosen may lead to the very destination that is in trouble.
func (t *Tree) Match(in *core.Incident) []string {
	if in.Integration == core.SelfIntegration {
		return t.somebody()
	}
	matched := t.walk(in, nil)
	switch {
	case len(matched) > 0:
		return matched
	case in.Test:
		return t.tests
	case in.Fallback == "":
		return nil
	}
	return t.somebody()
}

// somebody is who hears of what is broken.
func (t *Tree) somebody() []string {
	if len(t.notify) > 0 {
		return t.notify
	}
	return t.all
}

// walk asks the routes in order and tells seen, unless nil, of each decision.
// As long as one route decides alone its own list is returned, so that the
// usual case allocates nothing.
func (t *Tree) walk(in *core.Incident, seen func(Decision)) []string {
	var matched []string
	for i := range t.routes {
		r := &t.routes[i]
		d := r.decide(in)
		if d.Err != nil && seen == nil {
			t.log.Warn("route condition failed, taken as a match", "route", r.name, "incident", in.Name(), "err", d.Err)
		}
		if seen != nil {
			seen(d)
		}
		if !d.Matched {
			continue
		}
		matched = merge(matched, d.To)
		if !r.on && d.Err == nil {
			break
		}
	}
	return matched
}

// merge returns the union without touching either list.
func merge(have, more []string) []string {
	if len(have) == 0 {
		return more
	}
	all := slices.Clone(have)
	for _, id := range more {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// Decision is what one route said of an incident.
type Decision struct {
	Route   string // empty: a rule of ours that stands behind the routes
	Matched bool
	Asked   bool     // false: a route before took the incident and doesn't continue
	Reason  string   // which member of the route says no, or which rule of ours it was
	Words   string   // the same for people, of a route that says no
	To      []string // who hears of the incident because of it
	Err     error    // why the condition couldn't be answered; counts as a match
}

func (r *compiled) decide(in *core.Incident) Decision {
	d := Decision{Route: r.name, Asked: true}
	if d.Reason = r.match.fails(in); d.Reason != "" {
		return d
	}
	if r.when != nil {
		holds, err := r.when(in)
		if err == nil && !holds {
			d.Reason = "when"
			return d
		}
		d.Err = err
	}
	d.Matched, d.To = true, r.to
	if in.Test {
		d.To = r.tests
	}
	return d
}

// Explain tells what each route says of the incident, and which rule of ours
// decides if none of them does. Nobody asks the routes about our own trouble.
func (t *Tree) Explain(in *core.Incident) []Decision {
	if in.Integration == core.SelfIntegration {
		return []Decision{{
			Matched: true, Asked: true, To: t.somebody(), Reason: "what the gateway tells of itself goes to the destinations with notify, else to all",
		}}
	}
	var decisions []Decision
	matched := t.walk(in, func(d Decision) {
		if d.Reason != "" {
			d.Words = t.routes[len(decisions)].words(d.Reason, in)
		}
		decisions = append(decisions, d)
	})
	for i := len(decisions); i < len(t.routes); i++ {
		decisions = append(decisions, Decision{Route: t.routes[i].name, Reason: "not asked", Words: "not asked: a route before took it"})
	}
	if len(matched) > 0 {
		return decisions
	}
	rule := Decision{To: t.Match(in), Matched: true, Asked: true}
	switch {
	case in.Test:
		rule.Reason = "a test goes to every destination that takes tests"
	case in.Fallback != "" && len(t.notify) > 0:
		rule.Reason = "a fallback incident without a route goes to the destinations with notify"
	case in.Fallback != "":
		rule.Reason = "a fallback incident without a route goes to every destination"
	default:
		rule.Matched, rule.Reason = false, "no route names a destination: kept, told to nobody"
	}
	return append(decisions, rule)
}

// Decide lists the destinations that hear of the incident, as Match does, and
// what decided it.
func (t *Tree) Decide(in *core.Incident) ([]string, []core.Decision) {
	if in.Integration == core.SelfIntegration {
		to := t.somebody()
		return to, []core.Decision{{Matched: true, Reason: "what the gateway tells of itself asks no route", To: to}}
	}
	var matched []string
	explained := t.Explain(in)
	decisions := make([]core.Decision, len(explained))
	for i, d := range explained {
		decisions[i] = core.Decision{Route: d.Route, Matched: d.Matched, Reason: d.Reason, To: d.To}
		if d.Err != nil {
			t.log.Warn("route condition failed, taken as a match", "route", d.Route, "incident", in.Name(), "err", d.Err)
			decisions[i].Reason = "its condition failed, which counts as a match: " + d.Err.Error()
		}
		if d.Matched {
			matched = merge(matched, d.To)
		}
	}
	return matched, decisions
}

// Wants reports whether the destination takes versions of this kind. One that
// is no longer configured takes all: what it is owed waits for its return.
func (t *Tree) Wants(destination string, kind core.Kind) bool {
	kinds := t.takes[destination]
	return len(kinds) == 0 || slices.Contains(kinds, kind)
}

// Generation counts the configurations that were loaded.
func (t *Tree) Generation() int64 { return t.generation }
