//go:build unix

package pluginhost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/sdk"
)

// patience is how long a test waits for what happens at once on a quiet machine.
const patience = 3 * time.Minute

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
		// A loaded machine, the race detector.
		Limits: Limits{Timeout: patience, Processor: patience},
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
	cfg.Timing.Start, cfg.Timing.Drain = patience, patience // a loaded machine, the race detector
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
	return h.Adapt(within(t, patience), "chaos", sdk.Request{ID: "r", Path: path, Body: []byte(body), Integration: "chaos/one"})
}

// eventually waits for something that another process does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
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
