//go:build !race

package pluginhost

import (
	"strings"
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
		"by the kernel": {sandbox.Self(), 512 << 20, time.Hour, "fatal error: "}, // which one depends on who asks for memory last
		"by the watch":  {nil, 128 << 20, 5 * time.Millisecond, "it takes too much memory"},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(t)
			s.Limits.Memory = mode.memory
			h := run(t, s, func(c *Config) { c.Shim, c.Timing.Watch = mode.shim, mode.watch })
			pid := status(h).PID
			_, err := call(t, h, "leak", "")
			wantFault(t, err, core.AdapterCrash)
			eventually(t, "another process", func() bool { return h.Ready("chaos") && status(h).PID != pid })
			s2 := status(h)
			words := s2.LastError
			if s2.LastCrash != nil {
				words += strings.Join(s2.LastCrash.Output, "\n")
			}
			if !strings.Contains(words, mode.why) {
				t.Errorf("it doesn't say %q: %.2000s", mode.why, words)
			}
		})
	}
}
