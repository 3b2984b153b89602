// Package sdktest is the conformance kit: what every adapter must do, run
// against an adapter value and its recorded cases as a Go test, or against a
// plugin executable in any language, which is what `bellcrank plugin test` does.
//
// A case is a folder below testdata: request.json is what a vendor sent,
// want.json what the adapter must make of it. `go test -update` writes
// want.json anew; look at the difference before you accept it. Cases whose
// names end in "_firing" and "_resolved" and begin alike are a pair: the
// resolve must name the incident that the trigger opened.
package sdktest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"bellcrank.example/sdk"
)

var update = flag.Bool("update", false, "write what the adapter answers into want.json")

// testdata is where a Go test's cases are.
const testdata = "testdata"

// Run holds the adapter to the contract, with the cases in testdata.
func Run(t *testing.T, a sdk.Adapter) {
	t.Helper()
	r := inTest{t}
	everyCheck(r, a, loadCases(r, testdata), *update)
}

// everyCheck is the kit, wherever it runs. Without cases it has less to hold
// the adapter to.
func everyCheck(t runner, a sdk.Adapter, cases []testCase, update bool) {
	t.run("description", func(t runner) { checkDescription(t, a) })
	if len(cases) > 0 {
		t.run("cases", func(t runner) { checkCases(t, a, cases, update) })
		t.run("pairs", func(t runner) { checkPairs(t, a, cases) })
	}
	t.run("samples", func(t runner) { checkSamples(t, a) })
	t.run("hostile bodies", func(t runner) { checkHostile(t, a, cases) })
	t.run("damage", func(t runner) { checkEach(t, a, cases, harmless) })
	t.run("batches", func(t runner) { checkEach(t, a, cases, survives) })
	t.run("cancellation", func(t runner) { checkCancellation(t, a) })
	t.run("many at once", func(t runner) { checkConcurrent(t, a, cases) })
}

// Fuzz feeds mutated bodies of the samples and cases: no panic, no empty
// success, and the same answer twice.
func Fuzz(f *testing.F, a sdk.Adapter) {
	f.Helper()
	requests := allRequests(a, loadCases(inTest{f}, testdata))
	for i, r := range requests {
		f.Add(i, r.Body)
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		r := requests[(i%len(requests)+len(requests))%len(requests)]
		r.Body = body
		checkAnswer(inTest{t}, a, r)
	})
}

func allRequests(a sdk.Adapter, cases []testCase) []sdk.Request {
	requests := sampleRequests(a.Describe())
	for _, c := range cases {
		requests = append(requests, c.request)
	}
	return requests
}

func checkDescription(t runner, a sdk.Adapter) {
	for _, complaint := range complaints(a) {
		t.Errorf("%s", complaint)
	}
}

func checkCases(t runner, a sdk.Adapter, cases []testCase, update bool) {
	for _, c := range cases {
		t.run(c.name, func(t runner) {
			checkAnswer(t, a, c.request)
			got := encode(t, answer(t, a, c.request))
			file := filepath.Join(c.folder, "want.json")
			if update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatalf("%v", err)
				}
				return
			}
			wanted, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v (run with -update to write it)", err)
			}
			if !bytes.Equal(normal(t, got), normal(t, wanted)) {
				t.Errorf("%s", difference(wanted, got))
			}
		})
	}
}

// checkPairs holds the resolve of a pair to the keys of its trigger.
func checkPairs(t runner, a sdk.Adapter, cases []testCase) {
	byName := map[string]testCase{}
	for _, c := range cases {
		byName[c.name] = c
	}
	pairs := 0
	for _, c := range cases {
		stem, ok := strings.CutSuffix(c.name, "_resolved")
		firing, there := byName[stem+"_firing"]
		if !ok || !there {
			continue
		}
		pairs++
		opened := keys(answer(t, a, firing.request), sdk.Trigger)
		closed := keys(answer(t, a, c.request), sdk.Resolve)
		if len(closed) == 0 {
			t.Errorf("%s resolves nothing", c.name)
		}
		for _, key := range closed {
			if key == "" || !slices.Contains(opened, key) {
				t.Errorf("%s resolves %q, but %s_firing opened %q", c.name, key, stem, opened)
			}
		}
	}
	if pairs == 0 {
		t.Errorf("no pair of cases <name>_firing and <name>_resolved")
	}
}

func keys(w want, action sdk.Action) []string {
	var keys []string
	for _, e := range w.Events {
		if e.Action == action {
			keys = append(keys, e.DedupKey)
		}
	}
	return keys
}

// checkSamples holds the samples to what the Test button needs: an event.
func checkSamples(t runner, a sdk.Adapter) {
	info := a.Describe()
	for i, r := range sampleRequests(info) {
		if w := answer(t, a, r); w.Failure != nil || len(w.Events) == 0 || len(w.Rejected) > 0 {
			t.Errorf("sample %q gives %s, want events", info.Samples[i].Name, encode(t, w))
		}
	}
}

// checkHostile sends what no vendor should send. Cases are many and alike, so
// their members are replaced less often than those of the samples.
func checkHostile(t runner, a sdk.Adapter, cases []testCase) {
	samples := sampleRequests(a.Describe())
	for i, r := range allRequests(a, cases) {
		values := 4
		if i < len(samples) {
			values = len(instead())
		}
		for _, body := range hostile(r.Body, values) {
			r.Body = body
			checkAnswer(t, a, r)
		}
	}
}

// checkEach holds every sample and case to a promise.
func checkEach(t runner, a sdk.Adapter, cases []testCase, promise func(sdk.Adapter, sdk.Request) error) {
	info := a.Describe()
	for i, r := range sampleRequests(info) {
		if err := promise(a, r); err != nil {
			t.Errorf("sample %q: %v", info.Samples[i].Name, err)
		}
	}
	for _, c := range cases {
		if err := promise(a, c.request); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// checkCancellation has the caller go away before an answer, with batches so
// long that going on would be noticed.
func checkCancellation(t runner, a sdk.Adapter) {
	for _, r := range sampleRequests(a.Describe()) {
		r.Body = grown(r.Body)
		if err := givesUp(a, r); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// checkConcurrent calls the adapter from many goroutines, for the race
// detector to watch.
func checkConcurrent(t runner, a sdk.Adapter, cases []testCase) {
	var calls sync.WaitGroup
	for range 64 {
		calls.Go(func() {
			for _, c := range cases {
				if _, err := adapt(a, c.request); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
		})
	}
	calls.Wait()
}
