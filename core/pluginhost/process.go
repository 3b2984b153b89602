package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"bellcrank.example/core/pluginhost/cgroup"
	"bellcrank.example/sdk/client"
)

// process is one run of a plugin, and the calls that are in it.
type process struct {
	spec    Spec
	client  *client.Client
	output  *logSink
	version string
	sha256  string
	// sandbox is the level in force.
	sandbox string
	group   *cgroup.Group // nil: it has none

	// What the watch knows of it, in the run goroutine.
	pace    pace
	unleash context.CancelFunc // nil if it isn't held back

	mu      sync.Mutex
	refused map[string]error // why the plugin doesn't take an integration's settings
	calls   int
	ends    bool          // no further call may enter
	empty   chan struct{} // closed when it ends and no call is left
}

func newProcess(spec Spec, c *client.Client) *process {
	return &process{spec: spec, client: c, version: spec.Version, empty: make(chan struct{}), refused: map[string]error{}}
}

// refuse notes why an integration's settings aren't taken; nil if they are.
func (p *process) refuse(integration string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused[integration] = err
}

func (p *process) refusal(integration string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused[integration]
}

func (p *process) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends {
		return false
	}
	p.calls++
	return true
}

func (p *process) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	if p.ends && p.calls == 0 {
		close(p.empty)
	}
}

// drain lets no further call in and waits for the others.
func (p *process) drain(ctx context.Context) {
	p.mu.Lock()
	if !p.ends {
		p.ends = true
		if p.calls == 0 {
			close(p.empty)
		}
	}
	p.mu.Unlock()
	select {
	case <-p.empty:
	case <-p.client.Done():
	case <-ctx.Done():
	}
}

// errMemory is a process that takes more than it may.
var errMemory = errors.New("it takes too much memory")

// trouble says why the process should be replaced, nil if it shouldn't.
func (p *process) trouble() error {
	if p.client.Hangs() {
		return errors.New("a call has no answer after twice its time")
	}
	if p.group.Bounds(cgroup.Memory) {
		return nil // the kernel is quicker
	}
	limit := p.spec.memory()
	if resident := residentBytes(p.client.PID()); resident > limit {
		return fmt.Errorf("%w: %d bytes, more than %d", errMemory, resident, limit)
	}
	return nil
}

// residentBytes returns a process's resident memory, 0 where the system
// doesn't tell.
func residentBytes(pid int) int64 {
	content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
