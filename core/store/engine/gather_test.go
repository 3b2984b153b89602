package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"bellcrank.example/core"
)

func TestBatchWaitsForCompanyItCanExpect(t *testing.T) {
	const took = 2 * time.Millisecond
	for name, tt := range map[string]struct {
		before  size
		waiting int
		later   []time.Duration // when others come
		want    time.Duration
	}{
		"not after a lonely one":         {before: size{items: 1, submissions: 1, took: took}, waiting: 1},
		"not after many outcomes":        {before: size{items: 50, submissions: 1, took: took}, waiting: 1},
		"not when nothing waits":         {before: size{items: 8, submissions: 8, took: took}},
		"not when as many are there":     {before: size{items: 8, submissions: 8, took: took}, waiting: 8},
		"until as many are there":        {before: size{items: 3, submissions: 3, took: took}, waiting: 1, later: []time.Duration{100 * time.Microsecond, 300 * time.Microsecond}, want: 300 * time.Microsecond},
		"half as long as the one before": {before: size{items: 8, submissions: 8, took: took}, waiting: 1, later: []time.Duration{100 * time.Microsecond}, want: took / 2},
		"no longer than the bound":       {before: size{items: 8, submissions: 8, took: time.Second}, waiting: 1, want: maxGather},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &Engine{queue: newQueue(0), before: tt.before}
				add := func() {
					it := newItem()
					it.submission = &core.Submission{}
					if err := e.queue.add(it); err != nil {
						t.Error(err)
					}
				}
				for range tt.waiting {
					add()
				}
				for _, after := range tt.later {
					time.AfterFunc(after, add)
				}
				began := time.Now()
				e.gather()
				if waited := time.Since(began); waited != tt.want {
					t.Errorf("waited %v, want %v", waited, tt.want)
				}
			})
		})
	}
}
