package sdktest

import (
	"bytes"
	"context"
	"sync"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

// repeats is how often a request is sent at the same time as the others, so
// that they meet on a stream, or in a batch.
const repeats = 8

// checkWays has requests reach a process in each way that it offers, many at a
// time: each must have the answer that it has by itself. One that can't be read
// is among them, and must cost the others nothing.
func checkWays(ctx context.Context, t runner, a *process, p Process, dir string, cases []testCase) {
	requests := append(allRequests(a, cases), newRequest("", []byte("\xff{")))
	wanted := make([][]byte, len(requests))
	for i, r := range requests {
		answer, err := adapt(a, r)
		if err != nil {
			return // other checks say so
		}
		wanted[i] = answer
	}
	for _, way := range a.Ways() {
		t.run(string(way), func(t runner) { checkWay(ctx, t, p, dir, way, requests, wanted) })
	}
}

func checkWay(ctx context.Context, t runner, p Process, dir string, way client.Way, requests []sdk.Request, wanted [][]byte) {
	running, err := p.start(ctx, dir, way)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer running.Kill()
	a := &process{Client: running, configured: map[string]string{}}
	var calls sync.WaitGroup
	for range repeats {
		for i, r := range requests {
			calls.Go(func() {
				answer, err := adapt(a, r)
				switch {
				case err != nil:
					t.Errorf("%v\nbody: %q", err, r.Body[:min(len(r.Body), 2000)])
				case !bytes.Equal(answer, wanted[i]):
					t.Errorf("among others the answer is another one:\n%s", difference(wanted[i], answer))
				}
			})
		}
	}
	calls.Wait()
}
