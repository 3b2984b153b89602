package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bellcrank.example/core/pluginhost/cgroup"
)

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
	s.status.Sandbox, s.status.MemoryBy = p.sandbox, "watch"
	if p.group.Bounds(cgroup.Memory) {
		s.status.MemoryBy = "cgroup"
	}
	s.mu.Unlock()
	s.live.Store(p)
	s.set(Ready, nil)
	s.back()
	s.settled()
	s.needsSpare()
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
			if s.overstays() {
				s.host.dismiss(s)
			}
			if (*p).spec.Held {
				continue
			}
			if err := (*p).trouble(); err != nil {
				return err
			}
			s.keepPace(ctx, p)
			if s.strict(s.now()) {
				look.Reset(s.timing.Watch / strictness)
			} else {
				look.Reset(s.timing.Watch)
			}
		case <-health.C:
			misses = s.checkHealth(ctx, *p, misses)
			if misses >= s.timing.missesToHangs && !(*p).spec.Held {
				return fmt.Errorf("%d health checks in a row without an answer", misses)
			}
		}
	}
}

// ask has a process say how it is, in time.
func (s *supervisor) ask(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, s.timing.HealthAnswer)
	defer cancel()
	return p.client.Check(ctx)
}

// checkHealth returns how many checks in a row had no answer.
func (s *supervisor) checkHealth(ctx context.Context, p *process, misses int) int {
	err := s.ask(ctx, p)
	switch {
	case err == nil && misses > 0:
		s.set(p.fitness(), nil)
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
	spec := s.wanted()
	if (*p).spec.sameProcess(spec) {
		s.reconfigure(ctx, *p, spec)
		return
	}
	if err := s.put(ctx, p, spec, "replaced"); err != nil {
		s.log.Error("the plugin's successor doesn't start, the old process serves on", "err", err)
		s.set((*p).fitness(), err)
	}
}

// put puts a process of a spec in the place of *p, for a reason that is
// counted. On error *p serves on.
func (s *supervisor) put(ctx context.Context, p **process, spec Spec, why string) error {
	next := s.takeSpare(spec)
	if next == nil {
		var err error
		if next, err = s.start(ctx, spec, func(State, error) {}); err != nil {
			return err
		}
	}
	old := *p
	*p = next
	s.serve(next)
	s.restarted(why)
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
		reason := "hung"
		if errors.Is(hung, errMemory) {
			reason = "memory"
		}
		s.count(reason, hung)
		if p.leashed() {
			p.unleash() // it may say where it hangs
		}
		s.leftovers.Go(func() { s.abort(p) })
	case ctx.Err() != nil:
		s.set(Draining, nil)
		s.finish(p)
		s.mu.Lock()
		s.status.PID = 0
		s.mu.Unlock()
	default:
		s.leftovers.Go(p.client.Kill) // it has ended: this waits until all of it is cleared away
		exit := p.client.Exit()
		lines := p.output.lastWords()
		s.log.Error("the plugin ended", "exit", exit.Text)
		reason := "ended"
		if p.group.OutOfMemory() {
			reason = "memory"
		}
		why := withCause(errors.New(exit.Text), p.group, p.spec)
		s.count(reason, fmt.Errorf("the process ended: %w", why))
		s.mu.Lock()
		s.status.LastCrash = &Crash{At: s.now(), Exit: why.Error(), Output: lines}
		s.mu.Unlock()
	}
}

// abort ends a process that hangs.
func (s *supervisor) abort(p *process) {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	p.client.Abort(ctx)
}

// away notes that no process serves.
func (s *supervisor) away() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gap = s.now()
}

// back notes that a process serves again.
func (s *supervisor) back() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gap.IsZero() {
		s.status.Away += s.now().Sub(s.gap)
		s.gap = time.Time{}
	}
}

// count notes that a process was lost and another one is due.
func (s *supervisor) count(reason string, why error) {
	s.set(Backoff, why)
	s.mu.Lock()
	s.status.PID = 0
	s.mu.Unlock()
	s.restarted(reason)
}

func (s *supervisor) restarted(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Restarts++
	s.status.RestartsBy[reason]++
}
