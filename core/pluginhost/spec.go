package pluginhost

import (
	"encoding/json"
	"reflect"
	"time"

	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/sdk"
)

// Spec is one plugin that shall run.
type Spec struct {
	Name    string // unique; integrations refer to it
	Type    string // integration type
	Version string
	Path    string // the executable
	SHA256  string // pinned hash in hex
	// Unpinned runs the executable without a pinned hash: only for a path
	// that an operator has named on the command line.
	Unpinned bool
	// Info is what the plugin described when it was pinned; nil if it never was.
	Info *sdk.Info
	Args []string
	Env  map[string]string // the whole environment
	// Instances holds the settings of the integrations ("TYPE/NAME") that the
	// plugin serves.
	Instances map[string]json.RawMessage
	Limits    Limits
	Sandbox   sandbox.Mode // sandbox.BestEffort if empty
	ReadPaths []string     // files and folders that it may read and execute all the same
	// Shadow is another version that reads along as long as this one serves; nil
	// if none does.
	Shadow *Spec
	// Standby has a second process started, which takes the place of one that
	// ends at once. It costs the memory of an idle adapter.
	Standby bool
	// Held says that the process may stand still, as its author holds it in a
	// debugger: nobody replaces it for being silent or large.
	Held bool
}

// sameProcess reports whether a process of s can serve as one of other: only
// the integrations' settings may differ, who reads along and who stands by.
func (s Spec) sameProcess(other Spec) bool {
	s.Instances, other.Instances, s.Shadow, other.Shadow = nil, nil, nil, nil
	s.Standby, other.Standby = false, false
	return reflect.DeepEqual(s, other)
}

// Limits bound one plugin.
type Limits struct {
	Timeout  time.Duration // of a call, whatever its context has; 5 seconds if zero
	InFlight int           // calls at a time; 64 or what the adapter declares if zero, never more than that
	Memory   int64         // resident bytes past which the process is replaced; 512 MiB if zero
	// Processor is how much processor time the process may take for a call that
	// it doesn't answer before it is held back and replaced; 250 milliseconds if
	// zero. A body may take 3 seconds more for each MiB.
	Processor time.Duration
	Nice      int // added to the process's niceness, 1 to 19; 5 if zero
}
