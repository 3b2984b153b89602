package app

import (
	"fmt"
	"reflect"
	"slices"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/core/route"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/config"
)

// setup is a configuration with what is computed from it. It is immutable: a
// reload makes a new one and swaps it whole.
type setup struct {
	config       *config.Config
	keys         *keyring.Table
	routes       *route.Tree
	integrations map[string]*core.Integration
}

func (g *Gateway) newSetup(c *config.Config) (*setup, error) {
	g.generation++
	s := &setup{config: c, integrations: map[string]*core.Integration{}}
	for _, in := range c.Integrations {
		s.integrations[in.ID()] = in
	}
	var err error
	s.keys, err = keyring.New(keyring.Config{Integrations: c.Integrations, Pepper: []byte(g.pepper.Reveal())})
	if err != nil {
		return nil, fmt.Errorf("routing keys: %w", err)
	}
	s.routes, err = NewTree(c, g.generation)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return s, nil
}

// NewTree makes the tree of a configuration.
func NewTree(c *config.Config, generation int64) (*route.Tree, error) {
	return route.New(route.Config{Routes: c.Routes, Destinations: c.Destinations, Filters: c.Filters, Quiets: c.Quiets, Generation: generation})
}

func (g *Gateway) keys() *keyring.Table { return g.current.Load().keys }

// adopt swaps the configuration. Whatever can fail comes first. Plugins go
// before keys, so that a new integration finds its plugin starting; a plugin
// that isn't needed any more ends after its calls.
func (g *Gateway) adopt(c *config.Config) (admin.Reloaded, error) {
	specs, err := g.cfg.Specs(c)
	if err != nil {
		return admin.Reloaded{}, err
	}
	s, err := g.newSetup(c)
	if err != nil {
		return admin.Reloaded{}, err
	}
	if err := g.plugins.Reload(specs); err != nil {
		return admin.Reloaded{}, fmt.Errorf("plugins: %w", err)
	}
	g.current.Store(s)
	g.routing.configure(s.routes)
	g.scheduler.Reload()
	g.dispatcher.Reload(c.Destinations)
	return admin.Reloaded{
		Generation: s.routes.Generation(), Integrations: len(c.Integrations), Destinations: len(c.Destinations), Routes: len(c.Routes),
		NeedsRestart: needsRestart(g.booted, c),
	}, nil
}

// needsRestart names what differs and can't be changed while we run.
func needsRestart(old, c *config.Config) []string {
	changed := []string{}
	for name, differs := range map[string]bool{
		"listener ingest": !reflect.DeepEqual(old.Ingest, c.Ingest),
		"listener admin":  !reflect.DeepEqual(old.Admin, c.Admin),
		"admin token":     old.AdminToken != c.AdminToken,
		"data_dir":        old.DataDir != c.DataDir,
		"storage":         old.Storage != c.Storage,
		"retention":       old.Retention != c.Retention,
		"plugin_cgroup":   old.PluginCgroup != c.PluginCgroup,
		"public_url":      old.PublicURL != c.PublicURL,
		"telemetry":       old.Telemetry.LogFormat != c.Telemetry.LogFormat || old.Telemetry.AccessLog != c.Telemetry.AccessLog,
	} {
		if differs {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

func (g *Gateway) pluginList() []admin.Plugin {
	var list []admin.Plugin
	for _, p := range g.plugins.Plugins() {
		list = append(list, pluginOf(p))
	}
	return list
}

func pluginOf(p pluginhost.Status) admin.Plugin {
	out := admin.Plugin{
		Name: p.Name, Type: p.Type, Version: p.Version, State: string(p.State), Since: admin.Time{Time: p.Since},
		PID: p.PID, Standby: p.Standby, Away: p.Away, Restarts: p.Restarts, InFlight: p.InFlight, Waiting: p.Waiting, SHA256: p.SHA256, Sandbox: p.Sandbox,
		LastError: p.LastError, Memory: p.Memory, MemoryLimit: p.MemoryLimit, MemoryBy: p.MemoryBy, RestartsBy: p.RestartsBy, OutputDropped: p.OutputDropped, Calls: p.Calls.Outcomes,
		Durations: admin.Durations{Count: p.Calls.Count, Sum: p.Calls.Sum.Seconds(), Within: p.Calls.Within},
	}
	if c := p.LastCrash; c != nil {
		out.Crash = &admin.PluginCrash{At: admin.Time{Time: c.At}, Exit: c.Exit, Output: c.Output}
	}
	return out
}
