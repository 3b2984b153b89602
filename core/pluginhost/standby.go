package pluginhost

import (
	"context"
	"reflect"
	"time"
)

// standBy keeps a process started and checked beside the one that serves, for
// as long as the plugin's spec asks for that. It takes the place of one that
// ends without anybody waiting for a start.
func (s *supervisor) standBy(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		spec, wanted := s.wantsSpare()
		if !wanted {
			s.restSpare(ctx, nil)
			continue
		}
		p, err := s.start(ctx, spec, func(State, error) {})
		if err == nil {
			began := s.now()
			if s.offer(ctx, p) {
				failures = 0
				continue
			}
			if s.now().Sub(began) > s.timing.LastDelay {
				failures = 0
			}
		} else if ctx.Err() == nil {
			s.log.Warn("no process of the plugin stands by: it doesn't start", "err", err)
		}
		failures++
		s.restSpare(ctx, time.After(s.delay(failures)))
	}
}

// wantsSpare reports whether a process should stand by, and of which spec. None
// does while none serves: the other start comes first.
func (s *supervisor) wantsSpare() (Spec, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spec, s.spec.Standby && s.live.Load() != nil
}

// restSpare waits for a time, or until there is another need.
func (s *supervisor) restSpare(ctx context.Context, over <-chan time.Time) {
	select {
	case <-over:
	case <-s.needs:
	case <-ctx.Done():
	}
}

// offer holds a process ready until it is taken or isn't wanted any more. It
// returns false if the process came to nothing.
func (s *supervisor) offer(ctx context.Context, p *process) bool {
	s.spare.Store(p)
	s.setSpare(p.client.PID())
	defer s.setSpare(0)
	health := time.NewTicker(s.timing.Health)
	defer health.Stop()
	misses := 0
	for {
		select {
		case <-s.needs:
			if s.spare.Load() != p {
				return true
			}
			if spec, wanted := s.wantsSpare(); wanted && reflect.DeepEqual(spec, p.spec) {
				continue
			}
			s.dropSpare(p)
			return true
		case <-p.client.Done():
			return !s.spare.CompareAndSwap(p, nil)
		case <-health.C:
			if misses++; s.ask(ctx, p) == nil {
				misses = 0
			}
			if misses < s.timing.missesToHangs && p.trouble() == nil {
				continue
			}
			if !s.spare.CompareAndSwap(p, nil) {
				return true
			}
			s.log.Warn("the process that stands by hangs or is too large, and is replaced", "pid", p.client.PID())
			s.abort(p)
			return false
		case <-ctx.Done():
			s.dropSpare(p)
			return true
		}
	}
}

// dropSpare ends a process that stands by, unless it was taken.
func (s *supervisor) dropSpare(p *process) {
	if s.spare.CompareAndSwap(p, nil) {
		s.finish(p)
	}
}

// takeSpare returns the process that stands by if it is of this spec; else nil.
func (s *supervisor) takeSpare(spec Spec) *process {
	p := s.spare.Load()
	if p == nil || !reflect.DeepEqual(p.spec, spec) || !s.spare.CompareAndSwap(p, nil) {
		return nil
	}
	s.needsSpare()
	select {
	case <-p.client.Done():
		return nil
	default:
		return p
	}
}

// needsSpare has standBy look whether a process should stand by, and which.
func (s *supervisor) needsSpare() {
	select {
	case s.needs <- struct{}{}:
	default: // somebody has asked already
	}
}

func (s *supervisor) setSpare(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Standby = pid
}
