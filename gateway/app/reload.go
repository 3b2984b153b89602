package app

import (
	"context"
	"errors"

	"bellcrank.example/core"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/config"
)

// reloaded is how a reload ended.
type reloaded struct {
	admin.Reloaded
	err error
}

// Reload reads the configuration again, as a signal does, and returns what that
// came to. The error has code Conflict if the old one stays in force.
func (g *Gateway) Reload(ctx context.Context) (admin.Reloaded, error) {
	done := make(chan reloaded, 1)
	select {
	case g.reloads <- done:
	case <-ctx.Done():
		return admin.Reloaded{}, ctx.Err()
	}
	select {
	case r := <-done:
		return r.Reloaded, r.err
	case <-ctx.Done():
		return admin.Reloaded{}, ctx.Err()
	}
}

// reload reads the configuration again. One that has a mistake changes
// nothing. Listeners, storage and the like stay as they are until a restart.
func (g *Gateway) reload() reloaded {
	c, err := g.cfg.Load()
	if err != nil {
		g.log.Error("the new configuration has mistakes; the old one stays in force", "err", err)
		return refused(err)
	}
	r, err := g.adopt(c)
	if err != nil {
		g.log.Error("the new configuration can't be used; the old one stays in force", "err", err)
		return refused(err)
	}
	if len(r.NeedsRestart) > 0 {
		g.log.Warn("some changes wait for a restart", "of", r.NeedsRestart)
	}
	g.log.Info("configuration reloaded", "generation", r.Generation, "integrations", r.Integrations, "destinations", r.Destinations)
	return reloaded{Reloaded: r}
}

func refused(err error) reloaded {
	text := err.Error()
	if m, ok := errors.AsType[*config.Mistakes](err); ok {
		text = m.Snippets
	}
	return reloaded{err: &core.Error{Code: core.Conflict, Message: "The old configuration stays in force.\n" + text}}
}
