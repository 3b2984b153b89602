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
	"strings"

	"bellcrank.example/core"
)

// Config holds what a Tree is built from.
type Config struct {
	Routes       []Route // in the order in which they are asked
	Destinations []*core.Destination
	Filters      map[string]Filter // by destination; one without takes all
	Quiets       []Quiet           // what holds news back
	Generation   int64             // counts the configurations that were loaded
	Logger       *slog.Logger      // slog.Default if nil
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
	Fallback []string // destinations that hear of what those of To aren't told because they are down
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
	tests      []string           // destinations that hear of tests
	notify     []string           // destinations that hear of what is wrong with us
	about      map[string]string  // who hears of what is wrong with a destination; by destination
	filters    map[string]*filter // by destination
	fallbacks  bool               // a route has a fallback
	generation int64
	log        *slog.Logger
}

type compiled struct {
	name   string
	match  matcher
	source Matcher // of match, for people
	when   func(*core.Incident) (bool, error)
	to     []string
	stead  []string // the fallback
	tests  []string // those of to that hear of tests
	on     bool     // continue
}

var _ core.Routes = (*Tree)(nil)

// New builds a tree. It reports every destination that doesn't exist.
func New(cfg Config) (*Tree, error) {
	t := &Tree{
		takes: map[string][]core.Kind{}, about: map[string]string{}, filters: map[string]*filter{},
		quiets: compileQuiets(cfg.Quiets), configured: len(cfg.Quiets), generation: cfg.Generation, log: cfg.Logger,
	}
	for id, f := range cfg.Filters {
		t.filters[id] = &filter{match: compile(f.Match), when: f.When}
	}
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
	t.takes[id], t.about[id] = d.Events, d.Retry.Notify
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
	var err error
	if c.to, err = t.known(r.To); err != nil {
		return compiled{}, err
	}
	if c.stead, err = t.known(r.Fallback); err != nil {
		return compiled{}, err
	}
	t.fallbacks = t.fallbacks || len(c.stead) > 0
	for _, id := range c.to {
		if slices.Contains(t.tests, id) {
			c.tests = append(c.tests, id)
		}
	}
	return c, nil
}

// known returns the destinations without repeats.
func (t *Tree) known(ids []string) ([]string, error) {
	var list []string
	for _, id := range ids {
		if _, ok := t.takes[id]; !ok {
			return nil, fmt.Errorf("destination %s doesn't exist", id)
		}
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list, nil
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
		return t.somebody(in)
	}
	matched := t.walk(in, nil)
	switch {
	case len(matched) > 0:
		if taken := t.take(in, matched); len(taken) > 0 || in.Fallback == "" {
			return taken
		}
	case in.Test:
		return t.tests
	case in.Fallback == "":
		return nil
	}
	return t.somebody(in)
}

// somebody is who hears of what is broken: never the destination that is in
// trouble itself.
func (t *Tree) somebody(in *core.Incident) []string {
	about := ""
	if in.Integration == core.SelfIntegration {
		about = in.Labels[AboutLabel]
	}
	if told := t.about[about]; told != "" && told != about {
		return []string{told}
	}
	itself := func(id string) bool { return id == about }
	if others := without(t.notify, itself); len(others) > 0 {
		return others
	}
	return without(t.all, itself)
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
	Kept    []string // who would hear of it but for a filter of theirs
	Err     error    // why the condition couldn't be answered; counts as a match

	fallback []string // who hears of it if one of To is down
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
	d.Matched, d.To, d.fallback = true, r.to, r.stead
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
			Matched: true, Asked: true, To: t.somebody(in), Reason: "what the gateway tells of itself goes to the destinations with notify, else to all",
		}}
	}
	var decisions []Decision
	matched := t.walk(in, func(d Decision) {
		if d.Reason != "" {
			d.Words = t.routes[len(decisions)].words(d.Reason, in)
		}
		if taken := t.take(in, d.To); len(taken) < len(d.To) {
			d.Kept = without(d.To, func(id string) bool { return slices.Contains(taken, id) })
			d.To = taken
		}
		decisions = append(decisions, d)
	})
	for i := len(decisions); i < len(t.routes); i++ {
		decisions = append(decisions, Decision{Route: t.routes[i].name, Reason: "not asked", Words: "not asked: a route before took it"})
	}
	if len(matched) > 0 && (in.Fallback == "" || len(t.take(in, matched)) > 0) {
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
		to := t.somebody(in)
		return to, []core.Decision{{Matched: true, Reason: "what the gateway tells of itself asks no route", To: to}}
	}
	var matched []string
	explained := t.Explain(in)
	decisions := make([]core.Decision, len(explained))
	for i, d := range explained {
		decisions[i] = core.Decision{Route: d.Route, Matched: d.Matched, Reason: d.Reason, To: d.To}
		if len(d.Kept) > 0 {
			decisions[i].Reason = "kept by its filter from " + strings.Join(d.Kept, ", ")
		}
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
