package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestSwapsUnderLoadChangeNoIncident goes back and forth between two pinned
// versions while requests come in.
func TestSwapsUnderLoadChangeNoIncident(t *testing.T) {
	s := newChaosStack(t, nil)
	for _, version := range []string{"1.0.0", "2.0.0"} {
		s.install(version)
	}
	text, err := os.ReadFile(s.file("gateway.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, `
plugin "chaos" {
  version = "1.0.0"
}
integration "chaos" "swapped" {
  routing_key "test" {
    value = %q
  }
}
`, chaosKey("swapped"))
	if err := os.WriteFile(s.file("gateway.hcl"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.lock()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.eventually("the plugin serves", 60*time.Second, func() bool { return s.plugins()["chaos"] != 0 })

	sent := 0
	stop := s.steadily(func(n int) {
		s.send(chaosKey("swapped"), map[string]any{"title": "swapped under", "key": fmt.Sprint("s-", n)})
		sent = n + 1
	})
	for range 5 {
		if out := s.cli("plugin", "swap", "chaos", "2.0.0"); !strings.Contains(out, "chaos 2.0.0 is ready") {
			t.Errorf("swap says %q", out)
		}
		if out := s.cli("plugin", "rollback", "chaos"); !strings.Contains(out, "chaos 1.0.0 is ready") {
			t.Errorf("rollback says %q", out)
		}
	}
	stop()
	s.settled(60 * time.Second)
	seen := map[string]int{}
	for _, in := range all[incident](s.stack, "incidents") {
		seen[in.DedupKey] += in.Count
	}
	for n := range sent {
		if key := fmt.Sprint("s-", n); seen[key] != 1 {
			t.Errorf("%s happened %d times, want once", key, seen[key])
		}
	}
	t.Logf("%d requests over ten swaps", sent)
	s.differs("chaos", "2.0.0", `events[0].labels.version`, `"1.0.0"`, `"2.0.0"`)
	s.replaysBy("2.0.0")
	s.shadows("2.0.0")
}

// shadows has a version read along, and checks that it says what differs and
// changes nothing.
func (s *chaosStack) shadows(version string) {
	s.t.Helper()
	if out := s.cli("plugin", "shadow", "chaos", version); !strings.Contains(out, "chaos 1.0.0 is ready") {
		s.t.Errorf("shadow says %q", out)
	}
	s.send(chaosKey("swapped"), map[string]any{"title": "shadowed", "key": "shadowed"})
	var report string
	s.eventually("the shadow has read it", 60*time.Second, func() bool {
		report, _ = s.tryCLI("plugin", "shadow", "chaos") // exits with 3
		return !strings.Contains(report, "0 requests compared")
	})
	for _, want := range []string{`events[0].labels.version`, `"1.0.0"`, `"2.0.0"`, "events[].labels.version differs in 1 request", ", 0 missed"} {
		if !strings.Contains(report, want) {
			s.t.Errorf("the report doesn't say %s:\n%s", want, report)
		}
	}
	s.settled(60 * time.Second)
	for _, in := range all[incident](s.stack, "incidents") {
		if in.DedupKey == "shadowed" && in.Count != 1 {
			s.t.Errorf("what a shadow read happened %d times", in.Count)
		}
	}
	if out, _ := s.tryCLI("plugin", "shadow", "chaos", "-off"); !strings.Contains(out, "reads along since") {
		s.t.Errorf("the last report is %q", out)
	}
	if out, err := s.tryCLI("plugin", "shadow", "chaos"); err == nil || !strings.Contains(out, "No other version reads along") {
		s.t.Errorf("afterwards it says %q", out)
	}
}

// replaysBy has a version that doesn't serve read everything again, twice, and
// checks that it counts nothing twice.
func (s *chaosStack) replaysBy(version string) {
	s.t.Helper()
	before := all[incident](s.stack, "incidents")
	replay := func(more ...string) string {
		return s.cli(append([]string{"inbox", "replay", "-integration", "chaos/swapped", "-state", "done", "-version", version}, more...)...)
	}
	if out := replay("-dry-run"); !strings.Contains(out, "would be done  by chaos "+version) {
		s.t.Errorf("dry run says %s", out)
	}
	for range 2 {
		if out := replay(); !strings.Contains(out, ", 0 not applied") {
			s.t.Errorf("replay says %s", out)
		}
	}
	var list struct {
		Requests []struct {
			Adapter string `json:"adapter"`
		} `json:"requests"`
	}
	s.get("/v1/requests?integration=chaos/swapped", &list)
	for _, r := range list.Requests {
		if r.Adapter != "chaos "+version {
			s.t.Errorf("%q has read it, want version %s", r.Adapter, version)
		}
	}
	if after := all[incident](s.stack, "incidents"); !slices.Equal(before, after) {
		s.t.Errorf("incidents %+v, before %+v", after, before)
	}
	if out := s.cli("plugin", "list"); !strings.Contains(out, "chaos@"+version) {
		s.t.Errorf("nobody sees the version that was asked for:\n%s", out)
	}
}

// differs checks what plugin diff says of two versions that aren't the same.
func (s *stack) differs(kind, version string, wants ...string) {
	s.t.Helper()
	token, err := os.ReadFile(s.file("data/admin.token"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "bellcrank"), "plugin", "diff", "-config", s.file("gateway.hcl"), "-last", "20", kind, version)
	cmd.Env = append(s.environment(), "BELLCRANK_TOKEN="+strings.TrimSpace(string(token)))
	out, _ := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		s.t.Errorf("diff exits with %d, want 3: %s", code, out)
	}
	for _, want := range append(wants, "20 requests, 20 of them different") {
		if !strings.Contains(string(out), want) {
			s.t.Errorf("diff doesn't say %s:\n%s", want, out)
		}
	}
}

func TestKillsUnderLoadLoseNothing(t *testing.T) {
	const kills = 100
	s := newChaosStack(t, []evil{{name: "victim"}})
	var sent sync.Map
	stop := s.steadily(func(n int) {
		key := fmt.Sprint("k-", n)
		s.send(chaosKey("victim"), map[string]any{"title": "under fire", "key": key})
		sent.Store(key, true)
	})
	s.eventually("the victim serves", 30*time.Second, func() bool { return s.plugins()["chaos"] != 0 })
	descriptors := s.descriptors()
	victim := func() int { return s.plugins()["chaos"] } // 0 while there is none
	slowest := time.Duration(0)
	for range kills {
		var pid int
		s.eventually("the victim serves", 30*time.Second, func() bool { pid = victim(); return pid != 0 })
		time.Sleep(20 * time.Millisecond) // let it answer, which earns it a start without a wait
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		s.eventually("another process serves", 30*time.Second, func() bool { now := victim(); return now != 0 && now != pid })
		slowest = max(slowest, time.Since(killed))
	}
	t.Logf("%d kills, back in service after %v at the longest", kills, slowest)
	stop()
	s.settled(60 * time.Second)
	// Connections come and go; one descriptor for each process would be a leak.
	if now := s.descriptors(); now-descriptors > kills/2 {
		t.Errorf("the gateway has %d descriptors open, %d before the first kill", now, descriptors)
	}
	for _, pid := range descendants(s.cmd.Process.Pid) {
		s.eventually(fmt.Sprintf("process %d is no zombie", pid), 10*time.Second, func() bool { return !zombie(pid) })
	}
	seen := map[string]int{}
	for _, in := range all[incident](s.stack, "incidents") {
		seen[in.DedupKey]++
	}
	sent.Range(func(key, _ any) bool {
		if n := seen[key.(string)]; n != 1 {
			t.Errorf("%v has %d incidents, want 1", key, n)
		}
		return true
	})
	s.endsWholly()
}

// descriptors counts those that the gateway has open.
func (s *stack) descriptors() int {
	s.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(open)
}

// zombie reports whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil && gone(pid)
}

// TestSwappedFileNeverRuns has another file come and go under a plugin's path,
// as quickly as it can, while the plugin is started again and again: whatever
// runs is what was pinned.
func TestSwappedFileNeverRuns(t *testing.T) {
	s := newChaosStack(t, []evil{{name: "target", spoil: func(string) error { return nil }}})
	path := s.executable("1.1.0")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.eventually("the plugin serves", 60*time.Second, func() bool { return s.plugins()["chaos"] != 0 })
	evil := append(slices.Clone(good), "evil"...)
	stop := s.steadily(func(n int) {
		content := good
		if n%2 == 0 {
			content = evil
		}
		err := os.WriteFile(path+"-next", content, 0o755)
		if err == nil {
			err = os.Rename(path+"-next", path)
		}
		if err != nil {
			t.Error(err)
		}
	})
	started := 0
	for range 50 {
		_, err := s.tryCLI("plugin", "restart", "bad-target")
		if running, gone := s.runs(); err == nil && gone == nil {
			started++
			if !bytes.Equal(running, good) {
				t.Fatalf("%d bytes run, %d are pinned", len(running), len(good))
			}
		}
	}
	stop()
	t.Logf("%d of 50 restarts met the file that is pinned", started)
	if err := os.WriteFile(path+"-next", good, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"-next", path); err != nil {
		t.Fatal(err)
	}
	s.cli("plugin", "restart", "bad-target")
	s.eventually("what is pinned runs again", 30*time.Second, func() bool {
		running, err := s.runs()
		return err == nil && bytes.Equal(running, good)
	})
}

// runs reads what the chaos plugin's process executes.
func (s *stack) runs() ([]byte, error) {
	s.t.Helper()
	return os.ReadFile(fmt.Sprintf("/proc/%d/exe", s.plugins()["chaos"]))
}
