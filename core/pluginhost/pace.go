package pluginhost

import (
	"context"
	"errors"
	"time"

	"bellcrank.example/sdk/client"
)

// What is held to be burning the processor, and what comes of it.
const (
	// defaultProcessor and mostPerMiB are how much processor time a process may
	// use for each call that it has, and for their bodies, while it leaves the
	// oldest of them unanswered. Adapters need a millisecond, and up to 100 for
	// a MiB of alerts; on a slow machine, with another runtime's decoder or with
	// little memory, it is ten times that. A storm must never be taken for a spin.
	defaultProcessor = 250 * time.Millisecond
	mostPerMiB       = 3 * time.Second
	// mostUnasked is how much it may use without a call: a collector of garbage
	// is done in less.
	mostUnasked = time.Second
	// strictFor is how long a plugin that has burnt is watched closely, and so
	// how long it must have behaved to be replaced at once; strictness is how
	// much sooner it is caught.
	strictFor  = time.Minute
	strictness = 10
	// leashedFor is how long at most a process is held back that isn't replaced
	// at once.
	leashedFor = 30 * time.Second
)

// A process on the leash runs for a moment, then stands still. Priority alone
// wouldn't do: a container or a virtual machine whose whole share of the
// processors is used up is slowed as a whole, whoever used it.
const (
	leashRuns   = time.Millisecond
	leashStands = 499 * time.Millisecond
)

// pace is how a process uses the processor, as the watch sees it from look to
// look.
type pace struct {
	looked  time.Time     // when the watch looked last
	used    time.Duration // processor time until then
	oldest  time.Time     // when the call began that has waited longest; the zero time if there is none
	waited  time.Duration // used since that was seen
	most    time.Duration // that may be used until it is answered
	unasked time.Duration // used without a call
}

// look notes what a process has used, and reports whether that is too much for
// what it answers: it burns the processor. A strict look is less patient.
func (p *pace) look(now time.Time, used time.Duration, load client.Load, perCall time.Duration, strict bool) (burns bool) {
	since, busy := used-p.used, !p.looked.IsZero() && used-p.used >= now.Sub(p.looked)/4
	p.used, p.looked = used, now
	unasked := mostUnasked
	if strict {
		unasked /= strictness
	}
	switch {
	case load.Calls == 0 && busy:
		p.oldest, p.unasked = time.Time{}, p.unasked+since
		return p.unasked >= unasked
	case load.Since.Equal(p.oldest) && load.Calls > 0:
		p.waited += since
		return p.waited >= p.most
	}
	// What came later than the one that waits is no excuse for it.
	p.oldest, p.waited, p.unasked = load.Since, 0, 0
	if strict {
		perCall /= strictness
	}
	p.most = perCall*time.Duration(load.Calls) + mostPerMiB*time.Duration(load.Bytes>>10)>>10
	return false
}

// errBurns is a process that uses the processor for nothing.
var errBurns = errors.New("it uses the processor without answering")

// keepPace looks after a process that burns the processor, so that nobody else
// is slowed by it: it is held back from then on, and replaced. Other requests
// than the one that it burns for find another process. One that does it again
// within a minute is let off when that request is answered, or replaced after a
// while: a process for each would cost more than it is worth.
func (s *supervisor) keepPace(ctx context.Context, p **process) {
	now, load := s.now(), (*p).client.Load()
	if (*p).leashed() {
		switch {
		case !(*p).pace.oldest.IsZero() && !load.Since.Equal((*p).pace.oldest):
			s.letOff(*p)
		case now.Sub(s.burnt) >= leashedFor:
			s.replaceBurnt(ctx, p)
		}
		return
	}
	again := s.strict(now)
	used, ok := processorTime((*p).client.PID())
	if !ok || !(*p).pace.look(now, used, load, (*p).spec.processor(), again) {
		return
	}
	s.burnt = now
	s.log.Warn("the plugin uses the processor without answering: it is held back", "pid", (*p).client.PID(), "again", again)
	s.leash(*p)
	s.set(Degraded, errBurns)
	if !again {
		s.replaceBurnt(ctx, p)
	}
}

// replaceBurnt puts a process in the place of one that is held back. A guest
// goes by itself.
func (s *supervisor) replaceBurnt(ctx context.Context, p **process) {
	if s.guest {
		return
	}
	if err := s.put(ctx, p, s.wanted(), "processor"); err != nil {
		s.log.Error("the plugin's successor doesn't start", "err", err)
		s.burnt = s.now() // tried again after a while
	}
}

// strict reports whether the plugin has burnt the processor lately.
func (s *supervisor) strict(now time.Time) bool {
	return !s.burnt.IsZero() && now.Sub(s.burnt) < strictFor
}

// leash holds a process back until it has ended or is let off. Its goroutine
// outlives the process's time in service.
func (s *supervisor) leash(p *process) {
	ctx, cancel := context.WithCancel(context.Background())
	p.unleash = cancel
	s.leftovers.Go(func() {
		defer cancel()
		defer p.client.Resume()
		for p.pauses(ctx, leashStands) {
			p.client.Resume()
			if !p.waits(ctx, leashRuns) {
				return
			}
		}
	})
}

// pauses has a process stand still for a while; false if it is let off.
func (p *process) pauses(ctx context.Context, d time.Duration) bool {
	p.client.Pause()
	return p.waits(ctx, d)
}

// letOff takes a process off the leash.
func (s *supervisor) letOff(p *process) {
	p.unleash()
	p.unleash, p.pace = nil, pace{}
	s.set(Ready, nil)
}

// waits reports whether a process is still there, and on the leash, after a
// while.
func (p *process) waits(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-p.client.Done():
	}
	return false
}

func (p *process) leashed() bool { return p.unleash != nil }

// fitness is the state of a process that takes requests and answers.
func (p *process) fitness() State {
	if p.leashed() {
		return Degraded
	}
	return Ready
}
