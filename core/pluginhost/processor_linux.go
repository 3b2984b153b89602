package pluginhost

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what all of a process's threads have used so far; false if
// there is no such process.
func processorTime(pid int) (used time.Duration, ok bool) {
	var t unix.Timespec
	if pid <= 0 || unix.ClockGettime(processClock(pid), &t) != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// processClock is the clock that clock_getcpuclockid(3) returns: the process's
// id and what is counted, folded into one number.
func processClock(pid int) int32 {
	const scheduled = 2 // the time that its threads were on a processor
	return int32(^pid)<<3 | scheduled
}
