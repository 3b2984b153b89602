package dispatch

import "sync"

// reserved is how many sockets each destination has for itself, so that a
// storm at others doesn't silence it.
const reserved = 2

// sockets bounds the attempts under way over all destinations.
type sockets struct {
	total int

	mu     sync.Mutex
	shared int // beyond what is reserved; guarded by mu
	used   int // guarded by mu
}

func newSockets(total int) *sockets { return &sockets{total: total, shared: total} }

// reserve keeps the sockets of that many destinations back.
func (s *sockets) reserve(destinations int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = max(0, s.total-reserved*destinations)
}

// take reports whether a destination with that many attempts under way may
// begin another.
func (s *sockets) take(underWay int) bool {
	if underWay < reserved {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.shared {
		return false
	}
	s.used++
	return true
}

// give takes an attempt's socket back: the last of that many.
func (s *sockets) give(underWay int) {
	if underWay <= reserved {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
}
