package pluginhost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
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
	info      atomic.Pointer[sdk.Info]
	admission atomic.Pointer[admission]
	timeout   atomic.Int64 // of a call, nanoseconds

	settled   func()        // to be called when the first start has come to something
	isSettled chan struct{} // closed then
	removed   chan struct{} // closed when the plugin shall go
	changed   chan struct{} // holds one word: there is a new spec
	orders    chan order    // for the run goroutine
	gone      chan struct{} // closed when that has ended
	answered  chan struct{} // holds one word: a call was answered
	leftovers sync.WaitGroup

	mu     sync.Mutex
	spec   Spec  // that the next process shall have
	before *Spec // of another executable that ran earlier; nil if none did
	places int   // calls at a time
	status Status
	output *logSink // of the newest process
}

func newSupervisor(h *Host, spec Spec) *supervisor {
	s := &supervisor{
		host: h, log: h.log.With("plugin", spec.Name), timing: h.cfg.Timing, now: h.cfg.Now,
		removed: make(chan struct{}), changed: make(chan struct{}, 1), answered: make(chan struct{}, 1),
		isSettled: make(chan struct{}), orders: make(chan order), gone: make(chan struct{}),
	}
	s.settled = sync.OnceFunc(func() { close(s.isSettled) })
	s.info.Store(spec.Info)
	s.spec = spec
	s.adopt(spec)
	s.status.State, s.status.Since = Disabled, s.now()
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
	tries := 0 // starts since a call was answered
	for ctx.Err() == nil {
		p, err := s.startOne(ctx)
		if err != nil {
			s.rest(ctx, s.failedStart(ctx, err, tries))
			tries++
			continue
		}
		s.serve(p)
		hung := s.watch(ctx, &p)
		s.live.CompareAndSwap(p, nil)
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

// startOne starts a process of the current spec.
func (s *supervisor) startOne(ctx context.Context) (*process, error) {
	s.mu.Lock()
	spec := s.spec
	s.mu.Unlock()
	return s.start(ctx, spec, s.set)
}

// start verifies, starts, configures and probes a process. On error none is
// left. report hears of the states on the way.
func (s *supervisor) start(ctx context.Context, spec Spec, report func(State, error)) (*process, error) {
	report(Verifying, nil)
	v, err := verify(spec)
	if err != nil {
		return nil, err
	}
	defer v.file.Close()
	if v.remark != "" {
		s.log.Warn("the plugin could be replaced by others", "remark", v.remark)
	}
	report(Starting, nil)
	ctx, cancel := context.WithTimeout(ctx, s.timing.Start)
	defer cancel()
	output := newLogSink(s.log, s.now)
	p, err := s.launch(ctx, spec, v, output)
	if err != nil {
		return nil, err
	}
	p.output, p.sha256 = output, v.sha256
	if err := s.prepare(ctx, p, report); err != nil {
		p.client.Kill()
		return nil, err
	}
	return p, nil
}

// launch is the one place that turns a verified file into a process.
func (s *supervisor) launch(ctx context.Context, spec Spec, v *verified, output *logSink) (*process, error) {
	cfg := client.Config{
		Path: spec.Path, Args: spec.Args, Env: environment(spec), RunDir: s.host.runDir, Output: output,
		StartTimeout: s.timing.Start, Stuck: s.timing.Stuck, Now: s.now, Logger: s.log,
	}
	if runsByDescriptor {
		cfg.File = v.file
	}
	c, level, err := s.startConfined(ctx, spec, cfg)
	if err != nil {
		return nil, err
	}
	p := newProcess(spec, c)
	p.sandbox = level
	return p, nil
}

// environment is all that a plugin learns from its environment.
func environment(spec Spec) []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		env = append(env, name+"="+spec.Env[name])
	}
	return env
}

