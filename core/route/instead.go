package route

import (
	"slices"

	"bellcrank.example/core"
)

// Filter keeps incidents from a destination, whatever the routes say. Without
// Match and When it keeps none.
type Filter struct {
	Match Matcher
	When  func(*core.Incident) (bool, error) // an error counts as a match
}

type filter struct {
	match matcher
	when  func(*core.Incident) (bool, error)
}

// passes reports whether the destination takes the incident.
func (f *filter) passes(in *core.Incident) bool {
	if f.match.fails(in) != "" {
		return false
	}
	if f.when == nil {
		return true
	}
	holds, err := f.when(in)
	return holds || err != nil
}

// take leaves those of the destinations that take the incident.
func (t *Tree) take(in *core.Incident, destinations []string) []string {
	if len(t.filters) == 0 {
		return destinations
	}
	var taken []string
	for _, id := range destinations {
		if f := t.filters[id]; f == nil || f.passes(in) {
			taken = append(taken, id)
		}
	}
	return taken
}

// AboutLabel names, on an incident of our own, the destination that is in
// trouble.
const AboutLabel = "destination"

// Instead lists the destinations that hear of the incident because others are
// down: the fallback of each route that leads to one of those. What the
// gateway tells of itself goes to all that are up if none of those is that
// should hear of it.
func (t *Tree) Instead(in *core.Incident, down func(string) bool) []string {
	up := func(id string) bool { return !down(id) }
	if in.Integration == core.SelfIntegration {
		if slices.ContainsFunc(t.somebody(in), up) {
			return nil
		}
		return without(t.all, func(id string) bool { return down(id) || id == in.Labels[AboutLabel] })
	}
	if in.Test || !t.fallbacks {
		return nil
	}
	var stead []string
	t.walk(in, func(d Decision) {
		if d.Matched && slices.ContainsFunc(d.To, down) {
			stead = merge(stead, d.fallback)
		}
	})
	return t.take(in, stead)
}

func without(list []string, drop func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(list), drop)
}
