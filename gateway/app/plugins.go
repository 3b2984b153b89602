package app

import (
	"context"
	"fmt"
	"slices"

	"bellcrank.example/core"
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
	spec, err := o.g.specOf(plugin, version)
	if err != nil {
		return err
	}
	return o.g.plugins.Swap(ctx, spec)
}

// Shadow has a version that is pinned read along with a plugin.
func (o pluginOrders) Shadow(ctx context.Context, plugin, version string) error {
	spec, err := o.g.specOf(plugin, version)
	if err != nil {
		return err
	}
	return o.g.plugins.Shadow(ctx, plugin, spec)
}

// ShadowReport says how that does.
func (o pluginOrders) ShadowReport(plugin string) (pluginhost.ShadowReport, bool) {
	return o.g.plugins.ShadowReport(plugin)
}

// Unshadow ends it.
func (o pluginOrders) Unshadow(plugin string) (pluginhost.ShadowReport, bool) {
	return o.g.plugins.Unshadow(plugin)
}

// specOf is what a configured plugin would be in another version. The
// configuration in force stays as it is.
func (g *Gateway) specOf(plugin, version string) (pluginhost.Spec, error) {
	c := *g.current.Load().config
	c.Plugins, c.Integrations = slices.Clone(c.Plugins), slices.Clone(c.Integrations)
	for i, in := range c.Integrations {
		own := *in
		c.Integrations[i] = &own
	}
	i := slices.IndexFunc(c.Plugins, func(p config.Plugin) bool { return p.Name == plugin })
	if i < 0 {
		return pluginhost.Spec{}, fmt.Errorf("no plugin %s", plugin)
	}
	c.Plugins[i].Version, c.Plugins[i].SHA256 = version, ""
	specs, err := g.cfg.Specs(&c)
	if err != nil {
		return pluginhost.Spec{}, err
	}
	j := slices.IndexFunc(specs, func(s pluginhost.Spec) bool { return s.Name == plugin })
	if j < 0 {
		return pluginhost.Spec{}, fmt.Errorf("no plugin %s", plugin)
	}
	return specs[j], nil
}

// version returns an integration as another pinned version of its adapter
// serves it, which runs for the purpose.
func (g *Gateway) version(ctx context.Context, in *core.Integration, version string) (*core.Integration, error) {
	spec, err := g.specOf(in.Plugin, version)
	if err != nil {
		return nil, err
	}
	spec.Name += "@" + version
	if err := g.plugins.Guest(ctx, spec); err != nil {
		return nil, err
	}
	other := *in
	other.Plugin, other.AdapterHash = spec.Name, spec.SHA256
	if spec.Info != nil {
		other.Info = *spec.Info
	}
	return &other, nil
}