// prepare makes a process ready for requests.
func (s *supervisor) prepare(ctx context.Context, p *process, report func(State, error)) error {
	info := p.client.Describe()
	if p.spec.Type != "" && info.Type != p.spec.Type {
		return fmt.Errorf("it adapts %q, not %q", info.Type, p.spec.Type)
	}
	report(Configuring, nil)
	for _, integration := range slices.Sorted(maps.Keys(p.spec.Instances)) {
		if err := s.configure(ctx, p, integration, p.spec.Instances[integration]); err != nil {
			return err
		}
	}
	report(Probing, nil)
	return probe(ctx, p.client, info)
}

// configure hands an integration's settings over. Wrong ones are no reason to
// fail the others: the error is that of a process that doesn't answer.
func (s *supervisor) configure(ctx context.Context, p *process, integration string, settings json.RawMessage) error {
	err := p.client.Configure(ctx, integration, settings)
	if _, lost := errors.AsType[*client.Error](err); lost {
		return err
	}
	if err != nil {
		s.log.Error("an integration's settings are refused", "integration", integration, "err", err)
	}
	p.refuse(integration, err)
	return nil
}

// reconfigure gives a process that serves on the settings that have changed.
func (s *supervisor) reconfigure(ctx context.Context, p *process, spec Spec) {
	ctx, cancel := context.WithTimeout(ctx, s.timing.Start)
	defer cancel()
	old := p.spec.Instances
	p.spec = spec
	for integration, settings := range spec.Instances {
		before, known := old[integration]
		if known && bytes.Equal(before, settings) {
			continue
		}
		if err := s.configure(ctx, p, integration, settings); err != nil {
			s.log.Error("the plugin doesn't take its new settings", "integration", integration, "err", err)
			return // it hangs or has ended, which the watch sees
		}
	}
	for integration := range old {
		if _, stays := spec.Instances[integration]; !stays {
			_ = p.client.Release(ctx, integration) // nobody calls for it any more
		}
	}
}

// probe asks for a first answer: its health, and events for its own sample. A
// failure is an answer, too: the sample may need settings.
func probe(ctx context.Context, c *client.Client, info sdk.Info) error {
	if err := c.Check(ctx); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if len(info.Samples) == 0 {
		return nil
	}
	sample := info.Samples[0]
	_, err := c.Adapt(ctx, sdk.Request{ID: "probe", Method: "POST", Path: sample.Path, Header: sample.Header, Body: sample.Body, Attempt: 1})
	if e, ok := errors.AsType[*client.Error](err); ok {
		return fmt.Errorf("probe with its sample %q: %w", sample.Name, e)
	}
	return nil
}

// serve lets requests in.
func (s *supervisor) serve(p *process) {
	info := p.spec.Info
	if info == nil {
		described := p.client.Describe()
		info = &described
	}
	s.info.Store(info)
	s.adopt(p.spec)
	s.mu.Lock()
	s.output, s.status.SHA256, s.status.PID, s.status.FailedStarts = p.output, p.sha256, p.client.PID(), 0
	s.status.Sandbox = p.sandbox
	s.mu.Unlock()
	s.live.Store(p)
	s.set(Ready, nil)
	s.settled()
	s.log.Info("plugin ready", "version", p.spec.Version, "pid", p.client.PID())
}

// watch returns when the process has ended or hangs, which it reports, or when
// ctx ends. It replaces *p when the spec changes.
func (s *supervisor) watch(ctx context.Context, p **process) (hung error) {
	health, look := time.NewTicker(s.timing.Health), time.NewTicker(s.timing.Watch)
	defer health.Stop()
	defer look.Stop()
	misses := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-(*p).client.Done():
			return nil
		case <-s.changed:
			s.follow(ctx, p)
			misses = 0
		case o := <-s.orders:
			s.obey(ctx, p, o)
			misses = 0
		case <-look.C:
			if err := (*p).trouble(); err != nil {
				return err
			}
		case <-health.C:
			misses = s.checkHealth(ctx, *p, misses)
			if misses >= s.timing.missesToHangs {
				return fmt.Errorf("%d health checks in a row without an answer", misses)
			}
		}
	}
}

