//go:build unix

package pluginhost

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/serve"
)

// TestMain is the plugin and the shim as well: the tests run their own
// executable.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Command {
		sandbox.Main(os.Args[2:])
	}
	if os.Getenv("BELLCRANK_PLUGIN") != "" {
		if os.Getenv("START") == "fail" {
			fmt.Fprintln(os.Stderr, "no database here")
			os.Exit(4)
		}
		serve.Adapter(chaos{})
		return
	}
	goleak.VerifyTestMain(m)
}

// chaos does what the request's path says.
type chaos struct{}

func (chaos) Describe() sdk.Info {
	return sdk.Info{
		Type: "chaos", Name: "Chaos", Version: "1.0.0", Concurrency: 32,
		Samples: []sdk.Sample{{Name: "ok", Body: json.RawMessage(`{}`)}},
	}
}

func (chaos) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	event := sdk.Event{Action: sdk.Trigger, DedupKey: r.ID, Title: "chaos", Description: string(r.Settings)}
	switch r.Path {
	case "exit":
		os.Exit(9)
	case "panic":
		panic("as told")
	case "hang":
		select {}
	case "sleep":
		d, err := time.ParseDuration(string(r.Body))
		if err != nil {
			return sdk.Result{}, err
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return sdk.Result{}, ctx.Err()
		}
	case "flood":
		line := bytes.Repeat([]byte("flood "), 1000)
		for range 2000 {
			os.Stderr.Write(append(line, '\n'))
			fmt.Println(string(line))
		}
	case "nothing":
		return sdk.Result{}, nil
	case "hundred thousand events":
		return sdk.Result{Events: make([]sdk.Event, 100_000)}, nil
	case "environment":
		event.Description = strings.Join(os.Environ(), "\n")
	case "reach":
		event.Labels = reach(r.Body)
	case "leak":
		return sdk.Result{}, leak()
	case "malformed":
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "no"}
	}
	return sdk.Result{Events: []sdk.Event{event}}, nil
}

func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// pinned is the hash of the tests' executable.
var pinned = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
})

func spec(t testing.TB) Spec {
	return Spec{
		Name: "chaos", Type: "chaos", Version: "1.0.0", Path: privateCopy(t), SHA256: pinned(),
		Env:       map[string]string{"GORACE": "atexit_sleep_ms=0"},
		Instances: map[string]json.RawMessage{"chaos/one": json.RawMessage(`{"a":1}`)},
		Limits:    Limits{Timeout: 30 * time.Second}, // a loaded machine
	}
}

// privateCopy is the tests' executable in a folder that nobody else writes to.
func privateCopy(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "chaos")
	if err := os.Link(executable(t), path); err == nil {
		return path
	}
	content, err := os.ReadFile(executable(t))
	if err == nil {
		err = os.WriteFile(path, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a host with one plugin until the test ends.
func run(t testing.TB, s Spec, change func(*Config)) *Host {
	t.Helper()
	cfg := Config{Plugins: []Spec{s}, RunDir: filepath.Join(t.TempDir(), "run"), Shim: sandbox.Self(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	cfg.Timing.Start = 60 * time.Second // a loaded machine, the race detector
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if children := childrenOf(t, os.Getpid()); len(children) > 0 {
			t.Errorf("processes %v are left", children)
		}
	})
	if err := h.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// childrenOf lists the processes, zombies included, that a process started.
func childrenOf(t testing.TB, pid int) []string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var children []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err == nil { // a thread may have ended
			children = append(children, strings.Fields(string(content))...)
		}
	}
	return children
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func call(t testing.TB, h *Host, path, body string) (sdk.Result, error) {
	return h.Adapt(within(t, 30*time.Second), "chaos", sdk.Request{ID: "r", Path: path, Body: []byte(body), Integration: "chaos/one"})
}

// eventually waits for something that another process does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 seconds: %s", what)
		}
	}
}

func status(h *Host) Status { return h.Plugins()[0] }

func wantFault(t testing.TB, err error, want core.AdaptFault) {
	t.Helper()
	if e, ok := errors.AsType[*core.AdaptError](err); !ok || e.Fault != want || e.Plugin != "chaos" {
		t.Errorf("error %v, want fault %s of chaos", err, want)
	}
}

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
	_, err = h.Adapt(within(t, 50*time.Millisecond), "chaos", sdk.Request{ID: "r", Path: "sleep", Body: []byte("10s")})
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
	_, err := h.Adapt(within(t, 30*time.Second), "chaos", sdk.Request{ID: "r", Integration: "chaos/broken"})
	wantFault(t, err, core.AdapterDown)
}

