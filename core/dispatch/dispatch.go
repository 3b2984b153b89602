// Package dispatch owns what is still owed to destinations: it sends each
// delivery when it is due, records how that ended, puts off, parks, probes and
// drains.
//
// What an attempt's end means is decided in core; what is owed is remembered
// by the store. The package only keeps time and limits: a loop per destination
// so that none delays another, eight attempts at a time in each.
package dispatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"bellcrank.example/core"
)

// Config holds what a Dispatcher needs. Store and NewID are required.
type Config struct {
	Store          Store
	NewID          func() core.ID      // makes the attempts' ids
	Destinations   []*core.Destination // what Reload gets later
	PublicURL      string              // links to incidents begin with it; none if empty
	PerDestination int                 // attempts at a time; 8 if zero
	Sockets        int                 // attempts at a time, all together; 4096 if zero
	Poll           time.Duration       // looks for deliveries that nobody told of this often, at most 30 seconds, which is the default
	Grace          time.Duration       // for attempts under way at a shutdown; 15 seconds if zero
	Suspect        func() bool         // reports whether the clock can't be trusted: nothing grows too old then, nor is throttled too long. Never if nil
	Notice         func(Notice)        // hears what a person must know; it must not block. None if nil
	Observe        func(core.Attempt)  // hears of every attempt that is recorded; it must not block. None if nil
	Now            func() time.Time    // time.Now if nil
	Rand           func() float64      // from 0 to 1, for jitter; math/rand if nil
	Logger         *slog.Logger        // slog.Default if nil
}

// Notice tells of deliveries that were given up or of a destination that was
// disabled, at most one per destination and minute besides the first.
type Notice struct {
	Destination string
	Disabled    core.DisabledReason // not empty: why it was disabled
	Dead        int                 // deliveries that were given up
	Deliveries  []core.ID           // some of those, at most 10
	Error       string              // the last one
	From, To    time.Time           // when the first and the last of it happened
}

// ErrUnknown means that no such destination is configured.
var ErrUnknown = errors.New("unknown destination")

// Dispatcher sends deliveries. Its methods may be called at any time from
// anywhere; nothing is sent outside Run.
type Dispatcher struct {
	cfg     Config
	sockets *sockets
	turns   turns

	mu      sync.RWMutex
	lines   map[string]*line                 // guarded by mu
	retired map[string]*line                 // lines that Reload has ended; guarded by mu
	states  map[string]core.DestinationState // stored, of destinations without a line; guarded by mu
	strays  []string                         // destinations without a line that are owed something; guarded by mu
	start   func(*line)                      // starts a line's loop; nil outside Run; guarded by mu

	strayed chan struct{} // holds a token while there are strays
}

