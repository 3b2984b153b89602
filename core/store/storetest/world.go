package storetest

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
	"bellcrank.example/sdk"
)

// stored is a World that is a whole store.
type stored struct {
	*fixture
	said    map[core.ID]bool
	numbers map[string][]int64 // of each key's incidents
	told    map[core.ID]bool
}

func followsTheModel(t *testing.T, f *fixture) {
	Sequences(t, 40)
	f.run()
	rapid.Check(t, func(t *rapid.T) {
		Lifecycle(t, &stored{fixture: f, said: map[core.ID]bool{}, numbers: map[string][]int64{}, told: map[core.ID]bool{}})
	})
}

// Draw returns a new id.
func (s *stored) Draw() core.ID { return s.NewID() }

// Now returns the store's time.
func (s *stored) Now() time.Time { return s.clock() }

// Advance lets time pass.
func (s *stored) Advance(d time.Duration) { s.advance(d) }

// Restart closes the store and opens it again.
func (s *stored) Restart() { s.restart() }

// Say stores a request. One that was said is stored already.
func (s *stored) Say(id core.ID, observed bool, events []sdk.Event) {
	s.t.Helper()
	if s.said[id] {
		return
	}
	s.said[id] = true
	r := s.request()
	r.ID = id
	submission := insert(r, events...)
	submission.Change.Observed = observed
	for _, in := range s.commit(submission).Incidents {
		key := events[0].DedupKey
		if !slices.Contains(s.numbers[key], in.Number) {
			s.numbers[key] = append(s.numbers[key], in.Number)
		}
	}
}

// Do has a person act on the key's newest incident.
func (s *stored) Do(key string, a core.Act) error {
	numbers := s.numbers[key]
	_, err := s.Act(s.t.Context(), numbers[len(numbers)-1], a)
	return err
}

// All returns the incidents of a key, oldest first.
func (s *stored) All(key string) (all []*core.Incident) {
	s.t.Helper()
	for _, n := range s.numbers[key] {
		all = append(all, s.incident(n).Incident)
	}
	return all
}

// Told returns what was owed since it was last asked.
func (s *stored) Told(key string) (kinds []core.Kind) {
	s.t.Helper()
	for _, n := range s.numbers[key] {
		for _, d := range s.incident(n).Deliveries {
			if !s.told[d.ID] {
				s.told[d.ID] = true
				kinds = append(kinds, d.Kind)
			}
		}
	}
	return kinds
}

func gateOf(slots []core.SlotRef) engine.Gate { return engine.Gate{Slots: slots} }
