package sqlite

import (
	"errors"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// Under these names SQLite knows files; the second gathers.
const (
	vfsName   = "bellcrank"
	gathering = "-gathering"
)

// files is a file system that says when it is full, and that writes a commit
// to the log at once.
//
// The driver's own calls every write that fails an I/O error, and after one of
// those nobody could go on: a full disk, which may have room again in a
// minute, must not end the gateway.
type files struct {
	vfs.VFSFilename
	// gather holds back what is written to the log until it is synced. That is
	// safe only for a connection that syncs each commit: then nobody knows of a
	// frame before it is written.
	gather bool
}

// registerFiles makes files on top of a file system known to SQLite.
func registerFiles(name string, below vfs.VFSFilename) {
	vfs.Register(name, files{VFSFilename: below})
	vfs.Register(name+gathering, files{VFSFilename: below, gather: true})
}

// OpenFilename opens a file.
func (v files) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, out, err := v.VFSFilename.OpenFilename(name, flags)
	switch {
	case err != nil:
		return nil, out, err
	case v.gather && flags&vfs.OPEN_WAL != 0:
		return newLogFile(f), out, nil
	}
	return file{f}, out, nil
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

const (
	// maxGathered bounds what a logFile holds back.
	maxGathered = 1 << 20
	// ahead is how many bytes a logFile grows by.
	ahead = 1 << 20
)

// zeros are what a logFile grows by: no frame is made of them.
var zeros [ahead]byte

// logFile is the log as one connection has it open. SQLite writes it frame by
// frame, each in two parts; a logFile writes what is adjacent in one go. It
// grows in steps, as a sync that has to note a new size takes twice as long as
// one that only brings data.
type logFile struct {
	file
	at      int64  // where pending belongs
	pending []byte // gathered
	size    int64  // of the file; smaller if unknown
}

func newLogFile(f vfs.File) *logFile {
	size, _ := f.Size() // unknown, it is found out by writing
	return &logFile{file: file{f}, size: size}
}

// WriteAt takes note of a write.
func (f *logFile) WriteAt(p []byte, at int64) (int, error) {
	if at != f.at+int64(len(f.pending)) || len(f.pending)+len(p) > maxGathered {
		if err := f.flush(); err != nil {
			return 0, err
		}
		f.at = at
	}
	f.pending = append(f.pending, p...)
	return len(p), nil
}

// flush writes what was gathered. If that fails it is forgotten: SQLite learns
// of it in the same transaction, and writes it again in another.
func (f *logFile) flush() error {
	if len(f.pending) == 0 {
		return nil
	}
	_, err := f.file.WriteAt(f.pending, f.at)
	f.at += int64(len(f.pending))
	f.pending = f.pending[:0]
	if err == nil && f.at > f.size {
		f.grow()
	}
	return err
}

// grow writes zeros behind the last frame. If there is no room for them the
// next frame finds out.
func (f *logFile) grow() {
	n, _ := f.File.WriteAt(zeros[:], f.at)
	f.size = f.at + int64(n)
}

// Sync brings everything to stable storage.
func (f *logFile) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

// ReadAt reads what was written, gathered or not.
func (f *logFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

// Size returns the size with what was gathered.
func (f *logFile) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

// Truncate cuts the log.
func (f *logFile) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	f.size = min(f.size, size)
	return f.File.Truncate(size)
}

// Close writes what was gathered and closes the log.
func (f *logFile) Close() error {
	return errors.Join(f.flush(), f.File.Close())
}
