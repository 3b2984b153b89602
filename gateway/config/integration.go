package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/expr"
)

func (l *loader) integration(b *block) {
	in := &core.Integration{
		Tenant: core.DefaultTenant, Type: b.labels[0], Name: b.labels[1], ReopenWindow: core.DefaultReopenWindow,
	}
	b.text("description", &in.Description)
	b.boolean("disabled", &in.Disabled)
	b.boolean("paused", &in.Paused)
	b.cidrs("allowed_cidrs", &in.AllowedCIDRs)
	b.secrets("signing_secrets", &in.SigningSecrets)
	b.stringMap("labels", &in.Labels)
	b.reopenWindow(&in.ReopenWindow)
	b.boolean("strict_templates", &in.StrictTemplates)
	verify := ""
	b.oneOf("verify", &verify, "none")
	in.VerifyNone = verify == "none"
	b.each("routing_key", func(b *block) { l.routingKey(b, in) })
	if len(in.Keys) == 0 && !b.holds("routing_key") {
		l.errorf(&b.at, "No routing key", "Nobody can send to it. Make a key with `bellcrank key new` and add a routing_key block.")
	}
	b.one("severity", func(b *block) { b.severityPolicy(&in.Severity) })
	b.one("service", func(b *block) { b.servicePolicy(&in.Service) })
	b.noise(in)
	b.one("heartbeat", func(b *block) { b.expected(in) })
	b.one("identity", func(b *block) { b.identityPolicy(&in.Identity) })
	in.Limits = defaultLimits()
	l.described(b, in)
	b.one("limits", func(b *block) { b.limits(&in.Limits) })
	l.cfg.Integrations = append(l.cfg.Integrations, in)
}

// holds reports whether there is an inner block of a kind.
func (b *block) holds(kind string) bool {
	for _, inner := range b.content.Blocks {
		if inner.Type == kind {
			return true
		}
	}
	return false
}

// described takes over what the integration's adapter declares, and checks
// against it.
func (l *loader) described(b *block, in *core.Integration) {
	p, ok := l.pluginOf(b, in.Type)
	if !ok {
		return
	}
	in.Plugin = p.Name
	info, ok := l.src.Describe(p)
	switch {
	case !ok:
		l.errorf(&b.at, "Unknown plugin",
			"Nothing is known of the plugin %s that adapts %q. If its executable is in place, run `bellcrank plugin lock` to record what it declares.", p.Name, in.Type)
		return
	case info.Type != in.Type:
		l.errorf(&b.at, "Wrong plugin", "Plugin %s adapts %q, not %q.", p.Name, info.Type, in.Type)
		return
	case info.Role == sdk.RoleDestination:
		l.errorf(&b.at, "Wrong plugin", "Plugin %s is a destination: it reads no requests. Write destination %q %q.", p.Name, in.Type, in.Name)
		return
	}
	override(&in.Limits, info.Limits)
	settings := &settingsReader{loader: l}
	in.Settings, _ = settings.read(b, b.raw("settings"), info.Settings)
	in.Info = settings.needs(info)
	b.oneOf("event_time", (*string)(&in.Info.EventTime), string(sdk.Arrival), string(sdk.Observed))
	l.signatures(b, in)
}

// pluginOf finds the plugin that the block names, else the one that has the
// integration's type, else the built-in one of that name.
func (l *loader) pluginOf(b *block, kind string) (Plugin, bool) {
	byName := func(name string) int {
		return slices.IndexFunc(l.cfg.Plugins, func(p Plugin) bool { return p.Name == name })
	}
	if b.has("plugin") {
		var name string
		if !b.text("plugin", &name) {
			return Plugin{}, false
		}
		i := byName(name)
		if i < 0 {
			l.errorf(b.where("plugin"), "Unknown plugin", "There is no plugin %s%s.", name, suggestion(name, l.order["plugin"]))
			return Plugin{}, false
		}
		return l.cfg.Plugins[i], true
	}
	if i := byName(kind); i >= 0 {
		return l.cfg.Plugins[i], true
	}
	if i := slices.IndexFunc(l.cfg.Plugins, func(p Plugin) bool { return p.Type == kind }); i >= 0 {
		return l.cfg.Plugins[i], true
	}
	p := Plugin{Name: kind, Type: kind}
	l.cfg.Plugins = append(l.cfg.Plugins, p)
	return p, true
}

