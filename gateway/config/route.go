package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/route"
	"bellcrank.example/sdk"
)

func (l *loader) route(b *block) {
	r := route.Route{Name: b.labels[0]}
	b.matchOrWhen(&r.Match, &r.When)
	b.boolean("continue", &r.Continue)
	list(b, "to", &r.To, l.destinationID)
	list(b, "fallback", &r.Fallback, l.destinationID)
	if !b.has("to") {
		l.errorf(&b.at, "No destination", "Say where the route leads: to = [destination.TYPE.NAME]. An empty list leads to nobody.")
	} else if attr := b.content.Attributes["to"]; isEmptyList(attr.Expr) {
		l.warnf(b.where("to"), "Route to nobody", "What matches %s is kept, and nobody hears of it.", r.Name)
	}
	l.reachable(b, &r)
	l.catchAll = l.catchAll || !b.has("when") && !b.holds("match")
	l.cfg.Routes = append(l.cfg.Routes, r)
}

// destinationID takes the id of a destination that is declared.
func (l *loader) destinationID(id string) (string, error) {
	if !slices.Contains(l.order["destination"], id) {
		return "", fmt.Errorf("there is no destination %s%s", id, suggestion(id, l.order["destination"]))
	}
	l.used[id] = true
	return id, nil
}

// destinationNamed checks an argument that names a destination.
func (b *block) destinationNamed(name, id string) {
	if _, err := b.l.destinationID(id); err != nil {
		b.wrong(b.where(name), name, err)
	}
}

func isEmptyList(expr hcl.Expression) bool {
	elements, diags := hcl.ExprList(expr)
	return !diags.HasErrors() && len(elements) == 0
}

// reachable doubts a route behind one that ends the walk for all that it could
// match.
func (l *loader) reachable(b *block, r *route.Route) {
	for i := range l.cfg.Routes {
		before := &l.cfg.Routes[i]
		at := l.declared["route"][before.Name]
		switch {
		case before.Continue || l.conditional[before.Name] || !route.Covers(before.Match, r.Match):
			continue
		case before.Match.Empty():
			l.warnf(&b.at, "Unreachable route", "The route at %s takes everything and doesn't continue.", at)
		default:
			l.warnf(&b.at, "Unreachable route", "The route at %s takes all that this one could match, and doesn't continue.", at)
		}
		return
	}
	l.conditional[r.Name] = b.has("when")
}

func (b *block) match(to *route.Matcher) {
	b.listOrOne("integration", &to.Integrations)
	b.listOrOne("service", &to.Services)
	b.matchedServices(to.Services)
	b.listOrOne("title", &to.Titles)
	b.stringMap("labels", &to.Labels)
	var words []string
	b.listOrOne("severity", &words)
	for i, word := range words {
		levels, err := route.ParseSeverities(word)
		if err != nil {
			b.wrong(b.element("severity", i), "severity", err)
		}
		to.Severities = append(to.Severities, levels...)
	}
	slices.SortFunc(to.Severities, func(x, y sdk.Severity) int {
		return slices.Index(sdk.Severities(), x) - slices.Index(sdk.Severities(), y)
	})
	to.Severities = slices.Compact(to.Severities)
	b.matchedIntegrations(to.Integrations)
	if to.Empty() && len(b.content.Attributes) == 0 {
		b.l.warnf(&b.at, "Empty match", "A match block without arguments matches everything; leave it out.")
	}
}

// senders lists what incidents may name as their integration.
func (l *loader) senders() []string {
	all := slices.Clone(l.order["integration"])
	for _, name := range l.order["heartbeat"] {
		all = append(all, core.HeartbeatType+"/"+name)
	}
	return all
}

// matchedIntegrations doubts patterns that no integration fits: most likely a
// name is mistyped.
func (b *block) matchedIntegrations(patterns []string) {
	for i, p := range patterns {
		m := route.Matcher{Integrations: []string{p}}
		holds := func(id string) bool { return route.HoldsIntegration(m, id) }
		known := b.l.senders()
		if !slices.ContainsFunc(known, holds) {
			b.l.warnf(b.element("integration", i), "Nothing matches", "No integration is called %q%s.", p, suggestion(p, known))
		}
	}
}
