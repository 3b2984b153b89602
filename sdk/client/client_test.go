//go:build unix

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/serve"
)

// TestMain is the plugin as well: the tests start their own executable.
func TestMain(m *testing.M) {
	if os.Getenv("BELLCRANK_PLUGIN") != "" {
		if os.Getenv("CHAOS_START") == "exit" {
			fmt.Fprintln(os.Stderr, "I can't")
			os.Exit(3)
		}
		if manner := os.Getenv(batchEnv); manner != "" {
			serveBatches(manner)
			return
		}
		fmt.Println("printed before the handshake")
		serve.Adapter(echo{})
		return
	}
	if dir := os.Getenv("HOST_DIR"); dir != "" {
		hostUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// echo answers with what it got; the path is a command.
type echo struct{}

func (echo) Describe() sdk.Info {
	return sdk.Info{Type: "echo", Name: "Echo", Version: "1.2.3", Limits: sdk.Limits{Body: 8 << 20}}
}

func (echo) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	if r.Path == "alerts" {
		return alerts{}.Adapt(ctx, r)
	}
	deadline, _ := ctx.Deadline()
	fmt.Println("stdout is a log") // must not disturb anything
	switch r.Path {
	case "panic":
		panic("oh no")
	case "exit":
		os.Exit(7)
	case "hang":
		select {}
	case "environment":
		return sdk.Result{Ignored: strings.Join(os.Environ(), "\n")}, nil
	case "much":
		return much(string(r.Body)), nil
	case "malformed":
		return sdk.Result{}, fmt.Errorf("wrapped: %w", &sdk.Failure{Code: sdk.Malformed, Path: "a.b", Message: "no"})
	case "large":
		n, _ := strconv.Atoi(string(r.Body))
		return sdk.Result{Events: []sdk.Event{{Action: sdk.Trigger, Title: "large", Description: strings.Repeat("x", n)}}}, nil
	case "sleep":
		d, _ := time.ParseDuration(string(r.Body))
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return sdk.Result{}, ctx.Err()
		}
	}
	return sdk.Result{Events: []sdk.Event{{
		Action: sdk.Trigger, DedupKey: r.ID, Title: r.Method + " " + r.Path,
		Metadata: map[string]any{
			"body": len(r.Body), "query": r.Query.Encode(), "headers": r.Header, "source": r.Source, "received": r.ReceivedAt,
			"integration": r.Integration, "settings": r.Settings, "attempt": r.Attempt, "has deadline": !deadline.IsZero(),
		},
	}}}, nil
}

func start(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "bc") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Path: executable(t), RunDir: dir, StartTimeout: 30 * time.Second, Env: raceEnv()}
	if change != nil {
		change(&cfg)
	}
	c, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kill()
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		os.RemoveAll(dir)
	})
	return c
}

// raceEnv has a plugin under the race detector end without a second's sleep.
func raceEnv() []string { return []string{"GORACE=atexit_sleep_ms=0"} }

func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func patience(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestEveryFieldArrives(t *testing.T) {
	c := start(t, nil)
	if got := c.Describe(); got.Type != "echo" || got.Version != "1.2.3" {
		t.Errorf("Describe = %+v", got)
	}
	if err := c.Configure(t.Context(), "echo/one", json.RawMessage(`{"a":1.50}`)); err != nil {
		t.Fatal(err)
	}
	r := sdk.Request{
		ID: "r1", Method: "PUT", Path: "some/path", Query: url.Values{"q": {"ä", "b"}}, Header: http.Header{"X-A": {"1", "2"}},
		Body: []byte("hello"), Source: netip.MustParseAddr("2001:db8::1"), ReceivedAt: time.Unix(1, 5).UTC(),
		Integration: "echo/one", Attempt: 3,
	}
	got, err := c.Adapt(patience(t, 30*time.Second), r)
	if err != nil {
		t.Fatal(err)
	}
	want := sdk.Result{Events: []sdk.Event{{
		Action: sdk.Trigger, DedupKey: "r1", Title: "PUT some/path",
		Metadata: map[string]any{
			"body": json.Number("5"), "query": "q=%C3%A4&q=b", "headers": map[string]any{"X-A": []any{"1", "2"}},
			"source": "2001:db8::1", "received": "1970-01-01T00:00:01.000000005Z", "integration": "echo/one",
			"settings": map[string]any{"a": json.Number("1.50")}, "attempt": json.Number("3"), "has deadline": true,
		},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSettingsChangeWithoutARestart(t *testing.T) {
	c := start(t, nil)
	for _, settings := range []string{`{"v":1}`, `{"v":2}`} {
		if err := c.Configure(t.Context(), "echo/one", json.RawMessage(settings)); err != nil {
			t.Fatal(err)
		}
		got, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Integration: "echo/one"})
		if err != nil {
			t.Fatal(err)
		}
		if blob, _ := json.Marshal(got.Events[0].Metadata["settings"]); string(blob) != settings {
			t.Errorf("settings = %s, want %s", blob, settings)
		}
	}
}

func TestAnswersComeInAnyOrder(t *testing.T) {
	c := start(t, nil)
	slow := make(chan error, 1)
	go func() {
		_, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "slow", Path: "sleep", Body: []byte("3s")})
		slow <- err
	}()
	var calls sync.WaitGroup
	limit := make(chan struct{}, 60)
	for i := range 1000 {
		limit <- struct{}{}
		calls.Go(func() {
			defer func() { <-limit }()
			id := fmt.Sprint("r", i)
			got, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: id, Body: []byte("x")})
			if err != nil || got.Events[0].DedupKey != id {
				t.Errorf("%s: got %+v, %v", id, got, err)
			}
		})
	}
	calls.Wait()
	select {
	case err := <-slow:
		t.Errorf("the slow call ended first: %v", err)
	default:
	}
	if err := <-slow; err != nil {
		t.Error(err)
	}
}

