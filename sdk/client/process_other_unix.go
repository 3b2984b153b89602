//go:build unix && !linux

package client

import (
	"os"
	"os/exec"
	"syscall"
)

// setAttributes gives the process a group of its own. The lifeline alone ends
// it with the gateway.
func setAttributes(c *exec.Cmd, _ *os.File) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// waitFor returns when the process has ended. There is no portable way to
// learn of the end without reaping.
func waitFor(c *exec.Cmd) { _ = c.Wait() }
