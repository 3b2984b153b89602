// Package sandbox confines a plugin's process before the plugin's code runs in
// it. The gateway starts its own executable as a shim, with Command as first
// argument; the shim gives up what an adapter has no need for, says what it
// could give up, and becomes the plugin.
//
// An adapter turns bytes into events: it needs its own executable and one
// socket. Files, network, other processes and privileges are withheld.
package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Command is the first argument of the shim's command line.
const Command = "plugin-exec"

// Mode says what happens where the kernel can't confine a process.
type Mode string

// The modes. An empty one is BestEffort.
const (
	BestEffort Mode = "best-effort" // what is there is used
	Required   Mode = "required"    // a plugin that can't be confined doesn't start
	Off        Mode = "off"         // resource limits only
)

// Policy is what a process is confined to. The zero value allows no files
// besides its own executable and socket, and limits no resources.
type Policy struct {
	Mode Mode `json:"mode,omitempty"`
	// Read names files and folders that it may read and execute: what an
	// interpreter or a dynamically linked program needs.
	Read []string `json:"read,omitempty"`
	// Unset names variables of the environment that end with the shim.
	Unset []string `json:"unset,omitempty"`
	// Nice is added to the process's niceness, 0 to 19.
	Nice int `json:"nice,omitempty"`
	// OpenFiles, FileSize and Data are the resource limits of these names, in
	// descriptors and bytes; 0: as inherited.
	OpenFiles uint64 `json:"open_files,omitempty"`
	FileSize  uint64 `json:"file_size,omitempty"`
	Data      uint64 `json:"data,omitempty"`
}

// Report says what is in force.
type Report struct {
	// Landlock is the version of the kernel's interface in force; 0: none.
	Landlock int `json:"landlock"`
	// Seccomp: no network, no other process, no tracing.
	Seccomp bool `json:"seccomp"`
	// NoNewPrivileges: nothing that it executes can gain any.
	NoNewPrivileges bool `json:"no_new_privileges"`
	// NoCapabilities: it has none, even as root.
	NoCapabilities bool `json:"no_capabilities"`
	// Missing says why something isn't in force.
	Missing []string `json:"missing,omitempty"`
	// Err is why the plugin isn't started; empty if it is.
	Err string `json:"error,omitempty"`
}

// Full reports whether files, network and other processes are out of reach.
func (r Report) Full() bool {
	return r.Landlock > 0 && r.Seccomp && r.NoNewPrivileges && r.NoCapabilities
}

// String is the level in force, for people.
func (r Report) String() string {
	var parts []string
	if r.Landlock > 0 {
		parts = append(parts, fmt.Sprintf("landlock %d", r.Landlock))
	}
	if r.Seccomp {
		parts = append(parts, "seccomp")
	}
	if r.NoNewPrivileges && !r.Full() {
		parts = append(parts, "no-new-privs")
	}
	switch {
	case r.Full():
		return "full (" + strings.Join(parts, ", ") + ")"
	case len(parts) == 0:
		return "none"
	}
	return "partial (" + strings.Join(parts, ", ") + ")"
}

// Arguments is what the shim's command line says ahead of the executable.
func Arguments(p Policy) ([]string, error) {
	encoded, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode sandbox policy: %w", err)
	}
	return []string{Command, string(encoded)}, nil
}

// maxReport bounds a report, in bytes.
const maxReport = 64 << 10

// ReadReport reads what the shim has said. It returns when the shim has become
// the plugin, or has ended.
func ReadReport(from io.Reader) (Report, error) {
	var r Report
	if err := json.NewDecoder(io.LimitReader(from, maxReport)).Decode(&r); err != nil {
		return Report{}, fmt.Errorf("the sandbox has reported nothing: %w", err)
	}
	return r, nil
}

// Main is the shim. Its arguments are the policy, what to execute, and that
// one's arguments from its name on. It doesn't return.
func Main(args []string) {
	report := os.NewFile(ReportFD, "report")
	var p Policy
	r := Report{}
	err := fmt.Errorf("usage: %s POLICY FILE NAME [ARGUMENT…]: it is not for people", Command)
	if len(args) >= 3 {
		err = json.Unmarshal([]byte(args[0]), &p)
	}
	if err == nil {
		err = become(p, &r, report, args[1], args[2:])
	}
	r.Err = err.Error()
	if send(report, r) != nil {
		fmt.Fprintln(os.Stderr, "bellcrank:", r.Err)
	}
	os.Exit(1)
}

// ReportFD is the descriptor that the shim reports to.
const ReportFD = 5

// send is one write, which a pipe takes without a reader.
func send(to io.Writer, r Report) error {
	content, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode sandbox report: %w", err)
	}
	if _, err := to.Write(content); err != nil {
		return fmt.Errorf("report the sandbox: %w", err)
	}
	return nil
}
