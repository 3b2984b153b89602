package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Self is the shim's command line where this executable calls Main.
func Self() []string { return []string{"/proc/self/exe"} }

// Hide keeps other processes of our user from reading our memory and
// environment, where secrets are.
func Hide() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid reading this process's memory: %w", err)
	}
	return nil
}

// become confines this process and executes the file. It returns only if it
// can't.
func become(p Policy, r *Report, report *os.File, file string, args []string) error {
	// What belongs to a thread must belong to the one that executes.
	runtime.LockOSThread()
	// The parent's death would otherwise be forgotten with the privileges.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("end with the gateway: %w", err)
	}
	if err := unix.CloseRange(ReportFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		unix.CloseOnExec(ReportFD)
	}
	if err := limit(p); err != nil {
		return err
	}
	if p.Mode != Off {
		confine(p, r, file)
		if p.Mode == Required && !r.Full() {
			return fmt.Errorf(`sandbox = "required", but %s`, strings.Join(r.Missing, "; "))
		}
	}
	for _, name := range p.Unset {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	if err := send(report, *r); err != nil {
		return err
	}
	if err := syscall.Exec(file, args, os.Environ()); err != nil {
		return fmt.Errorf("execute the plugin: %w", err)
	}
	return nil
}

// limit bounds resources.
func limit(p Policy) error {
	limits := map[int]uint64{unix.RLIMIT_NOFILE: p.OpenFiles, unix.RLIMIT_FSIZE: p.FileSize, unix.RLIMIT_DATA: p.Data}
	for which, value := range limits {
		if value == 0 {
			continue
		}
		if err := unix.Setrlimit(which, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("resource limit %d: %w", which, err)
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if p.Nice == 0 {
		return nil
	}
	// The raw call returns 20 minus the niceness.
	now, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, min(20-now+p.Nice, 19))
	}
	if err != nil {
		return fmt.Errorf("niceness: %w", err)
	}
	return nil
}

// socketFolder is the variable in which go-plugin says where the process may
// make its socket.
const socketFolder = "PLUGIN_UNIX_SOCKET_DIR"

// confine takes away what the kernel lets us take away, and notes the rest.
func confine(p Policy, r *Report, file string) {
	socket := os.Getenv(socketFolder)
	note := func(what string, err error) bool {
		if err != nil {
			r.Missing = append(r.Missing, what+": "+err.Error())
		}
		return err == nil
	}
	r.NoNewPrivileges = note("no-new-privs", ll.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	r.NoCapabilities = note("capabilities", dropCapabilities(socket))
	if version, err := restrictFiles(p, file, socket); note("landlock", err) {
		r.Landlock = version
	}
	r.Seccomp = note("seccomp", filterCalls())
}

// inMemory begins what the link of a descriptor says where the file is in no
// file system. Nothing restricts the access to it.
const inMemory = "/memfd:"

// restrictFiles leaves the process its executable, its socket's folder and
// what the policy lets it read.
func restrictFiles(p Policy, file, socket string) (version int, err error) {
	version, err = ll.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return 0, errors.New("the kernel doesn't have it")
	}
	const run = ll.AccessFSReadFile | ll.AccessFSExecute
	rules := []landlock.Rule{
		landlock.PathAccess(ll.AccessFSReadFile, "/dev/urandom", "/dev/random", "/dev/zero").IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile|ll.AccessFSWriteFile, "/dev/null").IgnoreIfMissing(),
	}
	if socket != "" {
		const own = ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSReadDir |
			ll.AccessFSRemoveFile | ll.AccessFSMakeReg | ll.AccessFSMakeSock
		rules = append(rules, landlock.PathAccess(own, socket))
	}
	if target, _ := os.Readlink(file); !strings.HasPrefix(target, inMemory) {
		rules = append(rules, landlock.PathAccess(run, file))
	}
	for _, path := range append(needs(file), p.Read...) {
		switch info, err := os.Stat(path); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return 0, err
		case info.IsDir():
			rules = append(rules, landlock.RODirs(path))
		default:
			rules = append(rules, landlock.PathAccess(run, path))
		}
	}
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return 0, err
	}
	return min(version, 11), nil
}

// dropCapabilities takes away what root can do more than others. Where the
// socket's folder can be reached only by root's privileges they stay: it
// belongs to another user than the gateway's.
func dropCapabilities(socket string) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had, none [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		return err
	}
	if had == none && os.Geteuid() != 0 {
		return nil
	}
	without := had
	without[0].Effective, without[1].Effective = 0, 0
	if err := unix.Capset(&header, &without[0]); err != nil {
		return err
	}
	reach := unix.Faccessat(unix.AT_FDCWD, socket, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if err := unix.Capset(&header, &had[0]); err != nil {
		return err
	}
	if socket != "" && reach != nil {
		return fmt.Errorf("%s can't be reached without them: %w", socket, reach)
	}
	for c := uintptr(0); c < 64; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); errors.Is(err, unix.EINVAL) {
			break // there are no more
		} else if err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	return unix.Capset(&header, &none[0])
}
