//go:build !linux

package pluginhost

import "time"

// processorTime isn't told here.
func processorTime(int) (used time.Duration, ok bool) { return 0, false }
