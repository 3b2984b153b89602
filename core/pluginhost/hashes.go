package pluginhost

import (
	"io/fs"
	"sync"
	"time"
)

// identity is a file as it was at a time. The kernel notes the time of every
// change, and nobody can set that back: a file of the same identity has the same
// content.
type identity struct {
	device, inode     uint64
	size              int64
	modified, changed int64 // nanoseconds since 1970
}

// settled is how long a file must have been as it is for its identity to say
// so: the kernel's clock has ticks, and there may be two changes in one.
const settled = 2 * time.Second

// hashes are those of files that were hashed before, so that a restart needn't
// do it again. The zero value is ready; nil remembers nothing.
type hashes struct {
	mu    sync.Mutex
	known map[identity]string
}

// maxHashes bounds what is remembered.
const maxHashes = 256

// of returns a file's hash if it is known.
func (h *hashes) of(info fs.FileInfo) (sha256 string, known bool) {
	id, ok := identityOf(info)
	if h == nil || !ok {
		return "", false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	sha256, known = h.known[id]
	return sha256, known
}

// remember keeps the hash of a file that has been read since info was.
func (h *hashes) remember(info fs.FileInfo, sha256 string, now time.Time) {
	id, ok := identityOf(info)
	if h == nil || !ok || now.Sub(time.Unix(0, id.changed)) < settled {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil || len(h.known) >= maxHashes {
		h.known = map[identity]string{}
	}
	h.known[id] = sha256
}
