package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/destination"
	"bellcrank.example/core/route"
)

func (l *loader) destination(b *block) {
	d := &core.Destination{
		Tenant: core.DefaultTenant, Type: b.labels[0], Name: b.labels[1],
		Fold: true, Timeout: core.DefaultAttemptTimeout,
	}
	d.Retry = b.retryPolicy()
	b.boolean("tests", &d.Tests)
	b.boolean("fold", &d.Fold)
	b.boolean("notify", &d.Notify)
	b.count("concurrency", &d.Concurrency)
	b.one("rate_limit", func(b *block) { b.pace("rate", &d.Pace) })
	if f, ok := b.filter(); ok {
		l.cfg.Filters[d.ID()] = f
	}
	d.Events = b.kinds()
	if b.positive("timeout", &d.Timeout) && d.Timeout > core.DefaultAttemptTimeout {
		l.errorf(b.where("timeout"), "Invalid timeout", "An attempt takes %v at most, so that a restart can wait for it.", core.DefaultAttemptTimeout)
	}
	if kind, ok := l.destinationType(b); ok {
		d.Sender, d.Memory = l.sender(b, kind), kind.Memory
		if !b.has("events") && len(kind.Events) > 0 {
			d.Events = kind.Events
		}
	}
	l.cfg.Destinations = append(l.cfg.Destinations, d)
}

// filter reads which incidents the destination takes, whatever the routes say.
func (b *block) filter() (route.Filter, bool) {
	var f route.Filter
	b.one("match", func(b *block) { b.match(&f.Match) })
	if attr, ok := b.content.Attributes["when"]; ok {
		f.When = b.l.condition(attr.Expr)
	}
	return f, b.has("when") || b.holds("match")
}

// retryPolicy reads the policy that the block refers to.
func (b *block) retryPolicy() core.Retry {
	name := "default"
	if b.text("retry", &name) {
		if _, ok := b.l.retries[name]; !ok {
			b.l.errorf(b.where("retry"), "Unknown retry", "There is no retry %s%s.", name, suggestion(name, b.l.order["retry"]))
		}
	}
	return b.l.retries[name]
}

// kinds reads which versions the destination takes; none means all.
func (b *block) kinds() []core.Kind {
	var words []string
	for _, kind := range core.Kinds() {
		words = append(words, string(kind))
	}
	var kinds []core.Kind
	list(b, "events", &kinds, func(s string) (core.Kind, error) { return core.Kind(s), among(s, words) })
	resolved := true
	b.boolean("send_resolved", &resolved)
	if resolved {
		return kinds
	}
	if kinds == nil {
		kinds = core.Kinds()
	}
	return slices.DeleteFunc(kinds, func(k core.Kind) bool { return k == core.ResolvedKind })
}

// sender makes the sender, nil if that can't be done.
func (l *loader) sender(b *block, kind destination.Type) core.Sender {
	var cfg destination.Config
	b.cidrs("allowed_cidrs", &cfg.AllowedCIDRs)
	var ok bool
	settings := b.raw("settings")
	if cfg.Settings, ok = l.settings(b, settings, kind.Settings); !ok {
		return nil
	}
	if settings != nil {
		attributes, _ := settings.Body.JustAttributes() // it has been checked
		if cfg.Templates, ok = l.templates(attributes, kind.Settings); !ok {
			return nil
		}
	}
	if kind.Plugged {
		p, ok := l.pluginOf(b, kind.Name)
		if !ok {
			return nil
		}
		cfg.Plugin = p.Name
	}
	sender, err := l.src.NewSender(kind, cfg)
	if err != nil {
		l.errorf(settingNamed(settings, b.at, err), "Invalid settings", "%v.", err)
		return nil
	}
	return sender
}

func (l *loader) destinationType(b *block) (destination.Type, bool) {
	var names []string
	for _, t := range l.src.DestinationTypes {
		if t.Name == b.labels[0] {
			return t, true
		}
		names = append(names, t.Name)
	}
	l.errorf(&b.at, "Unknown destination type", "%s.", sentence(among(b.labels[0], names)))
	return destination.Type{}, false
}

// settingNamed returns the place of the setting that an error's text begins
// with, else that of the whole block.
func settingNamed(settings *hcl.Block, otherwise hcl.Range, err error) *hcl.Range {
	if settings == nil {
		return &otherwise
	}
	// The body has been checked.
	attributes, _ := settings.Body.JustAttributes()
	word := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == ' ' || r == ':' })
	if len(word) > 0 && attributes[word[0]] != nil {
		return attributes[word[0]].Expr.Range().Ptr()
	}
	return &settings.DefRange
}
