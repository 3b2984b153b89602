package app

import (
	"context"
	"fmt"
	"slices"

	"bellcrank.example/core/pluginhost"
	"bellcrank.example/gateway/config"
)

// pluginOrders carries out what operators ask of the plugin host.
type pluginOrders struct{ g *Gateway }

// Restart replaces a plugin's process.
func (o pluginOrders) Restart(ctx context.Context, plugin string) error {
	return o.g.plugins.Restart(ctx, plugin)
}

// Rollback replaces it by what ran before the last swap.
func (o pluginOrders) Rollback(ctx context.Context, plugin string) error {
	return o.g.plugins.Rollback(ctx, plugin)
}

// Swap replaces it by one of another version, which the lock file or the
// manifest pins. A reload goes back to what the configuration says.
func (o pluginOrders) Swap(ctx context.Context, plugin, version string) error {
	c := *o.g.current.Load().config
	c.Plugins = slices.Clone(c.Plugins)
	i := slices.IndexFunc(c.Plugins, func(p config.Plugin) bool { return p.Name == plugin })
	if i < 0 {
		return fmt.Errorf("no plugin %s", plugin)
	}
	c.Plugins[i].Version, c.Plugins[i].SHA256 = version, ""
	specs, err := o.g.cfg.Specs(&c)
	if err != nil {
		return err
	}
	j := slices.IndexFunc(specs, func(s pluginhost.Spec) bool { return s.Name == plugin })
	if j < 0 {
		return fmt.Errorf("no plugin %s", plugin)
	}
	return o.g.plugins.Swap(ctx, specs[j])
}
