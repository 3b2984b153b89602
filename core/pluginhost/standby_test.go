//go:build unix

package pluginhost

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"
)

// standby runs a host whose plugin has a process standing by.
func standby(t *testing.T) (*Host, Spec) {
	t.Helper()
	s := spec(t)
	s.Standby = true
	return run(t, s, nil), s
}

// stands waits until a process stands by that is neither of these, and returns
// it.
func stands(t *testing.T, h *Host, others ...int) (pid int) {
	t.Helper()
	eventually(t, "another process stands by", func() bool {
		pid = status(h).Standby
		for _, other := range others {
			if pid == other {
				return false
			}
		}
		return pid != 0
	})
	return pid
}

func TestAProcessThatStandsByTakesOver(t *testing.T) {
	h, _ := standby(t)
	serving, spare := status(h).PID, stands(t, h)
	for range 3 {
		if _, err := call(t, h, "", ""); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(serving, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		eventually(t, "the one that stood by serves", func() bool { s := status(h); return s.State == Ready && s.PID == spare })
		t.Logf("serving again after %v", time.Since(killed))
		serving, spare = spare, stands(t, h, serving, spare)
	}
	if s := status(h); s.Restarts != 3 || s.RestartsBy["ended"] != 3 || s.Away <= 0 {
		t.Errorf("%d restarts, %v, away for %v", s.Restarts, s.RestartsBy, s.Away)
	}
}

func TestAProcessThatStandsByHasTheSettingsOfToday(t *testing.T) {
	h, s := standby(t)
	old, spare := status(h).PID, stands(t, h)
	if _, err := call(t, h, "", ""); err != nil {
		t.Fatal(err)
	}
	s.Instances = map[string]json.RawMessage{"chaos/one": json.RawMessage(`{"a":2}`)}
	if err := h.Reload([]Spec{s}); err != nil {
		t.Fatal(err)
	}
	spare = stands(t, h, spare)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the one that stands by serves", func() bool { s := status(h); return s.State == Ready && s.PID == spare })
	result, err := call(t, h, "", "")
	if err != nil || !strings.Contains(result.Events[0].Description, `"a":2`) {
		t.Errorf("events %+v, error %v", result.Events, err)
	}
	s.Standby = false
	if err := h.Reload([]Spec{s}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "none stands by", func() bool { return status(h).Standby == 0 })
	if pid := status(h).PID; pid != spare {
		t.Errorf("%d serves, not %d: it was replaced for nothing", pid, spare)
	}
}

func TestAProcessThatStandsByIsReplacedWhenItEnds(t *testing.T) {
	h, _ := standby(t)
	spare := stands(t, h)
	if err := syscall.Kill(spare, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	spare = stands(t, h, spare)
	if err := h.Restart(t.Context(), "chaos"); err != nil {
		t.Fatal(err)
	}
	if s := status(h); s.PID != spare || s.RestartsBy["replaced"] != 1 {
		t.Errorf("%d serves after %v, want the one that stood by, %d", s.PID, s.RestartsBy, spare)
	}
	stands(t, h, spare)
}
