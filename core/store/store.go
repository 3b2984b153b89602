// Package store opens the store that is configured. What it remembers it
// promises to intake, dispatch and health, each in their own words.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/core/health"
	"bellcrank.example/core/intake"
	"bellcrank.example/core/store/engine"
	"bellcrank.example/core/store/sqlite"
)

// Config holds what a Store needs. URL and Routes are required.
type Config struct {
	// URL says where the store is: "sqlite:DIRECTORY", or a directory alone.
	URL string
	// Routes returns who hears of incidents, as configured now.
	Routes func() core.Routes
	// Owed is called after a commit with the destinations that have new due
	// deliveries. It must not block. Nobody is told if nil.
	Owed func(destinations []string)
	// Suspect reports whether the clock can't be trusted: nothing is deleted
	// then. Never if nil.
	Suspect    func() bool
	LockWait   time.Duration // how long to wait for another process that has the store; not at all if zero
	Retention  engine.Retention
	CommitWait time.Duration    // how long a caller waits for the disk; 5 seconds if zero
	Now        func() time.Time // time.Now if nil
	Logger     *slog.Logger     // slog.Default if nil
}

// Store is what the gateway remembers. Everything that writes waits for Run.
type Store struct {
	*engine.Engine
	engine.Reader
	driver engine.Driver
}

var (
	_ intake.Store   = (*Store)(nil)
	_ dispatch.Store = (*Store)(nil)
	_ health.Store   = (*Store)(nil)
)

// Open opens the store, making it if need be. Its owner calls Run, and Close
// when Run has returned.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	dir := strings.TrimPrefix(cfg.URL, "sqlite:")
	if dir == "" || strings.Contains(dir, "://") {
		return nil, fmt.Errorf("store %q: want sqlite: and a directory", cfg.URL)
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: dir, LockWait: cfg.LockWait, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	return open(ctx, cfg, db)
}

func open(ctx context.Context, cfg Config, driver engine.Driver) (*Store, error) {
	e, err := engine.New(ctx, engine.Config{
		Driver: driver, Routes: cfg.Routes, Owed: cfg.Owed, Suspect: cfg.Suspect, Retention: cfg.Retention,
		CommitWait: cfg.CommitWait, Now: cfg.Now, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, driver.Close())
	}
	return &Store{Engine: e, Reader: driver, driver: driver}, nil
}

// Close lets go of the store.
func (s *Store) Close() error { return s.driver.Close() }

// Version returns one version of an incident with its snapshot, which nobody
// may change.
func (s *Store) Version(ctx context.Context, incident core.ID, number int) (core.Version, error) {
	if v, ok := s.FreshVersion(incident, number); ok {
		return v, nil
	}
	return s.Reader.Version(ctx, incident, number)
}
