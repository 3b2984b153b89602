package app

import "time"

// Now is the machine's clock. It is named here and nowhere else, so that
// everything below can be run at any time.
func Now() time.Time { return time.Now() }

// elapsed returns a clock that nobody sets.
func elapsed() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
