package app

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/gateway/config"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		os.Exit(victim(dir))
	}
	askOurselves()
	// The HTTP library keeps one clock for ever, and its janitor wakes every ten
	// seconds to see that its server has stopped.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// The benchmarks' loader has janitors of its own.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*Client).mCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*TCPDialer).tcpAddrsClean"))
}

// ended notes the order in which parts end.
type ended struct {
	mu    sync.Mutex
	names []string // guarded by mu
}

// order returns who has ended so far.
func (e *ended) order() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.names)
}

// part ends when it is told to, some time later.
func (e *ended) part(name string, takes time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(takes)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.names = append(e.names, name)
		return nil
	}
}

func TestPartsStopOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ended
		p := newParts(t.Context())
		for name, takes := range map[string]time.Duration{"a": 3 * time.Second, "b": 2 * time.Second, "c": time.Second, "d": 0} {
			p.start(name, e.part(name, takes))
		}
		began := time.Now()
		if err := p.stop(time.Minute, []string{"a"}, []string{"b", "c"}, []string{"d"}); err != nil {
			t.Error(err)
		}
		if want := []string{"a", "c", "b", "d"}; !slices.Equal(e.order(), want) {
			t.Errorf("they ended as %v, want %v", e.order(), want)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v, want 5s", took)
		}
	})
}

func TestStopTakesTwentySecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ended
		p := newParts(t.Context())
		p.start("hangs", e.part("hangs", time.Hour))
		p.start("waits", e.part("waits", 0))
		began := time.Now()
		err := p.stop(stopTimeout, []string{"hangs"}, []string{"waits"})
		if took := time.Since(began); took != 20*time.Second || err == nil {
			t.Errorf("it took %v (%v), want 20s and an error", took, err)
		}
		if got := e.order(); !slices.Equal(got, []string{"waits"}) {
			t.Errorf("%v ended, want the other part told", got)
		}
		time.Sleep(time.Hour) // the bubble ends when everybody has
	})
}

func TestPartThatEndsByItselfHasFailed(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"with an error": {errors.New("disk is gone"), "store: disk is gone"},
		"without one":   {nil, "store ended by itself"},
	} {
		t.Run(name, func(t *testing.T) {
			var e ended
			p := newParts(t.Context())
			p.start("store", func(context.Context) error { return tt.err })
			p.start("door", e.part("door", 0))
			<-p.failed()
			if err := p.stop(failTimeout, []string{"door"}, []string{"store"}); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestWhatWaitsForARestartIsNamed(t *testing.T) {
	old := &config.Config{DataDir: "a", Ingest: config.Listener{Address: ":1"}}
	same := *old
	if got := needsRestart(old, &same); len(got) > 0 {
		t.Errorf("nothing changed, but %v waits", got)
	}
	same.DataDir, same.Ingest.Address = "b", ":2"
	if got := strings.Join(needsRestart(old, &same), ", "); got != "data_dir, listener ingest" {
		t.Errorf("%q waits for a restart, want data_dir, listener ingest", got)
	}
}