func (l *loader) routingKey(b *block, in *core.Integration) {
	key := core.RoutingKey{ID: b.labels[0]}
	if slices.ContainsFunc(in.Keys, func(k core.RoutingKey) bool { return k.ID == key.ID }) {
		l.errorf(&b.at, "Duplicate routing key", "This integration has a key %q already.", key.ID)
	}
	read(b, "expires", cty.String, &key.Expires, func(v cty.Value) (time.Time, error) {
		t, err := time.Parse(time.RFC3339, v.AsString())
		if err != nil {
			return t, errors.New(`want a time such as "2026-12-01T00:00:00Z"`)
		}
		return t, nil
	})
	argument := "value"
	switch hashed := b.has("sha256"); {
	case hashed == b.has("value"):
		l.errorf(&b.at, "Invalid routing key", "Set one of value and sha256.")
		return
	case hashed:
		argument = "sha256"
		var digits string
		if !b.sha256("sha256", &digits) {
			return
		}
		// Its form has been checked.
		raw, _ := hex.DecodeString(digits)
		key.SHA256 = [32]byte(raw)
	case !b.secret("value", &key.Value):
		return
	default:
		if err := keyring.Check(key.Value.Reveal()); err != nil {
			b.wrong(b.where("value"), "routing key", err)
			return
		}
	}
	l.unique(b.where(argument), key)
	in.Keys = append(in.Keys, key)
}

// unique notes a key that another integration, or another id, has as well: a
// request with it couldn't be told apart.
func (l *loader) unique(at *hcl.Range, key core.RoutingKey) {
	hash := key.SHA256
	if !key.Value.Empty() {
		hash = sha256.Sum256([]byte(key.Value.Reveal()))
	}
	if before, ok := l.keys[hash]; ok {
		l.errorf(at, "Duplicate routing key", "The key at %s is the same.", before)
		return
	}
	l.keys[hash] = *at
}

func (b *block) severityPolicy(to *core.SeverityPolicy) {
	to.Expression = b.eventExpression("expression", expr.Rules{Word: expr.SeverityWord})
	read(b, "default", cty.String, &to.Default, func(v cty.Value) (sdk.Severity, error) { return severity(v.AsString()) })
	read(b, "map", cty.Map(cty.String), &to.Map, func(v cty.Value) (map[string]sdk.Severity, error) {
		levels := map[string]sdk.Severity{}
		for word, level := range v.AsValueMap() {
			s, err := severity(level.AsString())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", word, err)
			}
			levels[strings.ToLower(strings.TrimSpace(word))] = s
		}
		return levels, nil
	})
}

// severity reads one of the five levels; none isn't one.
func severity(s string) (sdk.Severity, error) {
	level, err := sdk.ParseSeverity(s)
	if err == nil && level == "" {
		err = errors.New("want Critical, High, Medium, Low or Pre-emptive")
	}
	return level, err
}

func (b *block) servicePolicy(to *core.ServicePolicy) {
	b.text("default", &to.Default)
	read(b, "map", cty.Map(cty.String), &to.Map, func(v cty.Value) (map[string]string, error) {
		services := map[string]string{}
		for pattern, service := range v.AsValueMap() {
			if _, err := path.Match(pattern, ""); err != nil {
				return nil, fmt.Errorf("%q is no pattern: %w", pattern, err)
			}
			services[strings.ToLower(pattern)] = service.AsString()
		}
		return services, nil
	})
}

// defaultLimits hold where neither adapter nor operator says otherwise.
func defaultLimits() sdk.Limits {
	return sdk.Limits{Body: 4 << 20, Depth: 64, Members: 200_000, Strings: 400_000, Events: 1_000}
}

// override replaces the limits that the adapter declares.
func override(to *sdk.Limits, by sdk.Limits) {
	if by.Body > 0 {
		to.Body = by.Body
	}
	for limit, declared := range map[*int]int{
		&to.Depth: by.Depth, &to.Members: by.Members, &to.Strings: by.Strings, &to.Events: by.Events,
	} {
		if declared > 0 {
			*limit = declared
		}
	}
}

func (b *block) limits(to *sdk.Limits) {
	b.size("body", &to.Body)
	b.count("depth", &to.Depth)
	b.count("members", &to.Members)
	b.count("strings", &to.Strings)
	b.count("events", &to.Events)
}

// reopenWindow reads how soon a return reopens. Nothing is known of a problem
// any longer than that.
func (b *block) reopenWindow(to *time.Duration) {
	read(b, "reopen_window", cty.String, to, func(v cty.Value) (time.Duration, error) {
		d, err := parseDuration(v.AsString())
		if err == nil && d > core.MaxReopenWindow {
			err = errors.New("want two days at most: a problem is forgotten that long after its end")
		}
		return d, err
	})
}
