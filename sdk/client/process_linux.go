package client

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// setAttributes gives the process a group of its own, and has the kernel kill
// it when the thread that started it ends. It begins its life in the cgroup, so
// that nothing of it is ever outside.
func setAttributes(c *exec.Cmd, cgroup *os.File) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if cgroup != nil {
		c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, int(cgroup.Fd())
	}
}

// waitFor returns when the process has ended, without reaping it.
func waitFor(c *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, c.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}
