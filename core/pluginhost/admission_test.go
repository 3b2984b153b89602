package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// admit has a call wait in line and notes its turn.
func admit(t *testing.T, a *admission, integration string, turns chan<- string) {
	t.Helper()
	go func() {
		turn := integration
		if err := a.acquire(t.Context(), integration); err != nil {
			turn += ": " + err.Error()
		}
		turns <- turn
	}()
	synctest.Wait() // it is in line
}

func wantLen(t *testing.T, a *admission, inFlight, waiting int) {
	t.Helper()
	if f, w := a.len(); f != inFlight || w != waiting {
		t.Errorf("%d in flight and %d waiting, want %d and %d", f, w, inFlight, waiting)
	}
}

func TestIntegrationsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(1, 100)
		if err := a.acquire(t.Context(), "first"); err != nil {
			t.Fatal(err)
		}
		turns := make(chan string, 10)
		for _, integration := range []string{"noisy", "noisy", "noisy", "noisy", "quiet", "calm"} {
			admit(t, a, integration, turns)
		}
		wantLen(t, a, 1, 6)
		var got []string
		for range 6 {
			a.release()
			got = append(got, <-turns)
		}
		want := []string{"noisy", "quiet", "calm", "noisy", "noisy", "noisy"}
		if !slices.Equal(got, want) {
			t.Errorf("turns = %v, want %v", got, want)
		}
		a.release()
		wantLen(t, a, 0, 0)
	})
}

func TestAFullQueueMakesRoomAtTheCostOfTheLongestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(1, 3)
		if err := a.acquire(t.Context(), "noisy"); err != nil {
			t.Fatal(err)
		}
		turns := make(chan string, 10)
		for range 3 {
			admit(t, a, "noisy", turns)
		}
		if err := a.acquire(t.Context(), "noisy"); !errors.Is(err, errFull) {
			t.Errorf("noisy's fifth call: %v, want %v", err, errFull)
		}
		admit(t, a, "quiet", turns)
		if got, want := <-turns, "noisy: "+errFull.Error(); got != want {
			t.Errorf("sent away: %q, want %q", got, want)
		}
		wantLen(t, a, 1, 3)
		var got []string
		for range 3 {
			a.release()
			got = append(got, <-turns)
		}
		if want := []string{"noisy", "quiet", "noisy"}; !slices.Equal(got, want) {
			t.Errorf("turns = %v, want %v", got, want)
		}
	})
}

func TestACallThatGivesUpLeavesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(1, 2)
		if err := a.acquire(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.acquire(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("acquire = %v, want the deadline's error", err)
		}
		wantLen(t, a, 1, 0)
		a.release()
		wantLen(t, a, 0, 0)
	})
}

// TestPlacesAreNeverLostNorInvented has many calls come, go and give up.
func TestPlacesAreNeverLostNorInvented(t *testing.T) {
	const places = 3
	a := newAdmission(places, 8)
	var (
		calls sync.WaitGroup
		in    atomic.Int64
	)
	for i := range 64 {
		calls.Go(func() {
			for round := range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i+round)%7)*20*time.Microsecond)
				err := a.acquire(ctx, fmt.Sprint(i%5))
				cancel()
				if err != nil {
					continue
				}
				if n := in.Add(1); n > places {
					t.Errorf("%d calls at once, want %d at most", n, places)
				}
				runtime.Gosched()
				in.Add(-1)
				a.release()
			}
		})
	}
	calls.Wait()
	wantLen(t, a, 0, 0)
	if a.free != places || len(a.lines) != 0 || len(a.turns) != 0 {
		t.Errorf("free %d, lines %v, turns %v; want %d places and nobody in line", a.free, a.lines, a.turns, places)
	}
}
