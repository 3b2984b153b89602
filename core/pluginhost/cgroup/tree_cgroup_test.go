//go:build linux && cgroup

package cgroup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bellcrank.example/core/pluginhost/cgroup/cgrouptest"
)

// TestMain is what is started in cgroups as well.
func TestMain(m *testing.M) {
	if os.Getenv("SLEEP") != "" {
		time.Sleep(time.Hour)
	}
	if os.Getenv("OPEN") != "" {
		tree := Open(Config{})
		got := outcome{Holds: tree.Holds()}
		if why := tree.Why(); why != nil {
			got.Why = why.Error()
		}
		if err := errors.Join(json.NewEncoder(os.Stdout).Encode(got), tree.Close()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func closeTree(t *testing.T, tree *Tree) {
	t.Helper()
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
}

// sleeper starts a process in a group, in a session of its own, and returns its
// id.
func sleeper(t *testing.T, g *Group) string {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = []string{"SLEEP=1"}
	c.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.Dir().Fd()), Setsid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.Wait() }()
	return strconv.Itoa(c.Process.Pid)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestWhatIsGivenIsDivided(t *testing.T) {
	for name, controllers := range map[string][]string{
		"all": wanted, "memory": {Memory}, "those that threads may have": {Pids, CPU}, "none": nil,
	} {
		t.Run(name, func(t *testing.T) {
			own := cgrouptest.Given(t, controllers...)
			companion := exec.Command("/bin/sleep", "3600") // as a wrapper around the gateway
			if err := companion.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = companion.Process.Kill(); _ = companion.Wait() }()
			tree := Open(Config{})
			defer closeTree(t, tree)
			if got, want := tree.Holds(), append(slices.Clone(controllers), kill); !slices.Equal(got, want) {
				t.Errorf("held by %v, want %v; %v", got, want, tree.Why())
			}
			if (tree.Why() == nil) != (len(controllers) == len(wanted)) {
				t.Errorf("why: %v", tree.Why())
			}
			g, err := tree.New("x", Limits{Memory: 1 << 30, Tasks: 10, Nice: 5})
			if err != nil {
				t.Fatal(err)
			}
			pid := sleeper(t, g)
			if got := cgrouptest.Read(t, g.path, "cgroup.procs"); got != pid {
				t.Errorf("the processes %q are in it, want %s", got, pid)
			}
			in := cgrouptest.Read(t, own, "cgroup.procs")
			if moved := in == ""; moved != (controllers != nil) {
				t.Errorf("beside the folders there are the processes %q", in)
			}
			g.End()
			if _, err := os.Stat(g.path); err == nil {
				eventually(t, "the end of the group", func() bool { _, err := os.Stat(g.path); return err != nil })
			}
			_ = companion.Process.Kill()
			_ = companion.Wait()
		})
	}
}

func TestOnlyWhatIsGivenIsTouched(t *testing.T) {
	own := cgrouptest.Undivided(t, wanted...)
	tree := Open(Config{})
	if tree.Why() == nil || !strings.Contains(tree.Why().Error(), "Delegate=") || len(tree.Holds()) > 0 {
		t.Errorf("held by %v: %v", tree.Holds(), tree.Why())
	}
	if got := cgrouptest.Read(t, own, "cgroup.procs"); got != strconv.Itoa(os.Getpid()) || len(cgrouptest.Folders(t, own)) > 0 {
		t.Errorf("it was touched: %q, %v", got, cgrouptest.Folders(t, own))
	}
	tree = Open(Config{Mode: Required})
	defer closeTree(t, tree)
	if tree.Why() != nil {
		t.Errorf("taken all the same: %v", tree.Why())
	}
}

func TestRootOfTheHostIsTakenOnlyWhenToldTo(t *testing.T) {
	if tree := Open(Config{}); tree.Why() == nil || tree.Folder() != "" {
		t.Errorf("it was taken: %s", tree.Folder())
	}
	tree := Open(Config{Mode: Required})
	defer closeTree(t, tree)
	if tree.Why() != nil || filepath.Dir(tree.Folder()) != "/sys/fs/cgroup" {
		t.Errorf("folder %s: %v", tree.Folder(), tree.Why())
	}
}

func TestReadOnlyHierarchyGivesNothing(t *testing.T) {
	cgrouptest.Given(t, wanted...)
	const flags = unix.MS_REMOUNT | unix.MS_BIND
	if err := unix.Mount("", "/sys/fs/cgroup", "", flags|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	tree := Open(Config{})
	if err := unix.Mount("", "/sys/fs/cgroup", "", flags, ""); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(tree.Why(), unix.EROFS) || tree.Folder() != "" {
		t.Errorf("folder %s: %v", tree.Folder(), tree.Why())
	}
}

func TestLeafThatTheManagerMadeIsTheGatewaysPlace(t *testing.T) {
	own := cgrouptest.Given(t, wanted...)
	leaf := filepath.Join(own, "main") // as with DelegateSubgroup=main
	if err := os.Mkdir(leaf, 0o755); err != nil {
		t.Fatal(err)
	}
	cgrouptest.Write(t, leaf, "cgroup.procs", strconv.Itoa(os.Getpid()))
	defer func() {
		cgrouptest.Write(t, "/sys/fs/cgroup", "cgroup.procs", strconv.Itoa(os.Getpid()))
		_ = unix.Rmdir(leaf)
	}()
	tree := Open(Config{})
	defer closeTree(t, tree)
	if tree.Why() != nil || filepath.Dir(tree.Folder()) != own {
		t.Errorf("folder %s: %v", tree.Folder(), tree.Why())
	}
	if got := cgrouptest.Read(t, leaf, "cgroup.procs"); got != strconv.Itoa(os.Getpid()) {
		t.Errorf("the processes %q are in the leaf", got)
	}
}

func TestGatewaysSideBySideLeaveEachOtherAlone(t *testing.T) {
	own := cgrouptest.Given(t, wanted...)
	first, second := Open(Config{}), Open(Config{})
	groups := map[*Tree]string{}
	for _, tree := range []*Tree{first, second} {
		g, err := tree.New("x", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		groups[tree] = sleeper(t, g)
	}
	third := Open(Config{}) // takes leftovers away
	closeTree(t, third)
	if !cgrouptest.Lives(groups[first]) || !cgrouptest.Lives(groups[second]) {
		t.Error("it has ended another gateway's process")
	}
	closeTree(t, first)
	if cgrouptest.Lives(groups[first]) || !cgrouptest.Lives(groups[second]) {
		t.Error("the end of one gateway isn't that of its own processes alone")
	}
	closeTree(t, second)
	if left := cgrouptest.Folders(t, own); len(left) != 1 {
		t.Errorf("there are %v, want the leaf alone", left)
	}
}

func TestWhatADeadGatewayLeftIsTakenAway(t *testing.T) {
	own := cgrouptest.Given(t, wanted...)
	dead := Open(Config{})
	g, err := dead.New("x", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	pid := sleeper(t, g)
	if err := os.MkdirAll(filepath.Join(g.path, "its own", "cgroups"), 0o755); err != nil {
		t.Fatal(err)
	}
	others := filepath.Join(own, "others")
	if err := os.Mkdir(others, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(others)
	dead.lock.Close() // as the kernel does
	next := Open(Config{})
	closeTree(t, next)
	if _, err := os.Stat(dead.folder); err == nil || cgrouptest.Lives(pid) {
		t.Errorf("%s is there, or its process", dead.folder)
	}
	if _, err := os.Stat(others); err != nil {
		t.Errorf("what isn't ours has gone: %v", err)
	}
}

func TestHundredGroupsLeaveNoFolder(t *testing.T) {
	cgrouptest.Given(t, wanted...)
	tree := Open(Config{})
	for range 100 {
		g, err := tree.New("x", Limits{Memory: 1 << 30, Tasks: 10, Nice: 5})
		if err != nil {
			t.Fatal(err)
		}
		pid := sleeper(t, g)
		g.End()
		eventually(t, "the end of "+pid, func() bool { return !cgrouptest.Lives(pid) })
	}
	eventually(t, "the end of the folders", func() bool { return len(cgrouptest.Folders(t, tree.folder)) == 0 })
	closeTree(t, tree)
}

func TestWithoutCgroupKillTheEndIsWhole(t *testing.T) {
	cgrouptest.Given(t)
	tree := Open(Config{})
	defer closeTree(t, tree)
	g, err := tree.New("x", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	pids := []string{sleeper(t, g), sleeper(t, g)}
	// As on a kernel that doesn't have the file.
	if err := unix.Mount("/dev/full", filepath.Join(g.path, "cgroup.kill"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	killAll(g.path)
	if err := unix.Unmount(filepath.Join(g.path, "cgroup.kill"), unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		eventually(t, "the end of "+pid, func() bool { return !cgrouptest.Lives(pid) })
	}
	g.End()
}

// outcome is what a gateway of an ordinary user's finds in a cgroup.
type outcome struct {
	Holds []string
	Why   string
}

// openAsUser opens a tree as another user, in a process that starts in dir.
func openAsUser(t *testing.T, dir string) outcome {
	t.Helper()
	program := filepath.Join(t.TempDir(), "gateway")
	content, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, content, 0o755)
	}
	for _, folder := range []string{filepath.Dir(program), filepath.Dir(filepath.Dir(program))} {
		if err == nil {
			err = os.Chmod(folder, 0o755)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	c := exec.Command(program)
	c.Env = []string{"OPEN=1"}
	c.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: int(folder.Fd()), Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	said, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got outcome
	if err := json.Unmarshal(said, &got); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return got
}

const nobody = 65534

// usersOwn is a cgroup that belongs to an ordinary user, as where systemd gives
// it to a unit with User=.
func usersOwn(t *testing.T, above string) string {
	t.Helper()
	cgrouptest.Write(t, above, "cgroup.subtree_control", "+memory +pids +cpu")
	dir := filepath.Join(above, "own")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} {
		if err := os.Chown(filepath.Join(dir, file), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestOrdinaryUsersGateway(t *testing.T) {
	const above = "/sys/fs/cgroup/slice"
	tests := map[string]struct {
		change func(t *testing.T, dir string)
		want   string // of what it says; empty: it holds by everything
	}{
		"in a cgroup of its own": {func(*testing.T, string) {}, ""},
		"beside others": {func(t *testing.T, dir string) {
			folder, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer folder.Close()
			other := exec.Command("/bin/sleep", "3600")
			other.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: int(folder.Fd())}
			if err := other.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
		}, "processes other than the gateway"},
		"in what a user's manager keeps": {func(t *testing.T, dir string) {
			if err := unix.Setxattr(filepath.Dir(dir), "user.delegate", []byte("1"), 0); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(filepath.Dir(dir), "init.scope"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "another manager's"},
		"in root's": {func(t *testing.T, dir string) {
			if err := os.Chown(filepath.Join(dir, "cgroup.subtree_control"), 0, 0); err != nil {
				t.Fatal(err)
			}
		}, "permission denied"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := os.Mkdir(above, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := remove(above); err != nil {
					t.Error(err)
				}
			})
			cgrouptest.Write(t, filepath.Dir(above), "cgroup.subtree_control", "+memory +pids +cpu")
			dir := usersOwn(t, above)
			tt.change(t, dir)
			got := openAsUser(t, dir)
			if all := slices.Equal(got.Holds, append(slices.Clone(wanted), kill)); all != (tt.want == "") || !strings.Contains(got.Why, tt.want) {
				t.Errorf("held by %v: %s", got.Holds, got.Why)
			}
		})
	}
}
