package pluginhost

import (
	"time"
)

// State is where a plugin is in its life.
type State string

// The states.
const (
	Disabled    State = "disabled"    // not started yet
	Verifying   State = "verifying"   // its file is checked
	Starting    State = "starting"    // its process is on the way up
	Configuring State = "configuring" // it gets its settings
	Probing     State = "probing"     // it answers a first call
	Ready       State = "ready"       // it takes requests
	Degraded    State = "degraded"    // it takes requests, but missed a health check or is held back
	Draining    State = "draining"    // its last calls end
	Stopped     State = "stopped"     // it is told to be
	Backoff     State = "backoff"     // it ended, and starts again soon
	Quarantined State = "quarantined" // it fails to start; tried now and then
)

// States lists them in the order of a life.
func States() []State {
	return []State{
		Disabled, Verifying, Starting, Configuring, Probing, Ready, Degraded, Draining, Stopped, Backoff, Quarantined,
	}
}

// Status says how a plugin is.
type Status struct {
	Name, Type, Version string
	SHA256              string // of the file that runs, or ran last
	State               State
	Since               time.Time      // of the state
	Guest               bool           // it isn't one that is configured to serve: a shadow, a probe, a version on trial
	PID                 int            // 0: no process
	Standby             int            // id of the process that stands by; 0: none does
	Away                time.Duration  // in all for which none served, since the first one did
	Restarts            int            // since the host began
	RestartsBy          map[string]int // the same by reason: ended, hung, memory, processor, replaced
	FailedStarts        int            // in a row
	InFlight            int            // calls
	Waiting             int            // calls for a place
	LastError           string         // why it isn't ready, or wasn't
	LastCrash           *Crash         // nil if it never ended by itself
	OutputDropped       int64          // bytes of the current process that were too many for the log
	Sandbox             string         // level in force
	Memory              int64          // resident bytes, 0 where the system doesn't tell
	MemoryLimit         int64          // past which the process is replaced
	MemoryBy            string         // what holds it to that: cgroup, watch, or nothing where the system doesn't tell
	Calls               Calls
}

// Crash is an end that nobody asked for.
type Crash struct {
	At     time.Time
	Exit   string   // such as "signal: killed", and whether it was for its memory
	Output []string // the last lines that it wrote
}
