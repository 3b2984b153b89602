package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// denied are calls that an adapter has no use for, and that reach beyond its
// process. Those that an architecture doesn't have are left out.
var denied = []string{
	// network
	"connect",
	// other processes
	"fork", "vfork", "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "pidfd_open",
	"pidfd_getfd", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "move_pages",
	"migrate_pages",
	// its surroundings
	"mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount", "fsopen", "fsconfig",
	"fsmount", "fspick", "mount_setattr", "mknod", "mknodat", "name_to_handle_at", "open_by_handle_at", "quotactl",
	"quotactl_fd", "acct", "swapon", "swapoff", "sethostname", "setdomainname", "syslog", "vhangup", "reboot",
	"settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "setpriority", "ioprio_set",
	// the kernel
	"bpf", "perf_event_open", "keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module",
	"kexec_load", "kexec_file_load", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd",
	"personality", "iopl", "ioperm", "modify_ldt", "lookup_dcookie", "nfsservctl", "uselib", "memfd_create",
	"memfd_secret",
}

// filterCalls forbids calls, for this thread and whatever it executes.
func filterCalls() error {
	if err := filterWays(); err != nil {
		return err
	}
	info, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	var names []string
	for _, name := range denied {
		if _, ok := info.SyscallNames[name]; ok {
			names = append(names, name)
		}
	}
	first := func(op seccomp.Operation, value uint64) seccomp.ArgumentConditions {
		return seccomp.ArgumentConditions{{Argument: 0, Operation: op, Value: value}}
	}
	return seccomp.LoadFilter(seccomp.Filter{Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{{
			Action: seccomp.ActionErrno,
			Names:  names,
			NamesWithCondtions: []seccomp.NameWithConditions{
				{Name: "socket", Conditions: first(seccomp.NotEqual, unix.AF_UNIX)},
				{Name: "socketpair", Conditions: first(seccomp.NotEqual, unix.AF_UNIX)},
				{Name: "clone", Conditions: first(seccomp.BitsNotSet, unix.CLONE_THREAD)}, // no process, but threads
				{Name: "tgkill", Conditions: first(seccomp.NotEqual, uint64(os.Getpid()))},
			},
		}},
	}})
}

// native is the number by which the kernel tells this architecture.
var native = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// filterWays closes the ways around the other filter. That one lets calls in
// another architecture's numbers pass, and can't look into clone3, whose flags
// are in memory: as if the kernel didn't have it, C libraries do without.
func filterWays() error {
	architecture, ok := native[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("not for %s yet", runtime.GOARCH)
	}
	// Offsets of the number and the architecture in what the filter is given.
	const number, from = 0, 4
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: from},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: architecture, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CLONE3, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
}
