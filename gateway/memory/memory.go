// Package memory decides how the gateway's process collects garbage.
//
// Go's default collects whenever the heap has doubled. The gateway's is small
// and full of what lives for one request, so that it collects hundreds of times
// a second under load: a quarter of its throughput. It is cheaper to let a
// small heap grow further, and harmless, as long as a large one, in an outage
// of much else, isn't allowed the same.
package memory

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// room is how large the heap may get before a collection, in bytes, whatever
	// of it is in use.
	room = 32 << 20
	// usual and most are the least and the largest growth between two
	// collections, in percent of what is in use. The one is Go's default.
	usual, most = 100, 400
)

// Ease has garbage wait while the heap is small, from now on. It leaves alone
// what the operator has set by GOGC.
func Ease() {
	if os.Getenv("GOGC") == "" {
		begin()
	}
}

var begin = sync.OnceFunc(func() {
	debug.SetGCPercent(most)
	arm(most)
})

// arm has the percentage decided again after the next collection, which is
// when something that nobody refers to goes.
func arm(percent int) {
	type sentinel struct{ _ *byte } // with a pointer, it shares its place with nothing
	runtime.AddCleanup(new(sentinel), func(before int) {
		now := percentFor(inUse())
		if now != before {
			debug.SetGCPercent(now)
		}
		arm(now)
	}, percent)
}

// percentFor returns by how much a heap may grow of which so many bytes are in
// use: to the room that there is, but neither more nor less than allowed. Steps
// of ten keep it from changing at each collection.
func percentFor(inUse uint64) int {
	percent := most
	if inUse > 0 {
		percent = int(min(room*100/inUse, 1_000)) - 100
	}
	return min(max(percent/10*10, usual), most)
}

// inUse is how many bytes of the heap the last collection found in use.
func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
