package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Group holds one process of a plugin, and whatever that one starts.
type Group struct {
	tree  *Tree
	path  string
	dir   *os.File
	holds []string

	end         sync.Once
	outOfMemory bool
}

// New makes a group. An error means that there is none.
func (t *Tree) New(name string, l Limits) (*Group, error) {
	if t == nil || t.folder == "" {
		return nil, t.Why()
	}
	for _, c := range []string{Memory, Pids} {
		if t.mode == Required && !slices.Contains(t.controllers, c) {
			return nil, t.Why()
		}
	}
	return t.group(name, l)
}

func (t *Tree) group(name string, l Limits) (*Group, error) {
	t.mu.Lock()
	t.made++
	path := filepath.Join(t.folder, folderName(name, t.made))
	t.mu.Unlock()
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	g := &Group{tree: t, path: path}
	err := g.limit(l)
	if err == nil {
		g.dir, err = os.Open(path)
	}
	if err != nil {
		_ = os.Remove(path)
		return nil, err
	}
	return g, nil
}

// limit sets what the controllers shall hold the group to.
func (g *Group) limit(l Limits) error {
	has := func(controller string) bool { return slices.Contains(g.tree.controllers, controller) }
	if l.Memory > 0 && has(Memory) {
		if err := write(g.path, "memory.max", l.Memory); err != nil {
			return err
		}
		// Kernels without swap, and old ones, don't have these.
		for file, value := range map[string]int{"memory.swap.max": 0, "memory.oom.group": 1} {
			if err := write(g.path, file, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		g.holds = append(g.holds, Memory)
	}
	if l.Tasks > 0 && has(Pids) {
		if err := write(g.path, "pids.max", l.Tasks); err != nil {
			return err
		}
		g.holds = append(g.holds, Pids)
	}
	if has(CPU) {
		if err := write(g.path, "cpu.weight", weight(l.Nice)); err != nil {
			return err
		}
		g.holds = append(g.holds, CPU)
	}
	g.holds = append(g.holds, kill)
	return nil
}

// Dir is the opened folder of the group, for a process to be started in; nil if
// there is no group.
func (g *Group) Dir() *os.File {
	if g == nil {
		return nil
	}
	return g.dir
}

// End kills whatever is in the group and takes the group away. It doesn't wait
// for what dies slowly: Tree.Close does.
func (g *Group) End() {
	if g == nil {
		return
	}
	g.end.Do(func() {
		g.outOfMemory = g.killedForMemory()
		g.dir.Close()
		killAll(g.path)
		if err := remove(g.path); err != nil {
			g.tree.removals.Go(func() { _ = takeAway(g.path) })
		}
	})
}

// OutOfMemory reports whether the kernel has killed in the group for want of
// memory. It is known after End.
func (g *Group) OutOfMemory() bool { return g != nil && g.outOfMemory }

func (g *Group) killedForMemory() bool {
	content, err := os.ReadFile(filepath.Join(g.path, "memory.events"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(content)) {
		if count, is := strings.CutPrefix(line, "oom_kill "); is {
			return strings.TrimSpace(count) != "0"
		}
	}
	return false
}

// killAll kills whatever is in a cgroup or below.
func killAll(dir string) {
	if write(dir, "cgroup.kill", 1) == nil {
		return
	}
	// The kernel is older than 5.14. What is started meanwhile is killed when the
	// folder turns out not to be empty.
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // a folder that is gone has no processes
		}
		for _, word := range words(path, "cgroup.procs") {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		return nil
	})
}

// remove takes away a cgroup and what is below. It fails as long as there are
// processes.
func remove(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "remove", Path: dir, Err: err}
	}
	return nil
}

// takeAway kills and removes until nothing is left, for ten seconds at most: a
// process that the kernel holds in a call of its own dies when that returns.
func takeAway(dir string) error {
	const tries, longest = 200, 50 * time.Millisecond
	var err error
	for wait, n := time.Millisecond, 0; n < tries; wait, n = min(2*wait, longest), n+1 {
		killAll(dir)
		if err = remove(dir); err == nil {
			return nil
		}
		time.Sleep(wait)
	}
	return fmt.Errorf("processes of plugins don't end: %w", err)
}
