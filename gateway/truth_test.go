package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// said is something that a monitor says of a problem.
type said struct {
	problem  string
	status   string
	severity string
	minute   int // of the history
}

func (e said) body(began time.Time) string {
	severity := ""
	if e.severity != "" {
		severity = fmt.Sprintf(`"severity":%q,`, e.severity)
	}
	return fmt.Sprintf(`{"title":"%s is on",%s"dedup_key":%q,"status":%q,"occurred_at":%q}`,
		e.problem, severity, e.problem, e.status, began.Add(time.Duration(e.minute)*time.Minute).Format(time.RFC3339))
}

// history has every turn that a problem can take: one that ends, one that
// lasts, one that comes back, one that gets worse, one that ends twice.
var history = []said{
	{"ended", "firing", "High", 0}, {"ended", "firing", "High", 2}, {"ended", "resolved", "", 5},
	{"lasting", "firing", "Low", 1}, {"lasting", "firing", "Low", 6},
	{"back", "firing", "High", 0}, {"back", "resolved", "", 3}, {"back", "firing", "High", 8},
	{"worse", "firing", "Low", 2}, {"worse", "firing", "Critical", 4},
	{"twice", "firing", "Medium", 1}, {"twice", "resolved", "", 3}, {"twice", "firing", "Medium", 4}, {"twice", "resolved", "", 9},
}

func TestWhateverOrderItIsToldInTheEndIsTheSame(t *testing.T) {
	const orders = 12
	var blocks strings.Builder
	for i := range orders {
		blocks.WriteString(mapped(fmt.Sprintf("order%d", i), "  event_time = \"observed\"\n"))
	}
	s := newStackWith(t, blocks.String())
	began := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range orders {
		told := slices.Clone(history)
		for range i { // the first is told as it was; the others stutter, and mix things up
			told = append(told, told[random.IntN(len(told))])
		}
		if i > 0 {
			random.Shuffle(len(told), func(a, b int) { told[a], told[b] = told[b], told[a] })
		}
		for _, e := range told {
			s.postMapped(fmt.Sprintf("order%d", i), e.body(began))
		}
	}
	s.settled(60 * time.Second)
	last := map[string]map[string]string{} // by integration and problem, as the newest incident has it
	for _, in := range all[incident](s, "incidents") {
		if last[in.Integration] == nil {
			last[in.Integration] = map[string]string{}
		}
		last[in.Integration][strings.TrimPrefix(in.DedupKey, "key:")] = in.Status + " " + in.Title
	}
	want := map[string]string{
		"ended": "resolved ended is on", "lasting": "investigating lasting is on", "back": "investigating back is on",
		"worse": "investigating worse is on", "twice": "resolved twice is on",
	}
	for i := range orders {
		if got := last[fmt.Sprintf("custom/order%d", i)]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("order %d ended in %v, want %v", i, got, want)
		}
	}
}

func TestTenThousandRepeatsAreOneIncidentAndOneMessage(t *testing.T) {
	s := newStack(t)
	for request := range 100 {
		var batch []string
		for i := range 100 {
			batch = append(batch, fmt.Sprintf(`{"title":"Disk is full","severity":"High","dedup_key":"disk","status":"firing","n":%d}`, request*100+i))
		}
		s.mustPost("custom", "["+strings.Join(batch, ",")+"]")
	}
	s.settled(60 * time.Second)
	incidents := all[incident](s, "incidents")
	if len(incidents) != 1 || incidents[0].Count != 10_000 || incidents[0].Version != 1 {
		t.Errorf("incidents %+v, want one with count 10000 in its first version", incidents)
	}
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	if len(s.sink.messages) != 1 {
		t.Errorf("%d messages, want one", len(s.sink.messages))
	}
}
