// Package gatewaytest builds the real binaries for tests that run them: the
// gateway, its plugins, pinned as `make build` pins them, and the receiver. It
// also finds them ports to listen on.
package gatewaytest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Main is a TestMain: it builds the binaries into a temporary folder, lets
// bin name it, runs the tests, and exits.
func Main(m *testing.M, bin *string) {
	os.Exit(run(m, bin))
}

func run(m *testing.M, bin *string) int {
	dir, err := os.MkdirTemp("", "bellcrank-test-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }() // it is a temporary folder
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*bin = dir
	return m.Run()
}

// build makes bellcrank, receiver and plugins/* in dir. Without symbols the
// linker is done in half the time.
func build(dir string) error {
	plugins := filepath.Join(dir, "plugins")
	if err := os.Mkdir(plugins, 0o755); err != nil {
		return err
	}
	bellcrank := filepath.Join(dir, "bellcrank")
	for _, command := range [][]string{
		{"go", "build", "-ldflags", "-s -w", "-o", bellcrank, "bellcrank.example/gateway"},
		{"go", "build", "-ldflags", "-s -w", "-o", filepath.Join(dir, "receiver"), "bellcrank.example/examples/receiver"},
		{"go", "build", "-ldflags", "-s -w", "-o", plugins + string(filepath.Separator), "bellcrank.example/plugins/..."},
	} {
		if _, err := output(command...); err != nil {
			return err
		}
	}
	if err := nameNotifiers(plugins); err != nil {
		return err
	}
	_, err := output(bellcrank, "plugin", "lock", "-manifest", plugins)
	return err
}

// nameNotifiers gives the one program its names.
func nameNotifiers(plugins string) error {
	program := filepath.Join(plugins, "notifier")
	names, err := output(program, "-types")
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(names) {
		if err := os.Link(program, filepath.Join(plugins, name)); err != nil {
			return err
		}
	}
	return os.Remove(program)
}

// output runs a command to its end.
func output(command ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
	}
	return string(out), nil
}
