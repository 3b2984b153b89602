package pluginhost

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// runsByDescriptor: what was hashed is what runs.
const runsByDescriptor = true

// seal copies an executable into memory that nobody can write any more.
func seal(from *os.File) (*os.File, error) {
	fd, err := unix.MemfdCreate("plugin", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memory for a copy: %w", err)
	}
	sealed := os.NewFile(uintptr(fd), "plugin")
	if _, err = io.Copy(sealed, from); err == nil {
		_, err = unix.FcntlInt(sealed.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err == nil {
		_, err = sealed.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = sealed.Close()
		return nil, fmt.Errorf("copy into memory: %w", err)
	}
	return sealed, nil
}
