package route

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"bellcrank.example/core"
)

// Group lets one incident tell of all that it matches and that have the same
// values.
type Group struct {
	Name   string
	Match  Matcher
	When   func(*core.Incident) (bool, error) // an error counts as no match; nil holds always
	By     []string                           // fields, see CheckField
	Window time.Duration
	Wait   time.Duration
}

// What stands before the name of a label, or the path of a member of the
// metadata, in the name of a field.
const (
	labelPrefix    = "labels."
	metadataPrefix = "metadata."
)

// CheckField says what is wrong with the name of a field to group by.
func CheckField(name string) error {
	switch {
	case name == "integration", name == "service", name == "severity", name == "title":
		return nil
	case strings.HasPrefix(name, labelPrefix) && len(name) > len(labelPrefix):
		return nil
	case strings.HasPrefix(name, metadataPrefix) && len(name) > len(metadataPrefix):
		return nil
	}
	return fmt.Errorf("%q is none of integration, service, severity, title, labels.NAME and metadata.NAME", name)
}

// Grouper returns the function that finds the group of an integration's
// events: the first that matches. Nil if no group can.
func Grouper(groups []Group, integration string) func(*core.Event) core.GroupKey {
	type rule struct {
		Group
		match matcher
	}
	var rules []rule
	for _, g := range groups {
		if HoldsIntegration(g.Match, integration) {
			rules = append(rules, rule{g, compile(g.Match)})
		}
	}
	if len(rules) == 0 {
		return nil
	}
	return func(e *core.Event) core.GroupKey {
		in := core.NewIncident(e, &core.Request{Integration: integration}, time.Time{})
		for i := range rules {
			r := &rules[i]
			if r.match.fails(in) != "" || !r.holds(in) {
				continue
			}
			if values, ok := r.values(in); ok {
				return core.NewGroupKey(r.Name, values, r.Window, r.Wait)
			}
		}
		return core.GroupKey{}
	}
}

func (g *Group) holds(in *core.Incident) bool {
	if g.When == nil {
		return true
	}
	ok, err := g.When(in)
	if err != nil {
		slog.Warn("condition failed, taken as no match", "of", "group "+g.Name, "err", err)
	}
	return err == nil && ok
}

// maxValues is how long the values of a group may be before they are cut.
const maxValues = 200

// values tells what the members of the incident's group share. It reports
// false if that is nothing: what lacks all of the fields has nothing to do with
// each other.
func (g *Group) values(in *core.Incident) (string, bool) {
	pairs, shared := make([]string, len(g.By)), false
	for i, field := range g.By {
		value := fieldOf(in, field)
		shared = shared || value != ""
		if value == "" || strings.ContainsAny(value, `,="`) {
			value = strconv.Quote(value)
		}
		pairs[i] = strings.TrimPrefix(strings.TrimPrefix(field, labelPrefix), metadataPrefix) + "=" + value
	}
	all := strings.Join(pairs, ", ")
	if len(all) <= maxValues {
		return all, shared
	}
	hash := core.HashKey(all)
	return strings.ToValidUTF8(all[:maxValues], "") + "… " + hex.EncodeToString(hash[:8]), true
}

func fieldOf(in *core.Incident, field string) string {
	switch field {
	case "integration":
		return in.Integration
	case "service":
		return in.Service
	case "severity":
		return string(in.Severity)
	case "title":
		return in.Title
	}
	if path, ok := strings.CutPrefix(field, metadataPrefix); ok {
		return member(in.Metadata, path)
	}
	return in.Labels[strings.TrimPrefix(field, labelPrefix)]
}

// member returns what is at a path such as "host.name", "" if nothing is.
func member(metadata map[string]any, path string) string {
	if value, ok := metadata[path]; ok {
		return fmt.Sprint(value)
	}
	first, rest, nested := strings.Cut(path, ".")
	inner, ok := metadata[first].(map[string]any)
	if !nested || !ok {
		return ""
	}
	return member(inner, rest)
}
