package sqlite

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// disk is a file system that knows what has reached the platter: it can fail,
// and it can be looked at as it would be after a power cut.
type disk struct {
	vfs.VFSFilename

	mu    sync.Mutex
	files map[string]*image           // guarded by mu
	fail  func(op, name string) error // called before each "write" and "sync"; guarded by mu
}

// image is a file: what is on the platter, and what is on its way.
type image struct {
	durable []byte
	pending []change
}

// change is a write, or a truncation if data is nil.
type change struct {
	at   int64
	data []byte
}

const sector = 512

// newDisk registers a disk under the test's name, below the store's own files.
func newDisk(t *testing.T) (*disk, string) {
	d := &disk{VFSFilename: vfs.Find("").(vfs.VFSFilename), files: map[string]*image{}}
	name := filepath.Base(t.TempDir()) + t.Name()
	registerFiles(name, d)
	t.Cleanup(func() {
		vfs.Unregister(name)
		vfs.Unregister(name + gathering)
	})
	return d, name
}

// failWith sets what happens before each operation, nothing if nil.
func (d *disk) failWith(fail func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// Delete removes a file, at once and for good.
func (d *disk) Delete(path string, syncDir bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, filepath.Base(path))
	return d.VFSFilename.Delete(path, syncDir)
}

// OpenFilename opens a file of the operating system's, and watches it.
func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := d.VFSFilename.OpenFilename(name, flags)
	if err != nil || name == nil {
		return f, flags, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	base := filepath.Base(name.String())
	if d.files[base] == nil {
		d.files[base] = &image{}
	}
	return &diskFile{File: f, disk: d, name: base}, flags, nil
}

type diskFile struct {
	vfs.File
	disk *disk
	name string
}

// SharedMemory is the operating system's: a power cut empties it.
func (f *diskFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}

// WriteAt writes to the page cache, from where a power cut may take it.
func (f *diskFile) WriteAt(p []byte, at int64) (int, error) {
	return len(p), f.do("write", change{at, append([]byte{}, p...)}, func() error {
		_, err := f.File.WriteAt(p, at)
		return err
	})
}

// Truncate cuts the file, in the page cache.
func (f *diskFile) Truncate(size int64) error {
	return f.do("write", change{at: size}, func() error { return f.File.Truncate(size) })
}

func (f *diskFile) do(op string, c change, run func() error) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.fail != nil {
		if err := f.disk.fail(op, f.name); err != nil {
			return err
		}
	}
	if err := run(); err != nil {
		return err
	}
	if file := f.disk.files[f.name]; file != nil { // not deleted
		file.pending = append(file.pending, c)
	}
	return nil
}

// Sync brings everything to the platter.
func (f *diskFile) Sync(vfs.SyncFlag) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.fail != nil {
		if err := f.disk.fail("sync", f.name); err != nil {
			return err
		}
	}
	file := f.disk.files[f.name]
	if file == nil {
		return nil
	}
	for _, c := range file.pending {
		file.durable = c.apply(file.durable)
	}
	file.pending = nil
	return nil
}

func (c change) apply(to []byte) []byte {
	end := c.at + int64(len(c.data))
	if c.data == nil && end < int64(len(to)) {
		return to[:end]
	}
	if grow := end - int64(len(to)); grow > 0 {
		to = append(to, make([]byte, grow)...)
	}
	copy(to[c.at:], c.data)
	return to
}

// cut writes into dir what a power cut at this moment would leave: of what
// wasn't synced, each sector survives with the probability keep.
func (d *disk) cut(t *testing.T, dir string, rng *rand.Rand, keep float64) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, file := range d.files {
		left := append([]byte{}, file.durable...)
		for _, c := range file.pending {
			if c.data == nil && rng.Float64() < keep {
				left = c.apply(left)
			}
			for at := 0; at < len(c.data); at += sector {
				if rng.Float64() < keep {
					left = change{c.at + int64(at), c.data[at:min(at+sector, len(c.data))]}.apply(left)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), left, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
