package memory

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestASmallHeapMayGrowAndALargeOneNotSoMuch(t *testing.T) {
	const mib = 1 << 20
	tests := map[string]struct {
		inUse uint64
		want  int
	}{
		"unknown":           {0, 400},
		"a few bytes":       {1, 400},
		"small":             {5 * mib, 400},
		"up to the room":    {8 * mib, 300},
		"half of the room":  {16 * mib, 100},
		"all of the room":   {32 * mib, 100},
		"an outage":         {200 * mib, 100},
		"more than there's": {1 << 62, 100},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := percentFor(tt.inUse); got != tt.want {
				t.Errorf("percentFor(%d) = %d, want %d", tt.inUse, got, tt.want)
			}
		})
	}
}

func TestTheHeapInUseDecidesAfterEachCollection(t *testing.T) {
	if inUse() == 0 && percentage() == 0 {
		t.Fatal("the runtime doesn't tell")
	}
	t.Setenv("GOGC", "")
	Ease()
	large := make([]byte, 100<<20)
	eventually(t, usual)
	runtime.KeepAlive(large)
	eventually(t, most)
}

// eventually waits until the percentage is as wanted, collecting garbage.
func eventually(t *testing.T, want uint64) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); percentage() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the heap may grow by %d percent, want %d", percentage(), want)
		}
		runtime.GC()
	}
}

func percentage() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestWhatTheOperatorHasSetStays(t *testing.T) {
	t.Setenv("GOGC", "70")
	before := percentage()
	Ease()
	if got := percentage(); got != before {
		t.Errorf("the heap may grow by %d percent, want %d as before", got, before)
	}
}
