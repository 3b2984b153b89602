package engine

import (
	"context"
	"encoding/json"
	"time"

	"bellcrank.example/core"
)

// SetShape stores the shape of an integration's requests.
func (e *Engine) SetShape(ctx context.Context, s core.Shape) error {
	return e.store1(ctx, func(ctx context.Context, tx Tx, _ time.Time) error { return tx.SetShape(ctx, s) })
}

// shape is what is stored of a core.Shape besides whose it is. Times are
// microseconds, 0 for none.
type shape struct {
	Watched string            `json:"watched,omitempty"`
	Since   int64             `json:"since"`
	Seen    int               `json:"seen"`
	Settled int64             `json:"settled,omitempty"`
	Changed int64             `json:"changed,omitempty"`
	Paths   map[string][3]int `json:"paths"` // usual, missed, extra
}

// EncodeShape returns a shape as it is stored.
func EncodeShape(s core.Shape) (string, error) {
	stored := shape{
		Watched: s.Watched, Since: Micros(s.Since), Seen: s.Seen, Settled: Micros(s.SettledAt), Changed: Micros(s.ChangedAt),
		Paths: make(map[string][3]int, len(s.Paths)),
	}
	for path, p := range s.Paths {
		stored.Paths[path] = [3]int{p.Usual, p.Missed, p.Extra}
	}
	raw, err := json.Marshal(stored)
	return string(raw), err
}

// DecodeShape sets a shape from what EncodeShape has returned.
func DecodeShape(raw string, s *core.Shape) error {
	var stored shape
	if err := json.Unmarshal([]byte(raw), &stored); err != nil {
		return err
	}
	s.Watched, s.Seen, s.Paths = stored.Watched, stored.Seen, make(map[string]core.PathSeen, len(stored.Paths))
	s.Since, s.SettledAt, s.ChangedAt = Time(stored.Since), Time(stored.Settled), Time(stored.Changed)
	for path, p := range stored.Paths {
		s.Paths[path] = core.PathSeen{Usual: p[0], Missed: p[1], Extra: p[2]}
	}
	return nil
}
