package admin

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost"
)

// Host changes which plugin processes run. An error is for the operator, and
// means that what ran before runs on.
type Host interface {
	// Restart replaces a plugin's process.
	Restart(ctx context.Context, plugin string) error
	// Swap replaces it by one of another version that is pinned.
	Swap(ctx context.Context, plugin, version string) error
	// Rollback replaces it by what ran before the last swap.
	Rollback(ctx context.Context, plugin string) error
	// Shadow has a version that is pinned read along from now on.
	Shadow(ctx context.Context, plugin, version string) error
	// ShadowReport says how that does, false if there is none.
	ShadowReport(plugin string) (pluginhost.ShadowReport, bool)
	// Unshadow ends it and returns its last report, false if there was none.
	Unshadow(plugin string) (pluginhost.ShadowReport, bool)
}

// orderTimeout is for starting, checking and warming a process.
const orderTimeout = 12 * time.Second

func (a *api) restartPlugin(c *fiber.Ctx) error {
	return a.order(c, func(ctx context.Context, name string) error { return a.cfg.Host.Restart(ctx, name) })
}

func (a *api) rollbackPlugin(c *fiber.Ctx) error {
	return a.order(c, func(ctx context.Context, name string) error { return a.cfg.Host.Rollback(ctx, name) })
}

func (a *api) swapPlugin(c *fiber.Ctx) error {
	version := query(c, "version")
	if version == "" {
		return badRequest("version", "version is required")
	}
	return a.order(c, func(ctx context.Context, name string) error { return a.cfg.Host.Swap(ctx, name, version) })
}

// order carries out a change and answers with what the plugin is then.
func (a *api) order(c *fiber.Ctx, do func(context.Context, string) error) error {
	name := strings.Clone(c.Params("name"))
	if _, known := a.pluginNamed(name); !known || a.cfg.Host == nil {
		return notFound("There is no such plugin")
	}
	// Starting takes longer than other calls may.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), orderTimeout)
	defer cancel()
	if err := do(ctx, name); err != nil {
		return &core.Error{Code: core.Conflict, Message: "What ran before runs on: " + err.Error()}
	}
	p, _ := a.pluginNamed(name)
	return ok(c, p)
}

// shadowPlugin has another version read along.
func (a *api) shadowPlugin(c *fiber.Ctx) error {
	version := query(c, "version")
	if version == "" {
		return badRequest("version", "version is required")
	}
	return a.order(c, func(ctx context.Context, name string) error { return a.cfg.Host.Shadow(ctx, name, version) })
}

func (a *api) shadowReport(c *fiber.Ctx) error { return a.tellShadow(c, Host.ShadowReport) }

func (a *api) unshadowPlugin(c *fiber.Ctx) error { return a.tellShadow(c, Host.Unshadow) }

func (a *api) tellShadow(c *fiber.Ctx, of func(Host, string) (pluginhost.ShadowReport, bool)) error {
	if a.cfg.Host == nil {
		return notFound("There is no such plugin")
	}
	report, has := of(a.cfg.Host, strings.Clone(c.Params("name")))
	if !has {
		return notFound("No other version reads along with that plugin")
	}
	return ok(c, report)
}

func (a *api) pluginNamed(name string) (Plugin, bool) {
	for _, p := range a.cfg.Plugins() {
		if p.Name == name {
			return p, true
		}
	}
	return Plugin{}, false
}
