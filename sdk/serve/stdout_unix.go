//go:build unix

package serve

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// guardStdout makes everything that is printed go to stderr, C libraries
// included, and returns the real stdout, which belongs to the handshake.
func guardStdout() (*os.File, error) {
	private, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("duplicate stdout: %w", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, fmt.Errorf("point stdout at stderr: %w", err)
	}
	return os.NewFile(uintptr(private), "handshake"), nil
}