func TestBodiesAndAnswersOfAnySize(t *testing.T) {
	c := start(t, nil)
	for _, size := range []int{0, 256 << 10, 256<<10 + 1, 5 << 20, 16 << 20} {
		got, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Body: make([]byte, size)})
		if err != nil {
			t.Fatalf("body of %d bytes: %v", size, err)
		}
		if want := json.Number(fmt.Sprint(size)); got.Events[0].Metadata["body"] != want {
			t.Errorf("%v bytes arrived, want %v", got.Events[0].Metadata["body"], want)
		}
	}
	// The number is padded: a large body may have a large answer.
	large := func(body, answer int) []byte { return fmt.Appendf(nil, "%s%d", strings.Repeat("0", body-8), answer) }
	for body, size := range map[int]int{8: 1, 1 << 10: 3 << 20, 4 << 20: 19 << 20} {
		got, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Path: "large", Body: large(body, size)})
		if err != nil {
			t.Fatalf("answer of %d bytes: %v", size, err)
		}
		if n := len(got.Events[0].Description); n != size {
			t.Errorf("answer of %d bytes, want %d", n, size)
		}
	}
	// Four times the body and 16 MiB is the most, 64 MiB for any.
	for body, size := range map[int]int{8: 17 << 20, 4 << 20: 33 << 20, 16 << 20: 65 << 20} {
		_, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Path: "large", Body: large(body, size)})
		if f, ok := errors.AsType[*sdk.Failure](err); !ok || f.Code != sdk.TooLarge {
			t.Errorf("answer of %d bytes: %v, want %s", size, err, sdk.TooLarge)
		}
	}
}

func TestErrorsSayWhoseFaultItIs(t *testing.T) {
	c := start(t, nil)
	for path, want := range map[string]sdk.FailureCode{"panic": sdk.Internal, "malformed": sdk.Malformed} {
		_, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Path: path})
		if f, ok := errors.AsType[*sdk.Failure](err); !ok || f.Code != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	_, err := c.Adapt(patience(t, 50*time.Millisecond), sdk.Request{ID: "r", Path: "hang"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Timeout {
		t.Errorf("hang: %v, want %s", err, Timeout)
	}
	if _, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r"}); err != nil {
		t.Errorf("after all that: %v", err)
	}
	_, err = c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Path: "exit"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Crashed {
		t.Errorf("exit: %v, want %s", err, Crashed)
	}
	<-c.Done()
	if exit := c.Exit(); exit.Code != 7 || exit.Killed {
		t.Errorf("exit = %+v, want code 7", exit)
	}
}

func TestStoppedProcessIsNoticedAndEnded(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Stuck = 100 * time.Millisecond })
	stopProcess(t, c.PID())
	if err := c.Check(patience(t, 100*time.Millisecond)); err == nil {
		t.Error("a stopped process is healthy")
	}
	_, err := c.Adapt(patience(t, 50*time.Millisecond), sdk.Request{ID: "r"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Timeout {
		t.Errorf("Adapt: %v, want %s", err, Timeout)
	}
	for deadline := time.Now().Add(30 * time.Second); !c.Hangs(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the unanswered call isn't noticed")
		}
	}
	begin := time.Now()
	c.Kill()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("ending it took %v", took)
	}
}

