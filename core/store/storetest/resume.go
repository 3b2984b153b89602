package storetest

import (
	"testing"

	"bellcrank.example/core"
)

func heldUntilResumed(t *testing.T, f *fixture) {
	f.run()
	const many = 1100 // more than one step resumes
	var held []*core.Request
	for range many {
		r := f.request()
		r.State = core.RequestHeld
		held = append(held, r)
	}
	for _, r := range held {
		if receipt := f.commit(&core.Submission{Insert: true, Change: core.Change{Request: r}}); receipt.State != core.RequestHeld {
			t.Fatalf("receipt %+v, want it held", receipt)
		}
	}
	owed := func() int {
		t.Helper()
		list, err := f.Owed(t.Context(), nil, f.clock(), 0, 2*many)
		f.must(err)
		return len(list)
	}
	if n, err := f.Resume(t.Context(), "custom/other"); n != 0 || err != nil || owed() != 0 {
		t.Errorf("resumed %d of another integration (%v), and %d are owed", n, err, owed())
	}
	total := 0
	for {
		n, err := f.Resume(t.Context(), integration)
		f.must(err)
		if total += n; n == 0 {
			break
		}
	}
	if total != many || owed() != many {
		t.Errorf("resumed %d and %d are owed, want %d", total, owed(), many)
	}
	if r, err := f.Request(t.Context(), held[0].ID); err != nil || r.State != core.RequestOpen {
		t.Errorf("request is %s (%v), want open", r.State, err)
	}
}
