//go:build linux && cgroup

package pluginhost

import (
	"log/slog"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost/cgroup"
	"bellcrank.example/core/pluginhost/cgroup/cgrouptest"
	"bellcrank.example/core/pluginhost/sandbox"
)

// open opens a tree and closes it with the test. Hosts that use it are started
// later, and so have ended by then.
func open(t *testing.T, mode cgroup.Mode) *cgroup.Tree {
	t.Helper()
	tree := cgroup.Open(cgroup.Config{Mode: mode})
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("held by %v in %s: %v", tree.Holds(), tree.Folder(), tree.Why())
	return tree
}

// held runs a plugin in a cgroup of its own, free to start others. What the
// watch does to one that uses the processor is another matter, and this kernel
// is slow.
func held(t *testing.T, tree *cgroup.Tree, change func(*Spec)) *Host {
	t.Helper()
	s := spec(t)
	s.Sandbox, s.Limits.Processor = sandbox.Off, time.Hour
	if change != nil {
		change(&s)
	}
	return run(t, s, func(c *Config) { c.Cgroups, c.Logger = tree, slog.New(slog.DiscardHandler) })
}

// groupOf is the folder of the process that runs.
func groupOf(t *testing.T, tree *cgroup.Tree) string {
	t.Helper()
	folders := cgrouptest.Folders(t, tree.Folder())
	if len(folders) != 1 {
		t.Fatalf("there are the cgroups %v, want one", folders)
	}
	return folders[0]
}

var all = []string{cgroup.Memory, cgroup.Pids, cgroup.CPU}

