package pluginhost

import (
	"context"
	"math/rand/v2"
	"time"
)

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
