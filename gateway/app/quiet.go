package app

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"bellcrank.example/core"
	"bellcrank.example/core/route"
	"bellcrank.example/core/schedule"
)

// routing is who hears of incidents: the configured tree with the silences
// that were made at run time.
type routing struct {
	now atomic.Pointer[route.Tree]

	mu       sync.Mutex
	tree     *route.Tree    // as configured; guarded by mu
	silences []core.Silence // guarded by mu
}

func (r *routing) routes() core.Routes { return r.now.Load() }

// configure takes over a new configuration's tree.
func (r *routing) configure(tree *route.Tree) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tree = tree
	r.now.Store(tree.With(route.Silences(r.silences)))
}

// silence takes over what is silenced at run time.
func (r *routing) silence(list []core.Silence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silences = list
	r.now.Store(r.tree.With(route.Silences(list)))
}

// openScheduler makes what looks after everything that time alone makes due.
func (g *Gateway) openScheduler(ctx context.Context) error {
	g.scheduler = schedule.New(schedule.Config{
		Store: g.store, Commit: g.store.Commit, NewID: g.store.NewID, Changed: g.routing.silence,
		Heartbeats: func() []core.Heartbeat { return g.current.Load().config.Heartbeats },
		Now:        Now, Elapsed: elapsed(), Logger: g.log.With("part", "schedule"),
	})
	if err := g.scheduler.Load(ctx); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	return nil
}

// suspect reports whether the clock can't be trusted. Until there is a
// scheduler nothing has run that would care.
func (g *Gateway) suspect() bool { return g.scheduler != nil && g.scheduler.Suspect() }
