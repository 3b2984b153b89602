//go:build unix

package pluginhost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func TestHostAdaptsWithTheIntegrationsSettings(t *testing.T) {
	h := run(t, spec(t), nil)
	got, err := call(t, h, "", "")
	if err != nil || len(got.Events) != 1 || got.Events[0].Description != `{"a":1}` {
		t.Errorf("got %+v, %v; want one event with the settings", got, err)
	}
	if s := status(h); s.State != Ready || s.PID == 0 || s.SHA256 != pinned() {
		t.Errorf("status %+v", s)
	}
	if info, ok := h.Info("chaos"); !ok || info.Concurrency != 32 {
		t.Errorf("Info = %+v, %v", info, ok)
	}
}

func TestErrorsSayWhoseFaultItIs(t *testing.T) {
	h := run(t, spec(t), nil)
	for path, code := range map[string]sdk.FailureCode{
		"malformed": sdk.Malformed, "panic": sdk.Internal, "hundred thousand events": sdk.TooLarge,
	} {
		_, err := call(t, h, path, "")
		if f, ok := errors.AsType[*sdk.Failure](err); !ok || f.Code != code {
			t.Errorf("%s: error %v, want %s", path, err, code)
		}
	}
	_, err := call(t, h, "nothing", "")
	wantFault(t, err, core.AdapterBroken)
	_, err = h.Adapt(within(t, 50*time.Millisecond), "chaos", sdk.Request{ID: "r", Path: "sleep", Body: []byte("1h")})
	wantFault(t, err, core.AdapterTimeout)
	_, err = call(t, h, "exit", "")
	wantFault(t, err, core.AdapterCrash)
	_, err = h.Adapt(t.Context(), "nobody", sdk.Request{})
	if e, ok := errors.AsType[*core.AdaptError](err); !ok || e.Fault != core.AdapterDown {
		t.Errorf("unknown plugin: %v", err)
	}
}

func TestRefusedSettingsCostOnlyTheirIntegration(t *testing.T) {
	s := spec(t)
	s.Instances["chaos/broken"] = json.RawMessage(`{`)
	h := run(t, s, nil)
	if _, err := call(t, h, "", ""); err != nil {
		t.Errorf("the other integration: %v", err)
	}
	_, err := h.Adapt(within(t, patience), "chaos", sdk.Request{ID: "r", Integration: "chaos/broken"})
	wantFault(t, err, core.AdapterDown)
}

func TestOnlyWhatIsPinnedRuns(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, s *Spec)
		want   string
	}{
		"wrong hash": {func(_ *testing.T, s *Spec) { s.SHA256 = strings.Repeat("0", 64) }, "pinned is 000"},
		"no hash":    {func(_ *testing.T, s *Spec) { s.SHA256 = "" }, "not pinned"},
		"changed file": {func(t *testing.T, s *Spec) {
			os.Remove(s.Path)
			if err := os.WriteFile(s.Path, []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "changed"},
		"symbolic link": {func(t *testing.T, s *Spec) {
			link := s.Path + "-link"
			if err := os.Symlink(s.Path, link); err != nil {
				t.Fatal(err)
			}
			s.Path = link
		}, "symbolic link"},
		"folder": {func(_ *testing.T, s *Spec) { s.Path = filepath.Dir(s.Path) }, "no regular file"},
		"open folder": {func(t *testing.T, s *Spec) {
			if err := os.Chmod(filepath.Dir(s.Path), 0o777); err != nil {
				t.Fatal(err)
			}
		}, "everybody may write"},
		"missing":      {func(_ *testing.T, s *Spec) { s.Path += "-missing" }, "-missing"},
		"another type": {func(_ *testing.T, s *Spec) { s.Type = "sentry" }, `adapts "chaos", not "sentry"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := spec(t)
			tt.change(t, &s)
			h := run(t, s, nil)
			if h.Ready("chaos") {
				t.Fatal("it runs")
			}
			if got := status(h).LastError; !strings.Contains(got, tt.want) {
				t.Errorf("error %q doesn't say %q", got, tt.want)
			}
		})
	}
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("DATABASE_PASSWORD", "hunter2")
	h := run(t, spec(t), nil)
	got, err := call(t, h, "environment", "")
	if err != nil {
		t.Fatal(err)
	}
	if env := got.Events[0].Description; strings.Contains(env, "hunter2") || strings.Contains(env, "HOME=") {
		t.Errorf("environment:\n%s", env)
	}
}

func TestFloodDoesNotReachTheLog(t *testing.T) {
	var log counter
	h := run(t, spec(t), func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	if _, err := call(t, h, "flood", ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "drops", func() bool { return status(h).OutputDropped > 20_000_000 })
	if n := log.n.Load(); n > 3*logBurst {
		t.Errorf("24 MB of output made %d bytes of log", n)
	}
}

// counter counts what is written to it.
type counter struct{ n atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return io.Discard.Write(b)
}

func TestStopLetsCallsEnd(t *testing.T) {
	h, err := New(Config{Plugins: []Spec{spec(t)}, RunDir: filepath.Join(t.TempDir(), "run"), Logger: slog.New(slog.DiscardHandler), Timing: Timing{Start: patience, Drain: patience}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	if err := h.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := call(t, h, "sleep", "300ms")
		answer <- err
	}()
	eventually(t, "a call in flight", func() bool { return status(h).InFlight == 1 })
	stop()
	if err := <-answer; err != nil {
		t.Errorf("call in flight at the end: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s := status(h); s.State != Stopped || s.PID != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestHundredStartsLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	s := spec(t)
	before := 0
	for round := range 100 {
		h, err := New(Config{Plugins: []Spec{s}, RunDir: filepath.Join(dir, "r"), Logger: slog.New(slog.DiscardHandler), Timing: Timing{Start: patience, Drain: patience}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		if err := h.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !h.Ready("chaos") {
			t.Fatalf("status %+v", status(h))
		}
		stop()
		<-ended
		if round == 0 {
			before = descriptors(t)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "r", "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if children := childrenOf(t, os.Getpid()); len(children) > 0 {
		t.Errorf("processes %v are left", children)
	}
	// Other tests may have opened a few meanwhile; one for each start is a leak.
	if after := descriptors(t); after-before > 50 {
		t.Errorf("%d descriptors after the first start, %d after the last", before, after)
	}
}

// descriptors counts our open ones; 0 where the system doesn't tell.
func descriptors(t testing.TB) int {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func TestWhatAnAdapterLogsNamesItsRequest(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	h := run(t, spec(t), func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(locked{&mu, &log}, nil))
	})
	if _, err := call(t, h, "log", "four"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the line", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(log.String(), "level=WARN msg=\"plugin output\" plugin=chaos line=oddrequest fields.bytes=4 fields.integration=chaos/one fields.request_id=r\n")
	})
}

// locked is a writer for several goroutines.
type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
