package client

import (
	"os"
	"os/exec"
)

func setAttributes(*exec.Cmd, *os.File) {}

func waitFor(c *exec.Cmd) { _ = c.Wait() }

// killGroup ends the process; Windows has no groups without job objects.
func killGroup(id int) {
	if id <= 0 {
		return
	}
	if p, err := os.FindProcess(id); err == nil {
		_ = p.Kill()
	}
}

func pauseGroup(int) {}

func resumeGroup(int) {}

func terminate(id int) { killGroup(id) }

func abort(id int) { killGroup(id) }

func signalOf(*os.ProcessState) string { return "" }
