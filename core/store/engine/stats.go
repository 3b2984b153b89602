package engine

import (
	"sync"
	"time"
)

// Stats is how the writer is doing.
type Stats struct {
	Waiting        int           // items in the queue now
	Commits        int64         // transactions since the start
	Items          int64         // stored with them
	Failures       int64         // transactions that were rolled back
	CommitTime     time.Duration // in transactions since the start
	LastBatch      int           // items of the newest transaction
	LastCommit     time.Duration // of the newest transaction, from begin to the end of its sync
	Waits          int64         // callers that got an answer
	WaitTime       time.Duration // of these together
	Checkpoints    int64
	CheckpointTime time.Duration
}

// stats gathers Stats.
type stats struct {
	mu sync.Mutex
	Stats
}

// Stats returns how the writer is doing.
func (e *Engine) Stats() Stats {
	e.stats.mu.Lock()
	defer e.stats.mu.Unlock()
	s := e.stats.Stats
	s.Waiting = e.queue.length()
	return s
}

func (s *stats) committed(c size) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Commits++
	s.Items += int64(c.items)
	s.CommitTime += c.took
	s.LastBatch, s.LastCommit = c.items, c.took
}

func (s *stats) failed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Failures++
}

func (s *stats) waited(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Waits++
	s.WaitTime += d
}

func (s *stats) checkpointed(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Checkpoints++
	s.CheckpointTime += d
}
