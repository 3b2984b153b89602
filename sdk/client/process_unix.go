//go:build unix

package client

import (
	"os"
	"syscall"
)

// killGroup kills a process and its descendants. It does nothing for id 0.
func killGroup(id int) {
	if id > 0 {
		_ = syscall.Kill(-id, syscall.SIGKILL)
	}
}

func pauseGroup(id int) {
	if id > 0 {
		_ = syscall.Kill(-id, syscall.SIGSTOP)
	}
}

func resumeGroup(id int) {
	if id > 0 {
		_ = syscall.Kill(-id, syscall.SIGCONT)
	}
}

func terminate(id int) {
	if id > 0 {
		_ = syscall.Kill(id, syscall.SIGTERM)
	}
}

// abort has a Go program write its stacks; a stopped one must go on for that.
func abort(id int) {
	if id > 0 {
		_ = syscall.Kill(id, syscall.SIGABRT)
		_ = syscall.Kill(id, syscall.SIGCONT)
	}
}

func signalOf(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal().String()
	}
	return ""
}
