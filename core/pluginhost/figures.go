package pluginhost

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// callBuckets are the upper bounds of Calls.Within, in seconds. An adapter that
// takes longer than a sender waits is the one to look at.
var callBuckets = [...]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .4, .8, 2.5, 5}

// Calls counts the calls of a plugin since the host began.
type Calls struct {
	// Outcomes counts them by "answered", by the code of the adapter's failure,
	// or by the fault of the plugin, in lower case.
	Outcomes map[string]uint64
	// Within counts those that took no longer than so many seconds, each bound
	// with those below.
	Within map[float64]uint64
	Count  uint64
	Sum    time.Duration
}

// figures count the calls of one plugin.
type figures struct {
	mu       sync.Mutex
	outcomes map[string]uint64
	buckets  [len(callBuckets)]uint64
	count    uint64
	sum      time.Duration
}

// outcomeAnswered is what becomes of most calls.
const outcomeAnswered = "answered"

func outcomeOf(err error) string {
	if err == nil {
		return outcomeAnswered
	}
	if failure, ok := errors.AsType[*sdk.Failure](err); ok {
		return strings.ToLower(string(failure.Code))
	}
	if fault, ok := errors.AsType[*core.AdaptError](err); ok {
		return string(fault.Fault)
	}
	return string(core.AdapterBroken)
}

// add counts a call. What the outcome is called must be one of few words: a
// failure's code has been checked.
func (f *figures) add(err error, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.outcomes == nil {
		f.outcomes = map[string]uint64{}
	}
	f.outcomes[outcomeOf(err)]++
	f.count++
	f.sum += took
	if at, _ := slices.BinarySearch(callBuckets[:], took.Seconds()); at < len(f.buckets) {
		f.buckets[at]++
	}
}

func (f *figures) calls() Calls {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Calls{Outcomes: maps.Clone(f.outcomes), Within: map[float64]uint64{}, Count: f.count, Sum: f.sum}
	below := uint64(0)
	for i, bound := range callBuckets {
		below += f.buckets[i]
		c.Within[bound] = below
	}
	return c
}
