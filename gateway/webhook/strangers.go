package webhook

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Misses is how often one address may come with a bad key or signature before
// it is answered with 429. Valid keys never meet it.
type Misses struct {
	PerSecond float64 // 1 if zero
	Burst     int     // 30 if zero
	Addresses int     // remembered at a time; 65,536 if zero
}

// strangers remembers who has come with bad keys. IPv6 addresses count by
// their /64, which is what one customer has.
type strangers struct {
	cfg Misses

	mu     sync.Mutex
	known  map[netip.Prefix]*rate.Limiter // guarded by mu
	others *rate.Limiter                  // shared by those who found no place
}

func newStrangers(cfg Misses) *strangers {
	if cfg.PerSecond == 0 {
		cfg.PerSecond = 1
	}
	if cfg.Burst == 0 {
		cfg.Burst = 30
	}
	if cfg.Addresses == 0 {
		cfg.Addresses = 65536
	}
	s := &strangers{cfg: cfg, known: map[netip.Prefix]*rate.Limiter{}}
	s.others = s.limiter()
	return s
}

func (s *strangers) limiter() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(s.cfg.PerSecond), s.cfg.Burst)
}

// allow takes one miss from the address's allowance.
func (s *strangers) allow(addr netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(addr, now).AllowN(now, 1)
}

func (s *strangers) of(addr netip.Addr, now time.Time) *rate.Limiter {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	who, err := addr.Prefix(bits)
	if err != nil {
		return s.others
	}
	if l, ok := s.known[who]; ok {
		return l
	}
	if len(s.known) >= s.cfg.Addresses && !s.forget(now) {
		return s.others
	}
	l := s.limiter()
	s.known[who] = l
	return l
}

// forget makes room by dropping, of a few, those whose allowance is whole
// again: they are as good as new.
func (s *strangers) forget(now time.Time) bool {
	looked := 0
	for who, l := range s.known {
		if l.TokensAt(now) >= float64(s.cfg.Burst) {
			delete(s.known, who)
			return true
		}
		if looked++; looked == 64 {
			break
		}
	}
	return false
}
