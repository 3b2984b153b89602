package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bellcrank.example/gateway/admin"
)

// difference is a field that has another value than before, or than expected.
type difference struct {
	Field string `json:"field"`
	Want  string `json:"want"` // what was before, or what is expected
	Got   string `json:"got"`
}

// fieldsOf returns what a trial came to, by the names of expectations.
func fieldsOf(t admin.Trial) map[string]string {
	destinations := slices.Sorted(slices.Values(t.Destinations))
	return map[string]string{
		"action": string(t.Action), "title": t.Title, "severity": string(t.Severity), "service": t.Service,
		"dedup_key": t.Key, "identity_rule": t.IdentityRule, "group": t.Group, "held_by": t.HeldBy,
		"labels": labelLine(t.Labels), "routes": strings.Join(matchedRoutes(t), ", "), "destinations": strings.Join(destinations, ", "),
	}
}

// fieldOrder is the order in which people look at what differs.
func fieldOrder() []string {
	return []string{
		"action", "title", "severity", "service", "dedup_key", "identity_rule", "labels", "group", "held_by", "routes", "destinations",
	}
}

// matchedRoutes lists the routes that match, in their order.
func matchedRoutes(t admin.Trial) []string {
	var routes []string
	for _, r := range t.Routes {
		if r.Matched && r.Route != "" {
			routes = append(routes, r.Route)
		}
	}
	return routes
}

// differ compares two trials field by field.
func differ(before, after admin.Trial) []difference {
	old, now := fieldsOf(before), fieldsOf(after)
	var all []difference
	for _, name := range fieldOrder() {
		if old[name] != now[name] {
			all = append(all, difference{name, old[name], now[name]})
		}
	}
	return all
}

// differLabels compares those labels that are expected.
func differLabels(want, got map[string]string) []difference {
	var all []difference
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] != got[name] {
			all = append(all, difference{"labels." + name, want[name], got[name]})
		}
	}
	return all
}

// printDifferences shows what is missing and what is there instead.
func (a *console) printDifferences(all []difference) {
	for _, d := range all {
		fmt.Fprintf(a.out, "    - %-13s %s\n    + %-13s %s\n", d.Field, shown(d.Want), d.Field, shown(d.Got))
	}
}

func shown(s string) string {
	if s == "" {
		return "(none)"
	}
	return clip(printable(s), 200)
}
