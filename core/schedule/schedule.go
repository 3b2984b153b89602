// Package schedule does what time alone makes due: it ends what holds news
// back, lets go of what flapped, resolves what nobody speaks of any more, and
// notices that an expected heartbeat is missing.
//
// The rules are core's and due times are stored, so that a restart forgets
// none. What it owns is when to look, and which silences there are.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"bellcrank.example/core"
)

// Store is what is due and what is known.
type Store interface {
	// Waking lists incidents for which something is due, the longest due
	// first.
	Waking(ctx context.Context, now time.Time, limit int) ([]core.Waking, error)
	// Wake does what is due of them in one transaction, see core.Wake.
	Wake(ctx context.Context, due []core.Waking, suspect bool) error
	// Rouse makes every incident whose news is held back due to be woken.
	Rouse(ctx context.Context) error
	SilenceStore
	PulseStore
}

// Config holds what a Scheduler needs. Store is required.
type Config struct {
	Store Store
	// Changed is told of the silences whenever they change. Those that are
	// over may be among them. It must not block. Nobody is told if nil.
	Changed func([]core.Silence)
	// Heartbeats lists what is expected, as configured now. Nothing if nil.
	Heartbeats func() []core.Heartbeat
	// Commit stores the incident of a missing heartbeat.
	Commit func(ctx context.Context, s *core.Submission) (core.Receipt, error)
	NewID  func() core.ID
	Every  time.Duration    // between two looks; 5 seconds if zero
	Now    func() time.Time // time.Now if nil
	// Elapsed is a clock that nobody sets. That of Now is trusted if nil.
	Elapsed func() time.Duration
	Logger  *slog.Logger // slog.Default if nil
}

// Scheduler looks at what is due. Its Run does so again and again.
type Scheduler struct {
	cfg      Config
	kicked   chan struct{}
	silences silences
	pulses   pulses

	mu    sync.Mutex
	clock clock // guarded by mu
}

// Bounds of one look.
const (
	wakeBatch   = 500
	wakeRounds  = 100
	stepTimeout = 30 * time.Second
)

// New returns a Scheduler.
func New(cfg Config) *Scheduler {
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Changed == nil {
		cfg.Changed = func([]core.Silence) {}
	}
	if cfg.Heartbeats == nil {
		cfg.Heartbeats = func() []core.Heartbeat { return nil }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Scheduler{cfg: cfg, kicked: make(chan struct{}, 1), pulses: pulses{known: map[string]core.Pulse{}}}
}

// Load reads the silences. It comes before anything is folded.
func (s *Scheduler) Load(ctx context.Context) error {
	list, err := s.cfg.Store.Silences(ctx, s.cfg.Now())
	if err != nil {
		return fmt.Errorf("read the silences: %w", err)
	}
	s.silences.changing.Lock()
	defer s.silences.changing.Unlock()
	s.silences.list = list
	s.cfg.Changed(list)
	return nil
}

// Reload looks again at everything that is held back: what holds it may have
// changed with the configuration.
func (s *Scheduler) Reload() {
	s.silences.stale.Store(true)
	s.kick()
}

func (s *Scheduler) kick() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}

// Run looks until ctx ends.
func (s *Scheduler) Run(ctx context.Context) error {
	s.silences.stale.Store(true) // the configuration may have changed since the last process
	for {
		if err := s.Step(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Error("do what is due", "err", err)
		}
		timer := time.NewTimer(s.cfg.Every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.kicked:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Step does everything that is due now.
func (s *Scheduler) Step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	suspect := s.Suspect()
	return errors.Join(s.rouse(ctx), s.wakeAll(ctx, suspect), s.listen(ctx, suspect))
}

// Suspect reports whether the clock was set of late: what is due by its word
// alone may not be.
func (s *Scheduler) Suspect() bool {
	suspect, _ := s.look()
	return suspect
}

// Trusted is the time by which things may expire: while the clock is suspect,
// it goes on from where the clock was before it was set.
func (s *Scheduler) Trusted() time.Time {
	_, now := s.look()
	return now
}

// look reads both clocks. The first look at one that was set says so in the
// log, whoever asks.
func (s *Scheduler) look() (suspect bool, now time.Time) {
	wall := s.cfg.Now()
	if s.cfg.Elapsed == nil {
		return false, wall
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	elapsed := s.cfg.Elapsed()
	before := s.clock.suspect(elapsed)
	s.clock.observe(wall, elapsed)
	suspect = s.clock.suspect(elapsed)
	if suspect && !before {
		s.cfg.Logger.Error("the clock was set: nothing resolves, expires or is missed until it has been steady for a while", "shows", wall, "by_itself", s.clock.now(wall, elapsed))
	}
	return suspect, s.clock.now(wall, elapsed)
}

// rouse makes what is held back due, if what holds it may have changed.
func (s *Scheduler) rouse(ctx context.Context) error {
	if !s.silences.stale.Swap(false) {
		return nil
	}
	if err := s.cfg.Store.Rouse(ctx); err != nil {
		s.silences.stale.Store(true)
		return fmt.Errorf("rouse what is held back: %w", err)
	}
	return nil
}

func (s *Scheduler) wakeAll(ctx context.Context, suspect bool) error {
	for range wakeRounds {
		due, err := s.cfg.Store.Waking(ctx, s.cfg.Now(), wakeBatch)
		if err != nil {
			return fmt.Errorf("list what is due: %w", err)
		}
		if len(due) == 0 {
			return nil
		}
		if err := s.wake(ctx, due, suspect); err != nil {
			return err
		}
		if len(due) < wakeBatch {
			return nil
		}
	}
	return nil
}

// wake does what is due of some incidents, one by one if they can't be done
// together: one that is broken must not keep the others waiting.
func (s *Scheduler) wake(ctx context.Context, due []core.Waking, suspect bool) error {
	err := s.cfg.Store.Wake(ctx, due, suspect)
	if err == nil || len(due) == 1 {
		return wrapWake(due, err)
	}
	var problems []error
	for i := range due {
		problems = append(problems, wrapWake(due[i:i+1], s.cfg.Store.Wake(ctx, due[i:i+1], suspect)))
	}
	return errors.Join(problems...)
}

func wrapWake(due []core.Waking, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("wake incident %s: %w", due[0].Incident, err)
}