// checkHealth returns how many checks in a row had no answer.
func (s *supervisor) checkHealth(ctx context.Context, p *process, misses int) int {
	ctx, cancel := context.WithTimeout(ctx, s.timing.HealthAnswer)
	defer cancel()
	err := p.client.Check(ctx)
	switch {
	case err == nil && misses > 0:
		s.set(Ready, nil)
		return 0
	case err == nil:
		return 0
	}
	s.set(Degraded, err)
	return misses + 1
}

// follow does what a new spec asks for: other settings for the process that
// runs, or another process.
func (s *supervisor) follow(ctx context.Context, p **process) {
	s.mu.Lock()
	spec := s.spec
	s.mu.Unlock()
	if (*p).spec.sameProcess(spec) {
		s.reconfigure(ctx, *p, spec)
		return
	}
	if err := s.put(ctx, p, spec); err != nil {
		s.log.Error("the plugin's successor doesn't start, the old process serves on", "err", err)
		s.set(Ready, err)
	}
}

// put puts a process of a spec in the place of *p. On error *p serves on.
func (s *supervisor) put(ctx context.Context, p **process, spec Spec) error {
	next, err := s.start(ctx, spec, func(State, error) {})
	if err != nil {
		return err
	}
	old := *p
	*p = next
	s.serve(next)
	s.mu.Lock()
	s.status.Restarts++
	s.mu.Unlock()
	s.leftovers.Go(func() { s.finish(old) })
	return nil
}

// finish lets a process end after its calls.
func (s *supervisor) finish(p *process) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timing.Drain)
	defer cancel()
	p.drain(ctx)
	ctx, cancel = context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	p.client.Stop(ctx)
}

// endOf does what the end of a process asks for: its own, ours, or that of a
// process that hangs. The last is ended while its successor starts.
func (s *supervisor) endOf(ctx context.Context, p *process, hung error) {
	switch {
	case hung != nil:
		s.log.Error("the plugin hangs and is replaced", "pid", p.client.PID(), "err", hung)
		s.count(hung)
		s.leftovers.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
			defer cancel()
			p.client.Abort(ctx)
		})
	case ctx.Err() != nil:
		s.set(Draining, nil)
		s.finish(p)
		s.mu.Lock()
		s.status.PID = 0
		s.mu.Unlock()
	default:
		p.client.Kill() // it has ended: this waits until all of it is cleared away
		exit := p.client.Exit()
		lines := p.output.lastWords()
		s.log.Error("the plugin ended", "exit", exit.Text)
		s.count(fmt.Errorf("the process ended: %s", exit.Text))
		s.mu.Lock()
		s.status.LastCrash = &Crash{At: s.now(), Exit: exit.Text, Output: lines}
		s.mu.Unlock()
	}
}

// count notes that a process was lost and another one is due.
func (s *supervisor) count(why error) {
	s.set(Backoff, why)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.PID = 0
	s.status.Restarts++
}

// failedStart notes a start that failed and returns how long to wait.
func (s *supervisor) failedStart(ctx context.Context, err error, tries int) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	defer s.settled()
	s.mu.Lock()
	s.status.FailedStarts++
	failures := s.status.FailedStarts
	s.mu.Unlock()
	if failures < s.timing.maxFailures {
		s.log.Warn("the plugin doesn't start", "err", err, "failures", failures)
		s.set(Backoff, err)
		return s.delay(tries)
	}
	if failures == s.timing.maxFailures {
		s.log.Error("the plugin is quarantined: it doesn't start", "err", err, "next_try", s.timing.Quarantine)
	}
	s.set(Quarantined, err)
	return s.timing.Quarantine
}

