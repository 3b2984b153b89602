//go:build unix

package pluginhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"bellcrank.example/sdk"
)

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