// New returns a Dispatcher that sends nothing before Run.
func New(cfg Config) *Dispatcher {
	cfg.PerDestination = cmp.Or(cfg.PerDestination, 8)
	cfg.Sockets = cmp.Or(cfg.Sockets, 4096)
	cfg.Poll = min(cmp.Or(cfg.Poll, maxWait), maxWait)
	cfg.Grace = cmp.Or(cfg.Grace, 15*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	if cfg.Suspect == nil {
		cfg.Suspect = func() bool { return false }
	}
	if cfg.Notice == nil {
		cfg.Notice = func(Notice) {}
	}
	if cfg.Observe == nil {
		cfg.Observe = func(core.Attempt) {}
	}
	d := &Dispatcher{
		cfg: cfg, sockets: newSockets(cfg.Sockets), strayed: make(chan struct{}, 1),
		lines: map[string]*line{}, retired: map[string]*line{}, states: map[string]core.DestinationState{},
	}
	d.Reload(cfg.Destinations)
	return d
}

// Run sends until ctx ends, then waits for the attempts that are under way. It
// returns an error only if it can't read the destinations' states.
func (d *Dispatcher) Run(ctx context.Context) error {
	states, err := d.loadStates(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	// Attempts outlive ctx by the grace: half an attempt would be recorded as
	// a whole failure.
	working, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var loops sync.WaitGroup

	d.mu.Lock()
	for _, s := range states {
		if l := d.lines[s.Destination]; l != nil {
			l.set(s)
		}
		d.states[s.Destination] = s
	}
	d.start = func(l *line) { loops.Go(func() { l.run(ctx, working) }) }
	for _, l := range d.lines {
		d.start(l)
	}
	d.mu.Unlock()
	loops.Go(func() { d.parkStrays(ctx) })

	<-ctx.Done()
	d.mu.Lock()
	d.start = nil
	d.mu.Unlock()
	end := time.AfterFunc(d.cfg.Grace, cut)
	defer end.Stop()
	loops.Wait()
	return nil
}

// loadStates reads the states, patiently: at start the store may be busy.
func (d *Dispatcher) loadStates(ctx context.Context) ([]core.DestinationState, error) {
	var states []core.DestinationState
	err := persist(ctx, d.cfg.Logger, "read destination states", func(ctx context.Context) (err error) {
		states, err = d.cfg.Store.DestinationStates(ctx)
		return err
	})
	return states, err
}

// Wake tells of new deliveries to these destinations. It never blocks.
func (d *Dispatcher) Wake(destinations []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range destinations {
		if l := d.lines[id]; l != nil {
			l.wake()
		} else {
			d.stray(id)
		}
	}
}

// Reload replaces the destinations. What is owed to one that is gone is parked,
// and sent if it comes back.
func (d *Dispatcher) Reload(destinations []*core.Destination) {
	d.mu.Lock()
	defer d.mu.Unlock()
	keep := map[string]bool{}
	for _, dest := range destinations {
		id := dest.ID()
		keep[id] = true
		if l := d.lines[id]; l != nil {
			l.replace(dest)
			continue
		}
		l := newLine(d, dest, d.retired[id], d.states[id])
		delete(d.retired, id)
		d.lines[id] = l
		if d.start != nil {
			d.start(l)
		}
	}
	for id, l := range d.lines {
		if !keep[id] {
			close(l.stopping)
			delete(d.lines, id)
			if d.start != nil {
				d.retired[id] = l
			}
		}
	}
	d.sockets.reserve(len(d.lines))
}

// Enable makes a disabled destination active: what was parked is sent.
func (d *Dispatcher) Enable(ctx context.Context, id string) error {
	return d.command(ctx, id, func(s *core.DestinationState, now time.Time) {
		*s = core.DestinationState{
			Tenant: s.Tenant, Destination: s.Destination, Since: now,
			LastSuccess: s.LastSuccess, LastFailure: s.LastFailure, LastError: s.LastError,
		}
	})
}

// Disable parks everything that is owed to a destination until a person
// enables it.
func (d *Dispatcher) Disable(ctx context.Context, id string) error {
	return d.command(ctx, id, func(s *core.DestinationState, now time.Time) {
		s.Disabled, s.Since = core.DisabledOperator, now
		s.ProbeAt, s.Probes = time.Time{}, 0
	})
}

// command changes a destination's state in its own loop and returns once the
// change is stored.
func (d *Dispatcher) command(ctx context.Context, id string, change func(*core.DestinationState, time.Time)) error {
	l := d.line(id)
	if l == nil {
		return ErrUnknown
	}
	c := command{change: change, done: make(chan error, 1)}
	select {
	case l.commands <- c:
	case <-l.ended:
		return ErrUnknown
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.done:
		return err
	case <-l.ended:
		return errors.New("stopped before the change was stored")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// States returns the state of every configured destination, in order of its
// id.
func (d *Dispatcher) States() []core.DestinationState {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var states []core.DestinationState
	for _, l := range d.lines {
		states = append(states, l.snapshot())
	}
	slices.SortFunc(states, func(a, b core.DestinationState) int { return strings.Compare(a.Destination, b.Destination) })
	return states
}
