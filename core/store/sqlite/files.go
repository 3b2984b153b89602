package sqlite

import (
	"errors"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// vfsName is under which SQLite knows files.
const vfsName = "bellcrank"

// files is a file system that says when it is full. The driver's own calls
// every write that fails an I/O error, and after one of those nobody could go
// on: a full disk, which may have room again in a minute, must not end the
// gateway.
type files struct{ vfs.VFSFilename }

// registerFiles makes files known to SQLite.
func registerFiles() {
	vfs.Register(vfsName, files{vfs.Find("").(vfs.VFSFilename)})
}

// OpenFilename opens a file.
func (v files) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return file{f}, flags, nil
}

type file struct{ vfs.File }

// WriteAt writes, and tells a full disk from a broken one.
func (f file) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = vfs.SystemError(err, sqlite3.FULL)
	}
	return n, err
}

// SharedMemory returns the index of the log that connections share.
func (f file) SharedMemory() vfs.SharedMemory {
	if shared, ok := f.File.(vfs.FileSharedMemory); ok {
		return shared.SharedMemory()
	}
	return nil
}