func TestPluginIsBornInItsCgroup(t *testing.T) {
	cgrouptest.Given(t, all...)
	tree := open(t, cgroup.Auto)
	h := held(t, tree, func(s *Spec) { s.Limits.Memory, s.Limits.Nice = 100<<20, 10 })
	dir, s := groupOf(t, tree), status(h)
	if got := strings.Fields(cgrouptest.Read(t, dir, "cgroup.procs")); len(got) != 1 || got[0] != strconv.Itoa(s.PID) {
		t.Errorf("the processes %v are in it, want %d", got, s.PID)
	}
	for file, want := range map[string]string{
		"memory.max": strconv.Itoa(100 << 20), "memory.oom.group": "1", "pids.max": strconv.Itoa(leastTasks), "cpu.weight": "11",
	} {
		if got := cgrouptest.Read(t, dir, file); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
	if s.MemoryBy != "cgroup" || s.Sandbox != "off + cgroup (memory, pids, cpu, kill)" {
		t.Errorf("memory by %s, sandbox %s", s.MemoryBy, s.Sandbox)
	}
	if _, err := call(t, h, "", ""); err != nil {
		t.Error(err)
	}
}

func TestLeakPastTheCgroupsLimitEndsThePluginAlone(t *testing.T) {
	cgrouptest.Given(t, all...)
	tree := open(t, cgroup.Auto)
	h := held(t, tree, func(s *Spec) { s.Limits.Memory = 96 << 20 })
	pid := status(h).PID
	_, err := call(t, h, "leak", "")
	wantFault(t, err, core.AdapterCrash)
	eventually(t, "another process", func() bool { return h.Ready("chaos") && status(h).PID != pid })
	s := status(h)
	if s.RestartsBy["memory"] != 1 || len(s.RestartsBy) != 1 {
		t.Errorf("restarted because of %v, want memory", s.RestartsBy)
	}
	if s.LastCrash == nil || !strings.Contains(s.LastCrash.Exit, "too much memory") {
		t.Errorf("the last crash is %+v", s.LastCrash)
	}
	if _, err := call(t, h, "", ""); err != nil {
		t.Error(err)
	}
	groupOf(t, tree) // the old one's is gone
}

func TestCgroupHoldsAForkBombAndEndsAllOfIt(t *testing.T) {
	cgrouptest.Given(t, all...)
	tree := open(t, cgroup.Auto)
	h := held(t, tree, nil)
	pid := status(h).PID
	dir := groupOf(t, tree)
	got, err := call(t, h, "bomb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("it was told %s", got.Events[0].Description)
	if now := cgrouptest.Read(t, dir, "pids.current"); now != strconv.Itoa(leastTasks) {
		t.Errorf("it has %s tasks, want %d", now, leastTasks)
	}
	bombs := strings.Fields(cgrouptest.Read(t, dir, "cgroup.procs"))
	if len(bombs) < leastTasks/2 {
		t.Fatalf("only %d processes were started", len(bombs))
	}
	_, err = call(t, h, "exit", "")
	wantFault(t, err, core.AdapterCrash)
	eventually(t, "another process", func() bool { return h.Ready("chaos") && status(h).PID != pid })
	for _, bomb := range bombs {
		eventually(t, "the end of "+bomb, func() bool { return !cgrouptest.Lives(bomb) })
	}
	eventually(t, "the end of the cgroup", func() bool { return len(cgrouptest.Folders(t, tree.Folder())) == 1 })
}

func TestCgroupEndsADescendantThatLeftTheProcessGroup(t *testing.T) {
	for name, controllers := range map[string][]string{"with controllers": all, "without any": nil} {
		t.Run(name, func(t *testing.T) {
			cgrouptest.Given(t, controllers...)
			tree := open(t, cgroup.Auto)
			h := held(t, tree, nil)
			if s := status(h); controllers == nil && (s.MemoryBy != "watch" || s.Sandbox != "off + cgroup (kill)") {
				t.Errorf("memory by %s, sandbox %s", s.MemoryBy, s.Sandbox)
			}
			for range 3 {
				pid := status(h).PID
				got, err := call(t, h, "daemon", "")
				if err != nil {
					t.Fatal(err)
				}
				daemon := got.Events[0].Description
				if !cgrouptest.Lives(daemon) {
					t.Fatal("it has ended before")
				}
				_, err = call(t, h, "exit", "")
				wantFault(t, err, core.AdapterCrash)
				eventually(t, "another process", func() bool { return h.Ready("chaos") && status(h).PID != pid })
				eventually(t, "the end of the descendant", func() bool { return !cgrouptest.Lives(daemon) })
			}
		})
	}
}

func TestCgroupLeavesTheGatewayMostOfTheProcessorBesideASpinner(t *testing.T) {
	own := cgrouptest.Given(t, all...)
	tree := open(t, cgroup.Auto)
	h := held(t, tree, nil)
	ctx := within(t, patience)
	ours := exec.CommandContext(ctx, "/bin/sh", "-c", "while :; do :; done")
	if err := ours.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Process.Kill(); _ = ours.Wait() })
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = call(t, h, "spin", "") }()
	t.Cleanup(func() { <-gone })
	used := func(dir string) time.Duration {
		figure, _, _ := strings.Cut(strings.TrimPrefix(cgrouptest.Read(t, dir, "cpu.stat"), "usage_usec "), "\n")
		n, err := strconv.ParseInt(figure, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(n) * time.Microsecond
	}
	leaf := filepath.Join(own, "gateway")
	eventually(t, "both at work", func() bool { return used(tree.Folder()) > 200*time.Millisecond })
	its, mine := used(tree.Folder()), used(leaf)
	eventually(t, "two seconds of ours", func() bool { return used(leaf)-mine > 2*time.Second })
	its, mine = used(tree.Folder())-its, used(leaf)-mine
	t.Logf("the plugin had %v, the gateway %v", its, mine)
	if its > mine/2 || its < mine/20 {
		t.Errorf("the plugin had %v, the gateway %v; want a third of it", its, mine)
	}
	if err := h.Restart(ctx, "chaos"); err != nil {
		t.Fatal(err)
	}
}

func TestStartsLeaveNoCgroupBehind(t *testing.T) {
	cgrouptest.Given(t, all...)
	tree := open(t, cgroup.Auto)
	h := held(t, tree, nil)
	for range 20 {
		if err := h.Restart(t.Context(), "chaos"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "one cgroup", func() bool { return len(cgrouptest.Folders(t, tree.Folder())) == 1 })
}

func TestCgroupThatCannotBeMadeKeepsNoPluginDown(t *testing.T) {
	cgrouptest.Given(t, all...)
	tree := open(t, cgroup.Auto)
	cgrouptest.Write(t, tree.Folder(), "cgroup.max.descendants", "0")
	h := held(t, tree, nil)
	if s := status(h); !h.Ready("chaos") || s.MemoryBy != "watch" || s.Sandbox != "off" {
		t.Errorf("status %+v", s)
	}
}

func TestRequiredCgroupKeepsThePluginDown(t *testing.T) {
	cgrouptest.Given(t, cgroup.CPU)
	h := held(t, open(t, cgroup.Required), nil)
	if s := status(h); h.Ready("chaos") || !strings.Contains(s.LastError, "memory controller") {
		t.Errorf("status %+v", s)
	}
}
