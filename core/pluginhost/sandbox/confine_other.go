//go:build !linux

package sandbox

import (
	"errors"
	"os"
)

// Self is empty: there is no shim here.
func Self() []string { return nil }

// Hide does nothing here.
func Hide() error { return nil }

// become is for Linux. The host doesn't ask for it elsewhere.
func become(Policy, *Report, *os.File, string, []string) error {
	return errors.New("plugins are confined on Linux only")
}
