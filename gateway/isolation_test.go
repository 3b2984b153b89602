//go:build isolation

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// isolationPairs is how many rounds of each kind take turns for one evil;
	// isolationRound is how long one of them measures.
	isolationPairs = 16
	isolationRound = 2 * time.Second
	// isolationSenders send to the neighbour, each once in isolationPace.
	isolationSenders = 2
	isolationPace    = 10 * time.Millisecond
	// evilPace is between two requests for the plugin that misbehaves.
	evilPace = 200 * time.Millisecond
)

// isolationEvils are what a plugin does beside its neighbour. The first does
// nothing wrong: what it costs is what any other traffic costs, and what it
// differs from 1 the noise of the measure.
var isolationEvils = []evil{
	{name: "behaves"}, {name: "spin", do: "spin"}, {name: "sleep", do: "sleep"}, {name: "leak", do: "leak"},
	{name: "flood", do: "flood"}, {name: "killed"},
}

// TestIsolationFigures prints how long a good plugin's senders wait while
// another plugin misbehaves, beside the same figure while none does. Many short
// rounds, quiet and evil by turns, meet the same machine; each pair gives a
// ratio of its own, so that an hour's noise shows as a wide spread instead of as
// a wrong figure. It asserts nothing but answers: the figures are for people, on
// a machine that does nothing else. BELLCRANK_ISOLATION_PAIRS is how many pairs.
func TestIsolationFigures(t *testing.T) {
	pairs := isolationPairs
	if n, err := strconv.Atoi(os.Getenv("BELLCRANK_ISOLATION_PAIRS")); err == nil && n > 0 {
		pairs = n
	}
	evils := slices.Clone(isolationEvils)
	for i := range evils {
		evils[i].timeout = "5s" // what calls have where nobody says otherwise
	}
	s := newChaosStack(t, evils)
	s.eventually("every plugin serves", 60*time.Second, func() bool { return s.pidOf("bad-behaves") != 0 && s.pidOf("custom") != 0 })
	s.measure(isolationRound) // warm
	fmt.Printf("%d pairs of rounds of %v each, %d answers in a round\n", pairs, isolationRound, isolationSenders*int(isolationRound/isolationPace))
	fmt.Println("one that     p50 quiet  p50 beside  p99 quiet  p99 beside  ratio of all  median ratio  quartiles of it   gateway's cores")
	for _, e := range evils {
		t.Run(e.name, func(*testing.T) { s.compare(e, pairs) })
	}
}

// compare prints the figures beside one evil.
func (s *chaosStack) compare(e evil, pairs int) {
	var quiet, beside round
	var ratios []float64
	for i := range pairs {
		var q, b round
		if i%2 == 0 { // whichever comes second finds the machine warmer
			q, b = s.measure(isolationRound), s.measureBeside(e)
		} else {
			b, q = s.measureBeside(e), s.measure(isolationRound)
		}
		ratios = append(ratios, float64(percentile(b.took, 99))/float64(percentile(q.took, 99)))
		quiet.add(q)
		beside.add(b)
	}
	slices.Sort(ratios)
	q, b := quiet.took, beside.took
	fmt.Printf("%-10s %11v %11v %10v %11v %13.2f %13.2f  %5.2f to %5.2f  %.2f, %.2f\n", e.name,
		percentile(q, 50), percentile(b, 50), percentile(q, 99), percentile(b, 99),
		float64(percentile(b, 99))/float64(percentile(q, 99)),
		ratios[len(ratios)/2], ratios[len(ratios)/4], ratios[len(ratios)*3/4], quiet.cores(), beside.cores())
}

// round is what some time of sending to the neighbour has shown.
type round struct {
	took  []time.Duration // until each answer
	lasts time.Duration
	used  time.Duration // of processor time, by the gateway alone
}

func (r *round) add(other round) {
	r.took = append(r.took, other.took...)
	r.lasts, r.used = r.lasts+other.lasts, r.used+other.used
}

// cores is how many the gateway kept busy.
func (r *round) cores() float64 { return float64(r.used) / float64(r.lasts) }

// percentile sorts.
func percentile(d []time.Duration, percent int) time.Duration {
	slices.Sort(d)
	return d[len(d)*percent/100].Round(10 * time.Microsecond)
}

// measureBeside measures while a plugin misbehaves, and returns when nothing is
// left of that.
func (s *chaosStack) measureBeside(e evil) round {
	stop := s.misbehave(e)
	time.Sleep(5 * evilPace) // it is at it
	measured := s.measure(isolationRound)
	stop()
	s.eventually("what was sent to "+e.name+" has come to an end", 120*time.Second, func() bool {
		return !slices.Contains(s.stateOf("chaos/"+e.name), "open") && s.pidOf("bad-"+e.name) != 0
	})
	time.Sleep(evilPace)
	return measured
}

// misbehave keeps a plugin at its evil. What it fails at it reads when it is
// asked again, so that quiet comes back soon after.
func (s *stack) misbehave(e evil) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		ticker := time.NewTicker(evilPace)
		defer ticker.Stop()
		for ctx.Err() == nil {
			work.Go(func() {
				s.send(chaosKey(e.name), map[string]any{"do": e.do, "once": true, "title": "evil", "key": e.name})
			})
			if e.name == "killed" {
				if pid := s.pidOf("bad-" + e.name); pid != 0 {
					_ = syscall.Kill(pid, syscall.SIGKILL) // it may have gone
				}
			}
			<-ticker.C
		}
	})
	return func() { cancel(); work.Wait() }
}

// measure sends to the neighbour at a steady pace, and returns how long the
// answers took from when they were due.
func (s *stack) measure(d time.Duration) round {
	var mu sync.Mutex
	var work sync.WaitGroup
	var took []time.Duration
	began, used := time.Now(), processorTime(s.t, s.cmd.Process.Pid)
	for sender := range isolationSenders {
		work.Go(func() {
			offset := isolationPace * time.Duration(sender) / isolationSenders
			for due := began.Add(offset); due.Sub(began) < d; due = due.Add(isolationPace) {
				time.Sleep(time.Until(due))
				s.sendToNeighbour(int(due.Sub(began) / isolationPace))
				answered := time.Since(due)
				mu.Lock()
				took = append(took, answered)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	return round{took: took, lasts: time.Since(began), used: processorTime(s.t, s.cmd.Process.Pid) - used}
}

// processorTime is what a process has used so far, in steps of 10 ms.
func processorTime(t *testing.T, pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks time.Duration
	for _, field := range fields[11:13] { // in user mode and in the kernel
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}

func (s *stack) sendToNeighbour(n int) {
	body := fmt.Sprintf(`{"title":"neighbour","dedup_key":"n-%d"}`, n%10)
	response, err := client.Post("http://"+s.ingest+"/webhooks/"+chaosKey("neighbour"), "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.t.Errorf("the neighbour is answered %d", response.StatusCode)
	}
}
