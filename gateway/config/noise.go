package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/core"
	"bellcrank.example/core/route"
	"bellcrank.example/sdk"
)

// incidentCondition is a compiled `when`.
type incidentCondition = func(*core.Incident) (bool, error)

func (l *loader) service(b *block) {
	s := core.Service{Name: b.labels[0]}
	b.strings("aliases", &s.Aliases)
	b.text("owner", &s.Owner)
	b.stringMap("labels", &s.Labels)
	if _, err := core.NewCatalogue(append(l.cfg.Services, s)); err != nil {
		b.wrong(b.where("aliases"), "service", err)
		return
	}
	l.cfg.Services = append(l.cfg.Services, s)
}

// catalogue makes the catalogue of the services, each of which was checked.
func (l *loader) catalogue() {
	l.services, _ = core.NewCatalogue(l.cfg.Services)
}

// matchedServices doubts patterns that nothing fits because incidents bear the
// catalogue's name.
func (b *block) matchedServices(patterns []string) {
	for i, p := range patterns {
		if s := b.l.services.Find(p); s != nil && !strings.EqualFold(s.Name, p) {
			b.l.warnf(b.element("service", i), "Nothing matches", "%s is an alias: incidents have the service's name, %s.", p, s.Name)
		}
	}
}

func (l *loader) group(b *block) {
	g := route.Group{Name: b.labels[0], Window: 5 * time.Minute}
	b.matchOrWhen(&g.Match, &g.When)
	list(b, "by", &g.By, func(s string) (string, error) { return s, route.CheckField(s) })
	if !b.has("by") || len(g.By) == 0 && isEmptyList(b.content.Attributes["by"].Expr) {
		l.errorf(&b.at, "Nothing to group by", "Say what members have in common: by = [\"service\"].")
	}
	b.positive("window", &g.Window)
	b.duration("wait", &g.Wait)
	if g.Wait > g.Window {
		l.errorf(b.where("wait"), "Invalid wait", "It is longer than the window: what comes then is in another group.")
	}
	l.groups = append(l.groups, g)
}

func (b *block) flapping(to *core.FlapPolicy) {
	p := core.FlapPolicy{Transitions: 6, Window: 10 * time.Minute}
	read(b, "transitions", cty.Number, &p.Transitions, func(v cty.Value) (int, error) {
		f := v.AsBigFloat()
		n, _ := f.Int64()
		if !f.IsInt() || n < 3 || n > 100 {
			return 0, errors.New("want a whole number from 3 to 100")
		}
		return int(n), nil
	})
	b.positive("window", &p.Window)
	p.Quiet = p.Window
	b.positive("quiet", &p.Quiet)
	*to = p
}

func (b *block) autoResolve(to *core.AutoResolve) {
	b.duration("after", &to.After)
	read(b, "severity", cty.Map(cty.String), &to.Severity, func(v cty.Value) (map[sdk.Severity]time.Duration, error) {
		times := map[sdk.Severity]time.Duration{}
		for word, text := range v.AsValueMap() {
			level, err := severity(word)
			if err != nil {
				return nil, err
			}
			if times[level], err = parseDuration(text.AsString()); err != nil {
				return nil, fmt.Errorf("%s: %w", word, err)
			}
		}
		return times, nil
	})
}

// noise reads an integration's rules about noise, after the ones for all.
func (b *block) noise(in *core.Integration) {
	in.AutoResolve = b.l.autoResolve
	b.one("flapping", func(b *block) { b.flapping(&in.Flap) })
	b.one("auto_resolve", func(b *block) { b.autoResolve(&in.AutoResolve) })
	in.Group = route.Grouper(b.l.groups, in.ID())
	in.Services = b.l.services
}
