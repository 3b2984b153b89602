//go:build !race

package pluginhost

import (
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost/sandbox"
)

// A process under the race detector reserves more memory for it than a plugin
// may have, so what a limit does to a leak shows only without.

func TestLeakEndsThePluginAlone(t *testing.T) {
	for name, mode := range map[string]struct {
		shim   []string
		memory int64
		watch  time.Duration
		why    string
	}{
		"by the kernel": {sandbox.Self(), 256 << 20, time.Hour, "ended"},
		"by the watch":  {nil, 128 << 20, 5 * time.Millisecond, "memory"},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(t)
			s.Limits.Memory = mode.memory
			h := run(t, s, func(c *Config) { c.Shim, c.Timing.Watch, c.Timing.Health = mode.shim, mode.watch, time.Hour })
			pid := status(h).PID
			_, err := call(t, h, "leak", "")
			wantFault(t, err, core.AdapterCrash)
			eventually(t, "another process", func() bool { return h.Ready("chaos") && status(h).PID != pid })
			// Its last words are the runtime's or nobody's: who ended it is ours.
			if by := status(h).RestartsBy; by[mode.why] == 0 || len(by) != 1 {
				t.Errorf("restarted because of %v, want %s", by, mode.why)
			}
		})
	}
}