func TestAbortWritesTheStacks(t *testing.T) {
	var output bytes.Buffer
	c := start(t, func(cfg *Config) { cfg.Output = &output })
	stopProcess(t, c.PID())
	c.Abort(t.Context())
	if got := output.String(); !strings.Contains(got, "SIGABRT") || !strings.Contains(got, "goroutine ") {
		t.Errorf("output = %.500q, want the stacks", got)
	}
}

func TestStopIsQuickAndClean(t *testing.T) {
	for range 50 {
		c := start(t, nil)
		if _, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r"}); err != nil {
			t.Fatal(err)
		}
		pid := c.PID()
		c.Stop(patience(t, 30*time.Second))
		if exit := c.Exit(); exit.Code != 0 {
			t.Errorf("exit = %+v, want 0", exit)
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
}

func TestTerminationLetsCallsEnd(t *testing.T) {
	output := make(lines, 100)
	c := start(t, func(cfg *Config) { cfg.Output = output })
	answer := make(chan error, 1)
	go func() {
		_, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Path: "sleep", Body: []byte("300ms")})
		answer <- err
	}()
	for !strings.Contains(<-output, "stdout is a log") {
	}
	if err := syscall.Kill(c.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	<-c.Done()
}

// lines is an output that a test can wait for.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("DATABASE_PASSWORD", "hunter2")
	c := start(t, func(cfg *Config) { cfg.Env = append(cfg.Env, "MINE=yes") })
	got, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Path: "environment"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.Ignored, "MINE=yes") || strings.Contains(got.Ignored, "hunter2") || strings.Contains(got.Ignored, "HOME=") {
		t.Errorf("environment:\n%s", got.Ignored)
	}
}

func TestOpenedFileRunsWhateverThePathSays(t *testing.T) {
	f, err := os.Open(executable(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := start(t, func(cfg *Config) { cfg.File, cfg.Path = f, "/bin/false" })
	if _, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r"}); err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.PID()))
	if err != nil || string(comm) != "false\n" {
		t.Errorf("process name %q, %v; want the path's", comm, err)
	}
}

func TestFailedStartExplainsItself(t *testing.T) {
	long := filepath.Join(os.TempDir(), strings.Repeat("long", 20))
	tests := map[string]struct {
		cfg  Config
		want string
	}{
		"no such file":      {Config{Path: "/nonexistent/adapter"}, "no such file"},
		"exits":             {Config{Path: executable(t), Env: []string{"CHAOS_START=exit"}}, "exit status 3"},
		"no handshake":      {Config{Path: "/bin/echo", Args: []string{"hello"}}, "hello"},
		"a flood":           {Config{Path: "/usr/bin/yes", StartTimeout: 3 * time.Second}, "Unrecognized"},
		"says nothing":      {Config{Path: "/bin/sleep", Args: []string{"60"}, StartTimeout: 200 * time.Millisecond}, "time"},
		"socket path":       {Config{Path: "/bin/true", RunDir: long}, "67 bytes"},
		"nothing to run":    {Config{}, "no executable"},
		"an incompatible 9": {Config{Path: "/bin/echo", Args: []string{"1|99|unix|/tmp/x|grpc"}}, "99"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Start(t.Context(), tt.cfg)
			if err == nil {
				c.Kill()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q doesn't say %q", err, tt.want)
			}
		})
	}
}

// hostUntilKilled is a gateway that will be killed: it starts a plugin and
// writes its process id into a file.
func hostUntilKilled(dir string) {
	path, _ := os.Executable()
	c, err := Start(context.Background(), Config{Path: path, RunDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.PID())
	select {}
}

func TestKilledHostTakesItsPluginsAlong(t *testing.T) {
	dir, err := os.MkdirTemp("", "bc")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	host, output := hostProcess(t, dir)
	var plugin int
	if _, err := fmt.Fscan(output, &plugin); err != nil {
		t.Fatal(err)
	}
	if err := host.Kill(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for !errors.Is(syscall.Kill(plugin, 0), syscall.ESRCH) && !inState(plugin, "Z") {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("plugin %d outlives its host", plugin)
		}
		time.Sleep(time.Millisecond)
	}
}

// inState reports whether a process is in a state of proc(5): Z has ended and
// waits for its parent, T is stopped.
func inState(pid int, state string) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") "+state+" ")
}

func stopProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for !inState(pid, "T") {
		time.Sleep(time.Millisecond)
	}
}

func hostProcess(t *testing.T, dir string) (*os.Process, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p, err := os.StartProcess(executable(t), []string{"host"}, &os.ProcAttr{
		Env: []string{"HOST_DIR=" + dir}, Files: []*os.File{nil, w, os.Stderr},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { p.Kill(); p.Wait() })
	return p, r
}
