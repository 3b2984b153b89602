package serve

import (
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestALargeBodyHasMoreMemory(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetMemoryLimit(limit); debug.SetGCPercent(percent) })
	t.Setenv("GOMEMLIMIT", "")
	synctest.Test(t, func(t *testing.T) {
		var m memory
		m.limit()
		want := func(want int64) {
			t.Helper()
			if got := debug.SetMemoryLimit(-1); got != want {
				t.Errorf("the limit is %d, want %d", got, want)
			}
		}
		want(memoryLimit)
		first := m.during(1 << 20)
		want(memoryLimit + 12<<20)
		second := m.during(16 << 20)
		want(mostMemory)
		second()
		first()
		want(mostMemory)
		time.Sleep(2 * lingers)
		want(memoryLimit)
	})
}

func TestTheOperatorsLimitStays(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(100<<20), debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetMemoryLimit(limit); debug.SetGCPercent(percent) })
	t.Setenv("GOMEMLIMIT", "100MiB")
	t.Setenv("GOGC", "100")
	var m memory
	m.limit()
	m.during(16 << 20)()
	if got := debug.SetMemoryLimit(-1); got != 100<<20 {
		t.Errorf("the limit is %d", got)
	}
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("garbage is collected at %d %%", got)
	}
}
