package pluginhost

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"bellcrank.example/sdk"
)

const (
	// maxInFlight and maxWaiting bound the calls to one plugin.
	maxInFlight = 64
	maxWaiting  = 1024
	// defaultTimeout bounds a call.
	defaultTimeout = 5 * time.Second
	// endTimeout bounds each way of ending a process, after its drain.
	endTimeout = 5 * time.Second
)

// supervisor keeps one plugin running. Its run goroutine owns the plugin's
// state; calls read the atomic pointers.
type supervisor struct {
	host   *Host
	log    *slog.Logger
	timing Timing
	now    func() time.Time

	live      atomic.Pointer[process] // takes requests; nil if none does
	spare     atomic.Pointer[process] // stands by; nil if none does
	info      atomic.Pointer[sdk.Info]
	admission atomic.Pointer[admission]
	timeout   atomic.Int64 // of a call, nanoseconds
	guest     bool         // it isn't configured, and goes by itself
	probe     bool         // a guest that reads what is suspected
	visited   atomic.Int64 // when a guest was last asked for, in nanoseconds
	stays     atomic.Bool  // a guest that goes only when it is told to
	shadow    atomic.Pointer[shadow]
	figures   figures

	settled   func()        // to be called when the first start has come to something
	isSettled chan struct{} // closed then
	removed   chan struct{} // closed when the plugin shall go
	changed   chan struct{} // holds one word: there is a new spec
	needs     chan struct{} // holds one word: whether a process should stand by is to be looked at
	orders    chan order    // for the run goroutine
	gone      chan struct{} // closed when that has ended
	answered  chan struct{} // holds one word: a call was answered
	leftovers sync.WaitGroup
	burnt     time.Time // when it was last caught burning the processor; the run goroutine's

	mu     sync.Mutex
	spec   Spec  // that the next process shall have
	before *Spec // of another executable that ran earlier; nil if none did
	places int   // calls at a time
	status Status
	output *logSink  // of the newest process
	gap    time.Time // since when no process serves; the zero time if one does, or none ever did
}

func newSupervisor(h *Host, spec Spec) *supervisor {
	s := &supervisor{
		host: h, log: h.log.With("plugin", spec.Name), timing: h.cfg.Timing, now: h.cfg.Now,
		removed: make(chan struct{}), changed: make(chan struct{}, 1), needs: make(chan struct{}, 1), answered: make(chan struct{}, 1),
		isSettled: make(chan struct{}), orders: make(chan order), gone: make(chan struct{}),
	}
	s.settled = sync.OnceFunc(func() { close(s.isSettled) })
	s.info.Store(spec.Info)
	s.spec = spec
	s.adopt(spec)
	s.status.State, s.status.Since, s.status.RestartsBy, s.status.MemoryBy = Disabled, s.now(), map[string]int{}, "watch"
	return s
}

// adopt makes the limits of a spec apply to calls from now on.
func (s *supervisor) adopt(spec Spec) {
	timeout := spec.Limits.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	s.timeout.Store(int64(timeout))
	n := inFlightOf(spec, s.info.Load())
	s.mu.Lock()
	defer s.mu.Unlock()
	if n != s.places {
		s.places = n
		s.admission.Store(newAdmission(n, maxWaiting))
	}
	s.status.Name, s.status.Type, s.status.Version = spec.Name, spec.Type, spec.Version
}

func inFlightOf(spec Spec, info *sdk.Info) int {
	n := maxInFlight
	if info != nil && info.Concurrency > 0 {
		n = min(n, info.Concurrency)
	}
	if spec.Limits.InFlight > 0 {
		n = min(n, spec.Limits.InFlight)
	}
	return n
}

// run keeps the plugin running until ctx ends or the plugin is removed.
func (s *supervisor) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.leftovers.Wait()
	defer close(s.gone)
	s.leftovers.Go(func() {
		select {
		case <-s.removed:
			cancel()
		case <-ctx.Done():
		}
	})
	if !s.guest {
		s.leftovers.Go(func() { s.standBy(ctx) })
	}
	tries := 0 // starts since a call was answered
	for ctx.Err() == nil {
		p, err := s.nextOne(ctx, tries)
		if err != nil {
			s.rest(ctx, s.failedStart(ctx, err, tries))
			tries++
			continue
		}
		s.serve(p)
		hung := s.watch(ctx, &p)
		s.live.CompareAndSwap(p, nil)
		s.away()
		if s.hasAnswered() {
			tries = 0
		}
		s.endOf(ctx, p, hung)
		s.rest(ctx, s.delay(tries))
		tries++
	}
	s.set(Stopped, nil)
	s.settled()
}

// remove ends the plugin.
func (s *supervisor) remove() { close(s.removed) }

// replace has another spec run, if it is another.
func (s *supervisor) replace(spec Spec) {
	s.mu.Lock()
	same := reflect.DeepEqual(s.spec, spec)
	s.spec = spec
	s.mu.Unlock()
	if !same {
		s.needsSpare()
		s.wake()
	}
}

// wanted is the spec that the next process shall have.
func (s *supervisor) wanted() Spec {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spec
}

// wake has the run goroutine look at the spec.
func (s *supervisor) wake() {
	select {
	case s.changed <- struct{}{}:
	default: // somebody has asked already
	}
}

// set notes the state. A nil error leaves the last one standing.
func (s *supervisor) set(state State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.State != state {
		s.status.State, s.status.Since = state, s.now()
	}
	if err != nil {
		s.status.LastError = err.Error()
	}
}

func (s *supervisor) report() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Guest = s.guest
	if s.output != nil {
		status.OutputDropped = s.output.droppedBytes()
	}
	if !s.gap.IsZero() {
		status.Away += s.now().Sub(s.gap)
	}
	status.RestartsBy = maps.Clone(status.RestartsBy)
	status.Memory, status.Calls = residentBytes(status.PID), s.figures.calls()
	status.MemoryLimit = s.spec.memory()
	if status.PID != 0 && status.Memory == 0 && status.MemoryBy != "cgroup" {
		status.MemoryBy = "nothing"
	}
	status.InFlight, status.Waiting = s.admission.Load().len()
	return status
}
