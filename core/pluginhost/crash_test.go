//go:build unix

package pluginhost

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

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
		if s.RestartsBy["ended"] != s.Restarts || s.Calls.Outcomes["crash"] == 0 || s.Calls.Within[5] > s.Calls.Count {
			t.Errorf("figures %v, %+v", s.RestartsBy, s.Calls)
		}
		if s.LastCrash == nil || !strings.Contains(s.LastCrash.Exit, "9") || s.Restarts != before.Restarts+1 {
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

func TestPluginThatIsHeldIsWaitedFor(t *testing.T) {
	s := spec(t)
	s.Held = true
	h := run(t, s, func(c *Config) {
		c.Timing.Health, c.Timing.HealthAnswer, c.Timing.Watch = 20*time.Millisecond, 20*time.Millisecond, 5*time.Millisecond
	})
	pid := status(h).PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a missed health check", func() bool { return status(h).State == Degraded })
	time.Sleep(500 * time.Millisecond) // many more than would do for another plugin
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "health", func() bool { return status(h).State == Ready })
	if _, err := call(t, h, "", ""); err != nil || status(h).PID != pid {
		t.Errorf("process %d after %d, %v; want the one that was held", status(h).PID, pid, err)
	}
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
	if got := status(h); got.FailedStarts != 5 || !strings.Contains(got.LastError, "4") {
		t.Errorf("status %+v, want 5 failed starts for exit status 4", got)
	}
}
