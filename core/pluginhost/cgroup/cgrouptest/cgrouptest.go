//go:build linux

// Package cgrouptest gives a test's process a cgroup, as systemd does for a
// unit with Delegate=. It needs root, and a hierarchy of version 2 in
// /sys/fs/cgroup: a kernel of the test's own.
package cgrouptest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const root = "/sys/fs/cgroup"

// Given puts this process into a cgroup with these controllers until the test
// ends, and returns its folder. The test mustn't run beside others.
func Given(t testing.TB, controllers ...string) string {
	t.Helper()
	dir := Undivided(t, controllers...)
	if err := unix.Setxattr(dir, "trusted.delegate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Undivided is Given without the mark that says that it was given.
func Undivided(t testing.TB, controllers ...string) string {
	t.Helper()
	for _, c := range []string{"memory", "pids", "cpu"} {
		sign := "-"
		for _, wanted := range controllers {
			if c == wanted {
				sign = "+"
			}
		}
		Write(t, root, "cgroup.subtree_control", sign+c)
	}
	dir, err := os.MkdirTemp(root, "unit-")
	if err != nil {
		t.Fatal(err)
	}
	us := strconv.Itoa(os.Getpid())
	Write(t, dir, "cgroup.procs", us)
	t.Cleanup(func() {
		Write(t, root, "cgroup.procs", us)
		_ = unix.Rmdir(filepath.Join(dir, "gateway"))
		if err := unix.Rmdir(dir); err != nil {
			t.Errorf("something is left in %s: %v, %v", dir, err, Folders(t, dir))
		}
	})
	return dir
}

// Write sets a file of the kernel's.
func Write(t testing.TB, dir, file, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// Read returns a file of the kernel's.
func Read(t testing.TB, dir, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// Folders lists the cgroups in one.
func Folders(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, filepath.Join(dir, e.Name()))
		}
	}
	return folders
}

// Lives reports whether a process runs; a zombie doesn't.
func Lives(pid string) bool {
	content, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	_, state, found := strings.Cut(string(content), ") ")
	return err == nil && found && state[0] != 'Z'
}
