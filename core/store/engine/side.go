package engine

import (
	"sync"

	"bellcrank.example/core"
)

// The bounds of what waits without being promised.
const (
	maxRefusals = 256
	maxRepeats  = 4096
	maxCounts   = 4096
)

// side gathers what is worth storing but not worth a sync of its own: it goes
// along with a batch about once a second, and a crash may lose it.
type side struct {
	mu       sync.Mutex
	refusals []core.Refusal
	repeats  map[core.ID]int
	counts   counts
}

// repeat counts a delivery that was sent again.
func (s *side) repeat(id core.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repeats == nil {
		s.repeats = map[core.ID]int{}
	}
	if len(s.repeats) < maxRepeats {
		s.repeats[id]++
	}
}

// refuse counts a refusal, and keeps it if there is room and time.
func (s *side) refuse(r core.Refusal, keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if keep && len(s.refusals) < maxRefusals {
		s.refusals = append(s.refusals, r)
	}
	if r.Integration != "" && len(s.counts) < maxCounts {
		s.counts.add(r.Tenant, r.Integration, r.At, false)
	}
}

func (s *side) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.refusals)+len(s.repeats)+len(s.counts) > 0
}

// gathered is what a batch takes along.
type gathered struct {
	refusals []core.Refusal
	repeats  map[core.ID]int
	counts   counts
}

func (s *side) take() gathered {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := gathered{s.refusals, s.repeats, s.counts}
	s.refusals, s.repeats, s.counts = nil, nil, nil
	return g
}
