package pluginhost

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bellcrank.example/core/pluginhost/sandbox"
)

// target is what a plugin tries to reach.
type target struct {
	File   string // readable to everybody
	Folder string // writable to everybody
	TCP    string // address of a listener
	Unix   string // path of a listener's socket
	PID    int    // of the gateway
}

// reach tries everything that an adapter has no use for, and returns what
// became of each.
func reach(body []byte) map[string]string {
	var to target
	if err := json.Unmarshal(body, &to); err != nil {
		return map[string]string{"target": err.Error()}
	}
	attempts := map[string]func() error{
		"read a file":    func() error { _, err := os.ReadFile(to.File); return err },
		"write a file":   func() error { return os.WriteFile(filepath.Join(to.Folder, "written"), nil, 0o600) },
		"list a folder":  func() error { _, err := os.ReadDir(to.Folder); return err },
		"connect by TCP": func() error { return dial("tcp", to.TCP) },
		"listen by TCP": func() error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				err = l.Close()
			}
			return err
		},
		"send by UDP":               func() error { return dial("udp", to.TCP) },
		"connect to another socket": func() error { return dial("unix", to.Unix) },
		"start a program":           func() error { return exec.Command("/bin/true").Run() },
		"read our environment": func() error {
			_, err := os.ReadFile("/proc/" + strconv.Itoa(to.PID) + "/environ")
			return err
		},
		"signal us":        func() error { return unix.Kill(to.PID, 0) },
		"open a namespace": func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"hide a program":   func() error { fd, err := unix.MemfdCreate("hidden", 0); unix.Close(fd); return err },
	}
	outcome := map[string]string{}
	for name, try := range attempts {
		outcome[name] = "done"
		if err := try(); err != nil {
			outcome[name] = err.Error()
		}
	}
	return outcome
}

func dial(network, address string) error {
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return err
	}
	return c.Close()
}

// leak takes memory until somebody stops it.
func leak() error {
	var held [][]byte
	for range 4096 {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = 1 // or the kernel gives nothing
		}
		held = append(held, b)
	}
	return fmt.Errorf("%d MiB were there", len(held))
}

// targets are real, so that what is out of reach is so for one reason.
func targets(t *testing.T) []byte {
	t.Helper()
	to := target{Folder: t.TempDir(), PID: os.Getpid()}
	to.File = filepath.Join(to.Folder, "file")
	if err := os.WriteFile(to.File, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "reach") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	to.Unix = filepath.Join(folder, "s")
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": to.Unix} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if network == "tcp" {
			to.TCP = l.Addr().String()
		}
	}
	body, err := json.Marshal(to)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// reached lists what a plugin can do.
func reached(t *testing.T, s Spec) (Status, []string) {
	t.Helper()
	h := run(t, s, nil)
	got, err := call(t, h, "reach", string(targets(t)))
	if err != nil {
		t.Fatalf("%v; %s", err, status(h).LastError)
	}
	var done []string
	for name, outcome := range got.Events[0].Labels {
		if outcome == "done" {
			done = append(done, name)
		}
	}
	t.Logf("outcomes: %v", got.Events[0].Labels)
	slices.Sort(done)
	return status(h), done
}

func TestConfinedPluginReachesNothing(t *testing.T) {
	s := spec(t)
	s.Sandbox = sandbox.Required
	s.Limits.Nice = 7
	state, done := reached(t, s)
	if len(done) > 0 {
		t.Errorf("it could %s", strings.Join(done, ", "))
	}
	if !strings.HasPrefix(state.Sandbox, "full (landlock ") {
		t.Errorf("the level is %q", state.Sandbox)
	}
}

func TestReportedLevelIsTheKernelsOwn(t *testing.T) {
	s := spec(t)
	s.Sandbox = sandbox.Required
	h := run(t, s, nil)
	pid := status(h).PID
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"} {
		if strings.HasPrefix(line, "CapBnd") && os.Geteuid() != 0 {
			continue // only root can lower it, and only root has use for it
		}
		if !strings.Contains(string(content), line+"\n") {
			t.Errorf("the kernel doesn't say %q:\n%s", line, content)
		}
	}
	its, err := niceness(pid)
	ours, errOurs := niceness(0)
	if err != nil || errOurs != nil || its != min(ours+defaultNice, 19) {
		t.Errorf("niceness %d, ours %d (%v, %v); want %d more, 19 at most", its, ours, err, errOurs, defaultNice)
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || string(name) != "chaos\n" {
		t.Errorf("its name is %q, %v", name, err)
	}
}

// niceness is that of a process; 0 is ours.
func niceness(pid int) (int, error) {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
	return 20 - raw, err // the kernel's way to say it without a negative number
}

// TestWithoutSandboxPluginsReach is the control of the test above: what that
// one finds out of reach is there.
func TestWithoutSandboxPluginsReach(t *testing.T) {
	s := spec(t)
	s.Sandbox = sandbox.Off
	state, done := reached(t, s)
	for _, name := range []string{
		"read a file", "write a file", "list a folder", "connect by TCP", "listen by TCP", "send by UDP",
		"connect to another socket", "start a program", "signal us", "hide a program",
	} {
		if !slices.Contains(done, name) {
			t.Errorf("unconfined, it can't %s", name)
		}
	}
	if state.Sandbox != "off" {
		t.Errorf("the level is %q", state.Sandbox)
	}
}

func TestReadPathsAreReadable(t *testing.T) {
	s := spec(t)
	folder := t.TempDir()
	s.ReadPaths = []string{folder}
	h := run(t, s, nil)
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(target{File: file, Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	got, err := call(t, h, "reach", string(body))
	if err != nil {
		t.Fatal(err)
	}
	outcome := got.Events[0].Labels
	if outcome["read a file"] != "done" || outcome["list a folder"] != "done" || outcome["write a file"] == "done" {
		t.Errorf("outcomes %v; want to read and list, and no more", outcome)
	}
}

func TestRequiredSandboxThatIsNotThereKeepsThePluginDown(t *testing.T) {
	s := spec(t)
	s.Sandbox = sandbox.Required
	h := run(t, s, func(c *Config) { c.Shim = nil })
	if h.Ready("chaos") || !strings.Contains(status(h).LastError, `sandbox = "required"`) {
		t.Errorf("status %+v", status(h))
	}
}

// TestConfinedScriptFindsItsInterpreter and nothing else: the host's name is
// out of its reach.
func TestConfinedScriptFindsItsInterpreter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nread -r line </etc/hostname && echo \"stolen $line\"\necho hello from a shell >&2\nexit 5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := Spec{Name: "chaos", Type: "chaos", Path: path, Unpinned: true, Sandbox: sandbox.Required}
	h := run(t, s, func(c *Config) { c.Timing.FirstDelay = time.Hour })
	got := status(h).LastError
	if !strings.Contains(got, "exit status 5") || strings.Contains(got, "stolen") {
		t.Errorf("error %q, want the script's own exit status", got)
	}
}

func TestShimRefusesWhatItCannotUnderstand(t *testing.T) {
	for name, args := range map[string][]string{
		"nothing": {}, "no policy": {"x", "/bin/true", "true"}, "no file": {"{}"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			out, err := exec.CommandContext(ctx, executable(t), append([]string{sandbox.Command}, args...)...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "bellcrank: ") {
				t.Errorf("%v, %q; want a complaint", err, out)
			}
		})
	}
}
