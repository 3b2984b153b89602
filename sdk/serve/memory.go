package serve

import (
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// Memory of a built-in adapter: at most 20 MiB resident when idle, 48 MiB under
// load. Collecting garbage less often is a quarter more throughput; the limit
// keeps a burst of bodies from making that expensive.
const (
	gcPercent   = 400
	memoryLimit = 40 << 20
)

// A body of megabytes takes more than the limit while it is worked on, and
// collecting over and over what is in use would be three quarters of the
// processor time that a storm of alerts takes.
const (
	memoryPerByte = 12
	mostMemory    = 192 << 20
	// lingers is how long the limit stays raised after the answer, which has to
	// be sent.
	lingers = time.Second
)

// memory is how much the process uses before garbage is collected at any cost.
type memory struct {
	mu    sync.Mutex
	own   bool  // the limit: not the operator's
	large int64 // bytes of the large bodies that are worked on
}

// limit leaves alone what the operator has set.
func (m *memory) limit() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		m.own = true
		debug.SetMemoryLimit(memoryLimit)
	}
}

// during makes room for a large body until end is called, and a moment longer.
func (m *memory) during(body int) (end func()) {
	if !m.own {
		return func() {}
	}
	m.add(int64(body))
	return func() { time.AfterFunc(lingers, func() { m.add(-int64(body)) }) }
}

func (m *memory) add(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.large += bytes
	debug.SetMemoryLimit(min(memoryLimit+memoryPerByte*m.large, mostMemory))
}