// delay returns how long to wait before the next start: nothing after the
// first one, then more and more.
func (s *supervisor) delay(tries int) time.Duration {
	if tries == 0 {
		return 0
	}
	delay := s.timing.LastDelay
	if shift := tries - 1; shift < 16 {
		delay = min(delay, s.timing.FirstDelay<<shift)
	}
	return time.Duration(float64(delay) * (0.8 + 0.4*rand.Float64()))
}

// rest waits before the next start. A changed spec or an order is worth a try
// at once.
func (s *supervisor) rest(ctx context.Context, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.changed:
	case o := <-s.orders:
		s.obeyAtRest(o)
	case <-ctx.Done():
	}
}

// hasAnswered reports whether a call was answered since it was last asked.
func (s *supervisor) hasAnswered() bool {
	select {
	case <-s.answered:
		return true
	default:
		return false
	}
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
		s.wake()
	}
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
	if s.output != nil {
		status.OutputDropped = s.output.droppedBytes()
	}
	status.InFlight, status.Waiting = s.admission.Load().len()
	return status
}

// adapt hands a request to the live process.
func (s *supervisor) adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.timeout.Load()))
	defer cancel()
	if s.live.Load() == nil {
		return sdk.Result{}, s.down(s.notReady())
	}
	a := s.admission.Load()
	if err := a.acquire(ctx, r.Integration); err != nil {
		return sdk.Result{}, s.down(err)
	}
	defer a.release()
	p := s.enter()
	if p == nil {
		return sdk.Result{}, s.down(s.notReady())
	}
	defer p.leave()
	if err := p.refusal(r.Integration); err != nil {
		return sdk.Result{}, s.down(err)
	}
	result, err := p.client.Adapt(ctx, r)
	return s.judge(result, err)
}

// enter takes part in the live process, which then isn't ended under the call.
func (s *supervisor) enter() *process {
	for {
		p := s.live.Load()
		if p == nil || p.enter() {
			return p
		}
		if s.live.Load() == p {
			return nil // it drains, and there is no other
		}
	}
}

func (s *supervisor) notReady() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("the plugin is %s", s.status.State)
}

func (s *supervisor) down(err error) error {
	return s.fault(core.AdapterDown, err)
}

func (s *supervisor) fault(fault core.AdaptFault, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &core.AdaptError{Fault: fault, Plugin: s.spec.Name, Err: err}
}

// judge looks at what came back, with distrust.
func (s *supervisor) judge(result sdk.Result, err error) (sdk.Result, error) {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return sdk.Result{}, s.fault(faultOf(e.Kind), err)
	}
	select {
	case s.answered <- struct{}{}:
	default:
	}
	if failure, ok := errors.AsType[*sdk.Failure](err); ok {
		if failure.Code == sdk.Busy {
			return sdk.Result{}, s.down(failure)
		}
		return sdk.Result{}, checkFailure(failure)
	}
	if err != nil {
		return sdk.Result{}, s.fault(core.AdapterBroken, err)
	}
	var limits sdk.Limits
	if info := s.info.Load(); info != nil {
		limits = info.Limits
	}
	result, err = checkResult(result, limits, s.now())
	if failure, ok := errors.AsType[*sdk.Failure](err); ok {
		return sdk.Result{}, failure
	}
	if err != nil {
		return sdk.Result{}, s.fault(core.AdapterBroken, err)
	}
	return result, nil
}

func faultOf(kind client.Kind) core.AdaptFault {
	switch kind {
	case client.Gone:
		return core.AdapterDown
	case client.Timeout:
		return core.AdapterTimeout
	case client.Crashed:
		return core.AdapterCrash
	}
	return core.AdapterBroken
}

// checkFailure bounds a failure's text.
func checkFailure(f *sdk.Failure) *sdk.Failure {
	const most = 1 << 10
	return &sdk.Failure{Code: f.Code, Path: cut(storable(f.Path), most), Message: cut(storable(f.Message), most)}
}
