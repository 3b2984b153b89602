package app

import (
	"fmt"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
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
	s.routes, err = route.New(route.Config{Routes: c.Routes, Destinations: c.Destinations, Generation: g.generation})
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return s, nil
}

func (g *Gateway) keys() *keyring.Table { return g.current.Load().keys }

// reload reads the configuration again. One that has a mistake changes
// nothing. Listeners, storage and plugins stay as they are until a restart.
func (g *Gateway) reload() {
	c, err := g.cfg.Load()
	if err != nil {
		g.log.Error("the new configuration has mistakes; the old one stays in force", "err", err)
		return
	}
	s, err := g.newSetup(c)
	if err != nil {
		g.log.Error("the new configuration can't be used; the old one stays in force", "err", err)
		return
	}
	old := g.current.Swap(s)
	g.dispatcher.Reload(c.Destinations)
	if needsRestart(old.config, c) {
		g.log.Warn("listeners, storage and data directory change only with a restart")
	}
	g.log.Info("configuration reloaded", "generation", s.routes.Generation())
}

func needsRestart(old, c *config.Config) bool {
	return old.Ingest.Address != c.Ingest.Address || old.Admin.Address != c.Admin.Address ||
		old.DataDir != c.DataDir || old.Storage != c.Storage
}

func (g *Gateway) pluginList() []admin.Plugin {
	var list []admin.Plugin
	for _, p := range g.plugins.Plugins() {
		list = append(list, admin.Plugin{
			Name: p.Name, Type: p.Type, Version: p.Version, State: string(p.State), Since: admin.Time{Time: p.Since},
			PID: p.PID, Restarts: p.Restarts, InFlight: p.InFlight, SHA256: p.SHA256, LastError: p.LastError,
		})
	}
	return list
}
