//go:build isolation

package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestIsolationFigures prints how long a good plugin's senders wait while
// another plugin misbehaves, beside the same figure while none does. Quiet and
// evil take turns, so that both meet the same machine. It asserts nothing but
// answers: the figures are for people, on a machine that does nothing else.
func TestIsolationFigures(t *testing.T) {
	evils := []evil{{name: "spin"}, {name: "sleep"}, {name: "leak"}, {name: "flood"}, {name: "killed"}}
	s := newChaosStack(t, evils)
	s.eventually("every plugin serves", 60*time.Second, func() bool { return len(s.plugins()) == 2 })
	s.measure(time.Second) // warm
	fmt.Println("beside    p50 quiet  p50 beside  p99 quiet  p99 beside  ratio of p99")
	for _, e := range evils {
		var quiet, beside []time.Duration
		for range 3 {
			quiet = append(quiet, s.measure(2*time.Second)...)
			stop := s.misbehave(e.name)
			beside = append(beside, s.measure(2*time.Second)...)
			stop()
			time.Sleep(time.Second) // a plugin that hung is replaced
		}
		slices.Sort(quiet)
		slices.Sort(beside)
		at := func(d []time.Duration, percent int) time.Duration {
			return d[len(d)*percent/100].Round(10 * time.Microsecond)
		}
		fmt.Printf("%-8s %10v  %10v %10v  %10v  %12.2f\n", e.name, at(quiet, 50), at(beside, 50), at(quiet, 99), at(beside, 99),
			float64(at(beside, 99))/float64(at(quiet, 99)))
	}
}

// misbehave keeps a plugin at its evil.
func (s *stack) misbehave(name string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for ctx.Err() == nil {
			if name == "killed" {
				if pid := s.pidOf("bad-" + name); pid != 0 {
					_ = syscall.Kill(pid, syscall.SIGKILL) // it may have gone
				}
			} else {
				s.send(chaosKey(name), map[string]any{"do": name, "title": "evil", "key": name})
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	return func() { cancel(); work.Wait() }
}

// pidOf is the process of a plugin, 0 while there is none.
func (s *stack) pidOf(name string) int {
	var answer struct {
		Plugins []struct {
			Name string `json:"name"`
			PID  int    `json:"pid"`
		}
	}
	s.get("/v1/plugins", &answer)
	for _, p := range answer.Plugins {
		if p.Name == name {
			return p.PID
		}
	}
	return 0
}

// measure sends to the neighbour at a steady pace, and returns how long the
// answers took.
func (s *stack) measure(d time.Duration) (took []time.Duration) {
	end := time.Now().Add(d)
	for n := 0; time.Now().Before(end); n++ {
		body := fmt.Sprintf(`{"title":"neighbour","dedup_key":"n-%d"}`, n%10)
		began := time.Now()
		response, err := client.Post("http://"+s.ingest+"/webhooks/"+chaosKey("neighbour"), "application/json", strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		response.Body.Close()
		took = append(took, time.Since(began))
		if response.StatusCode != http.StatusOK {
			s.t.Errorf("the neighbour is answered %d", response.StatusCode)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return took
}