func TestCrashedPluginIsBackAtOnce(t *testing.T) {
	h := run(t, spec(t), nil)
	for range 5 {
		if _, err := call(t, h, "", ""); err != nil {
			t.Fatal(err)
		}
		before := status(h)
		_, err := call(t, h, "exit", "")
		wantFault(t, err, core.AdapterCrash)
		crashed := time.Now()
		eventually(t, "serving again", func() bool { return status(h).State == Ready && status(h).PID != before.PID })
		t.Logf("serving again after %v", time.Since(crashed))
		s := status(h)
		if s.LastCrash == nil || s.LastCrash.Exit != "exit status 9" || s.Restarts != before.Restarts+1 {
			t.Errorf("status %+v", s)
		}
	}
}

func TestKillUnderLoadLosesOnlyCallsInFlight(t *testing.T) {
	h := run(t, spec(t), nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var answered, crashed, down atomic.Int64
	var load sync.WaitGroup
	for range 16 {
		load.Go(func() {
			for ctx.Err() == nil {
				_, err := call(t, h, "", "")
				e, ok := errors.AsType[*core.AdaptError](err)
				switch {
				case err == nil:
					answered.Add(1)
				case ok && e.Fault == core.AdapterCrash:
					crashed.Add(1)
				case ok && e.Fault == core.AdapterDown:
					down.Add(1)
					time.Sleep(time.Millisecond)
				default:
					t.Errorf("error %v", err)
				}
			}
		})
	}
	for range 5 {
		before := answered.Load()
		eventually(t, "answers", func() bool { return answered.Load() > before+100 })
		pid := status(h).PID
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		eventually(t, "another process", func() bool { return status(h).State == Ready && status(h).PID != pid })
		t.Logf("serving again after %v", time.Since(killed))
	}
	stop()
	load.Wait()
	t.Logf("%d answered, %d crashed, %d while down", answered.Load(), crashed.Load(), down.Load())
	if most := int64(5 * 16); crashed.Load() > most {
		t.Errorf("%d calls count as crashed, only %d can have been in the process", crashed.Load(), most)
	}
}

func TestHangingPluginIsReplaced(t *testing.T) {
	h := run(t, spec(t), func(c *Config) { c.Timing.Stuck, c.Timing.Watch = 100*time.Millisecond, 10*time.Millisecond })
	pid := status(h).PID
	_, err := h.Adapt(within(t, 50*time.Millisecond), "chaos", sdk.Request{ID: "r", Path: "hang"})
	wantFault(t, err, core.AdapterTimeout)
	eventually(t, "a replacement", func() bool { return status(h).State == Ready && status(h).PID != pid })
	eventually(t, "the end of the old process", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	if _, err := call(t, h, "", ""); err != nil {
		t.Error(err)
	}
}

func TestStoppedPluginIsReplacedWithoutAnyCall(t *testing.T) {
	h := run(t, spec(t), func(c *Config) {
		c.Timing.Health, c.Timing.HealthAnswer = 100*time.Millisecond, 200*time.Millisecond
	})
	pid := status(h).PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a replacement", func() bool { return status(h).State == Ready && status(h).PID != pid })
}

func TestPluginThatDoesNotStartIsQuarantined(t *testing.T) {
	s := spec(t)
	s.Env["START"] = "fail"
	h := run(t, s, func(c *Config) { c.Timing.FirstDelay = time.Millisecond })
	if _, err := call(t, h, "", ""); err != nil {
		wantFault(t, err, core.AdapterDown)
	} else {
		t.Error("a plugin that doesn't start has answered")
	}
	eventually(t, "quarantine", func() bool { return status(h).State == Quarantined })
	if got := status(h); got.FailedStarts != 5 || !strings.Contains(got.LastError, "exit status 4") {
		t.Errorf("status %+v, want 5 failed starts for exit status 4", got)
	}
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
		"missing":      {func(_ *testing.T, s *Spec) { s.Path += "-missing" }, "no such file"},
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

func TestReloadSwapsWithoutAFailedCall(t *testing.T) {
	s := spec(t)
	h := run(t, s, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	var answered atomic.Int64
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := call(t, h, "", ""); err != nil {
					t.Errorf("call during a swap: %v", err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for i := range 5 {
		next := s
		next.Env = map[string]string{"GORACE": "atexit_sleep_ms=0", "ROUND": fmt.Sprint(i)}
		next.Instances = map[string]json.RawMessage{"chaos/one": json.RawMessage(fmt.Sprintf(`{"a":%d}`, i+2))}
		pid := status(h).PID
		if err := h.Reload([]Spec{next}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the successor", func() bool { return status(h).PID != pid })
		eventually(t, "the end of the old process", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	}
	stop()
	load.Wait()
	if answered.Load() == 0 {
		t.Error("nothing was answered")
	}
	if got, err := call(t, h, "", ""); err != nil || got.Events[0].Description != `{"a":6}` {
		t.Errorf("got %+v, %v; want the newest settings", got, err)
	}
	if err := h.Reload(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Adapt(t.Context(), "chaos", sdk.Request{}); err == nil {
		t.Error("a removed plugin answers")
	}
}

func TestSwapsAndRollbacksFailNoCall(t *testing.T) {
	first := spec(t)
	h := run(t, first, nil)
	second := first
	second.Path, second.Version = privateCopy(t), "2.0.0"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := call(t, h, "", ""); err != nil {
					t.Errorf("call during a swap: %v", err)
					return
				}
			}
		})
	}
	if err := h.Rollback(t.Context(), "chaos"); err == nil {
		t.Error("there was something to roll back to before the first swap")
	}
	for range 5 {
		if err := h.Swap(t.Context(), second); err != nil || status(h).Version != "2.0.0" {
			t.Fatalf("swap: %v, %+v", err, status(h))
		}
		if err := h.Rollback(t.Context(), "chaos"); err != nil || status(h).Version != "1.0.0" {
			t.Fatalf("rollback: %v, %+v", err, status(h))
		}
	}
	pid := status(h).PID
	if err := h.Restart(t.Context(), "chaos"); err != nil || status(h).PID == pid {
		t.Errorf("restart: %v, pid %d as before", err, pid)
	}
	stop()
	load.Wait()
}

func TestSwapThatFailsLeavesTheOldProcessServing(t *testing.T) {
	first := spec(t)
	h := run(t, first, nil)
	pid := status(h).PID
	broken := first
	broken.Env = map[string]string{"START": "fail"}
	if err := h.Swap(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("error %v, want the successor's", err)
	}
	if err := h.Swap(t.Context(), Spec{Name: "nobody"}); !errors.Is(err, errNoPlugin) {
		t.Errorf("error %v, want errNoPlugin", err)
	}
	if _, err := call(t, h, "", ""); err != nil || status(h).PID != pid {
		t.Errorf("%v, pid %d; want an answer of pid %d", err, status(h).PID, pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next start is of the old spec", func() bool { return h.Ready("chaos") && status(h).PID != pid })
}

func TestNewSettingsReachTheProcessThatRuns(t *testing.T) {
	s := spec(t)
	h := run(t, s, nil)
	pid := status(h).PID
	describes := func(want string) func() bool {
		return func() bool {
			got, err := call(t, h, "", "")
			return err == nil && got.Events[0].Description == want
		}
	}
	reload := func(instances map[string]json.RawMessage) {
		t.Helper()
		next := s
		next.Instances = instances
		if err := h.Reload([]Spec{next}); err != nil {
			t.Fatal(err)
		}
	}
	reload(map[string]json.RawMessage{"chaos/one": json.RawMessage(`{"a":2}`), "chaos/two": json.RawMessage(`{"b":1}`)})
	eventually(t, "the new settings", describes(`{"a":2}`))
	reload(map[string]json.RawMessage{"chaos/one": json.RawMessage(`{`)})
	eventually(t, "wrong settings are refused", func() bool { _, err := call(t, h, "", ""); return err != nil })
	reload(map[string]json.RawMessage{"chaos/one": json.RawMessage(`{"a":3}`)})
	eventually(t, "the mended settings", describes(`{"a":3}`))
	if now := status(h); now.PID != pid || now.Restarts != 0 {
		t.Errorf("the process was replaced: %+v", now)
	}
}

func TestStopLetsCallsEnd(t *testing.T) {
	h, err := New(Config{Plugins: []Spec{spec(t)}, RunDir: filepath.Join(t.TempDir(), "run"), Logger: slog.New(slog.DiscardHandler), Timing: Timing{Start: time.Minute}})
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

func TestFiftyStartsLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	s := spec(t)
	for range 50 {
		h, err := New(Config{Plugins: []Spec{s}, RunDir: filepath.Join(dir, "r"), Logger: slog.New(slog.DiscardHandler), Timing: Timing{Start: time.Minute}})
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
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "r", "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if children := childrenOf(t, os.Getpid()); len(children) > 0 {
		t.Errorf("processes %v are left", children)
	}
}
