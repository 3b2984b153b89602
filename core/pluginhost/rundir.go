package pluginhost

import (
	"fmt"
	"os"
	"path/filepath"
)

// socketRoom is how long the run folder's path may be, in bytes, so that a
// socket in it stays within the kernel's limit.
const socketRoom = 60

// makeRunDir makes the folder for sockets and takes away what a gateway that
// was killed has left in it.
func (h *Host) makeRunDir() (remove func(), err error) {
	dir, err := filepath.Abs(h.cfg.RunDir)
	if err != nil {
		return nil, fmt.Errorf("plugin run folder: %w", err)
	}
	if h.cfg.RunDir == "" || len(dir) > socketRoom {
		temporary, err := os.MkdirTemp("", "bellcrank-")
		if err != nil {
			return nil, fmt.Errorf("plugin run folder: %w", err)
		}
		h.runDir = temporary
		return func() { _ = os.RemoveAll(temporary) }, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("plugin run folder: %w", err)
	}
	stale, _ := filepath.Glob(filepath.Join(dir, "plugin-dir*"))
	for _, folder := range stale {
		_ = os.RemoveAll(folder)
	}
	h.runDir = dir
	return func() {}, nil
}
