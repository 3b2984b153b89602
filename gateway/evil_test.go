package main

import (
	"cmp"
	"os"
	"path/filepath"
)

// evil is a plugin of its own that does one evil thing.
type evil struct {
	name string
	kind string // chaos if empty; see core/pluginhost
	do   string // at a call
	env  string // at the start
	more string // of its plugin block
	// spoil makes the executable, a copy for this one alone, unfit to run.
	spoil func(path string) error
	// pinned: what it is then is what is pinned.
	pinned bool
	// says is what the operator reads of it then.
	says string
	// memory is what it may take; 256 MiB if empty.
	memory string
	// timeout is how long its calls may take; if empty, patience says.
	timeout string
	// ends is the state in which its request ends; empty: it stays open, for
	// its plugin never serves, or it is tried for minutes.
	ends string
}

func (e evil) adapter() string { return cmp.Or(e.kind, "chaos") }

// patience is how long its calls may take: what can't end shall fail soon, and
// what can has time for it on a busy machine.
func (e evil) patience() string {
	if e.timeout != "" {
		return e.timeout
	}
	if e.ends == "done" || e.memory != "" {
		return "30s"
	}
	return "1s"
}

// processor is how much processor time its calls may take: as by default, but
// for what is right in the end.
func (e evil) processor() string {
	if e.ends == "done" || e.memory != "" {
		return "30s"
	}
	return "250ms"
}

// evils are what plugins do wrong. A request that never gets an answer is
// quarantined; what is found out in an answer costs no more than that answer.
var evils = []evil{
	{name: "crash", do: "crash", ends: "quarantined"},
	{name: "exit-0", do: "exit 0", ends: "quarantined"},
	{name: "late-crash", do: "crash after the answer", ends: "done"},
	{name: "panic", do: "panic elsewhere", ends: "quarantined"},
	{name: "sleep", do: "sleep", ends: "quarantined"},
	{name: "spin", do: "spin", ends: "quarantined"},
	{name: "stop", do: "stop", ends: "quarantined"},
	{name: "leak", do: "leak", ends: "quarantined"},
	{name: "descriptors", do: "descriptors", ends: "done"},
	{name: "huge", do: "huge answer"},
	{name: "many", do: "many events", ends: "quarantined"},
	{name: "lies", do: "lies", ends: "done"},
	{name: "nothing", do: "nothing"},
	{name: "flood", do: "flood", ends: "done"},
	{name: "grandchild", do: "grandchild", more: `sandbox = "off"`, ends: "quarantined"},
	{name: "deaf", env: "deaf", ends: "done"},

	{name: "start-crash", env: "crash"},
	{name: "start-exit-0", env: "exit 0"},
	{name: "start-hang", env: "hang"},
	{name: "start-noise", env: "noise"},
	{name: "start-long", env: "long"},
	{name: "start-protocol", env: "protocol"},
	{name: "start-netrpc", env: "netrpc"},

	{name: "start-cookie", kind: "liar", env: "cookie"},
	{name: "unknown-call", kind: "liar", do: "unknown call", ends: "done"},
	{name: "twice", kind: "liar", do: "twice", ends: "done"},
	{name: "unheard-of", kind: "liar", do: "unheard of", ends: "done"},
	{name: "foreign-request", kind: "liar", do: "foreign request"},
	{name: "no-outcome", kind: "liar", do: "no outcome"},
	{name: "no-protobuf", kind: "liar", do: "no protobuf"},
	{name: "bad-text", kind: "liar", do: "bad text"},
	{name: "silence", kind: "liar", do: "nothing", ends: "quarantined"},
	{name: "huge-stream", kind: "liar", do: "huge stream", memory: "2GiB"},
	{name: "huge-call", kind: "liar", do: "huge call", memory: "2GiB", ends: "quarantined"},
	{name: "empty-events", kind: "liar", do: "empty events", ends: "quarantined"},
	{name: "empty-links", kind: "liar", do: "empty links"},
	{name: "empty-services", kind: "liar", do: "empty services"},
	{name: "empty-notes", kind: "liar", do: "empty notes"},
	{name: "many-labels", kind: "liar", do: "many labels"},
	{name: "small-objects", kind: "liar", do: "small objects", ends: "quarantined"},
	{name: "unary-links", kind: "liar", do: "unary empty links"},
	{name: "unary-objects", kind: "liar", do: "unary small objects", ends: "quarantined"},

	{name: "changed", spoil: changed, says: "pinned is"},
	{name: "other-machine", spoil: forAnotherMachine, pinned: true},
	{name: "symlink", spoil: linked, says: "symbolic link"},
	{name: "open-folder", spoil: opened, says: "everybody may write"},
	{name: "not-executable", spoil: func(path string) error { return os.Chmod(path, 0o600) }, says: "not executable"},
	{name: "folder", spoil: replacedByFolder, says: "no regular file"},
	{name: "missing", spoil: os.Remove},
}

// changed appends a byte to what was pinned.
func changed(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, 0), 0o755)
}

// forAnotherMachine makes an ELF file one for a machine that nobody has.
func forAnotherMachine(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	const machine = 18 // where the header says so, two bytes
	copy(content[machine:], []byte{0xfe, 0xca})
	return os.WriteFile(path, content, 0o755)
}

func linked(path string) error {
	aside := path + "-elsewhere"
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	return os.Symlink(aside, path)
}

func opened(path string) error { return os.Chmod(filepath.Dir(path), 0o777) }

func replacedByFolder(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Mkdir(path, 0o755)
}
