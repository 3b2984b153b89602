package pluginhost

import (
	"time"
)

// Timing is how patient the host is. Zero fields mean the default.
type Timing struct {
	Start         time.Duration // until a process has described itself; 10 seconds
	Health        time.Duration // between health checks; 5 seconds
	HealthAnswer  time.Duration // for a health check; 1 second
	Stuck         time.Duration // least time until an unanswered call means a hang; 2 seconds
	Watch         time.Duration // between looks at stuck calls, memory and processor time; 100 milliseconds
	FirstDelay    time.Duration // before the second restart in a row; 250 milliseconds, then doubled
	LastDelay     time.Duration // the longest of these; 30 seconds
	Quarantine    time.Duration // between tries of a quarantined plugin; 60 seconds
	Drain         time.Duration // for calls in flight when a process is told to end; 5 seconds
	maxFailures   int           // failed starts in a row until quarantine; 5
	missesToHangs int           // health checks in a row without an answer; 3
}

func (t Timing) withDefaults() Timing {
	for field, value := range map[*time.Duration]time.Duration{
		&t.Start: 10 * time.Second, &t.Health: 5 * time.Second, &t.HealthAnswer: time.Second,
		&t.Stuck: 2 * time.Second, &t.Watch: 100 * time.Millisecond,
		&t.FirstDelay: 250 * time.Millisecond, &t.LastDelay: 30 * time.Second,
		&t.Quarantine: time.Minute, &t.Drain: 5 * time.Second,
	} {
		if *field == 0 {
			*field = value
		}
	}
	t.maxFailures, t.missesToHangs = 5, 3
	return t
}
