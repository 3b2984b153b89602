//go:build unix

package pluginhost

import (
	"path/filepath"
	"strings"
	"testing"

	"bellcrank.example/core/pluginhost/cgroup"
)

// TestWhereThereIsNoCgroup holds on every system: the tests that use one have
// the build tag cgroup.
func TestWhereThereIsNoCgroup(t *testing.T) {
	for name, mode := range map[string]cgroup.Mode{"plugins start": cgroup.Auto, "unless it is required": cgroup.Required} {
		t.Run(name, func(t *testing.T) {
			tree := cgroup.Open(cgroup.Config{Mode: mode, Proc: filepath.Join(t.TempDir(), "nothing")})
			h := run(t, spec(t), func(c *Config) { c.Cgroups = tree })
			s := status(h)
			if starts := mode == cgroup.Auto; h.Ready("chaos") != starts || s.MemoryBy == "cgroup" || strings.Contains(s.LastError, "limits") == starts {
				t.Errorf("status %+v", s)
			}
		})
	}
}
