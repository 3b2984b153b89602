// Package pluginhost keeps adapter processes running: it verifies, starts,
// watches, replaces and ends them, and hands them requests. A plugin is
// untrusted: its output is checked, its log is bounded, and whatever it does,
// a call ends in time.
//
// It knows nothing of what becomes of a request whose adapter gave no answer.
package pluginhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/sdk"
)

// Config holds what a Host needs.
type Config struct {
	Plugins []Spec
	// RunDir is a private folder for sockets, made if missing. If its path is
	// too long for a socket, a temporary folder is used.
	RunDir string
	// Shim is the command line of a program that runs sandbox.Main, without
	// that one's arguments: ours, as a rule. Without it plugins are only
	// watched, not confined.
	Shim   []string
	Timing Timing
	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default if nil
}

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
}

// sameProcess reports whether a process of s can serve as one of other: only
// the integrations' settings may differ.
func (s Spec) sameProcess(other Spec) bool {
	s.Instances, other.Instances = nil, nil
	return reflect.DeepEqual(s, other)
}

// Limits bound one plugin.
type Limits struct {
	Timeout  time.Duration // of a call, whatever its context has; 5 seconds if zero
	InFlight int           // calls at a time; 64 or what the adapter declares if zero, never more than that
	Memory   int64         // resident bytes past which the process is replaced; 512 MiB if zero
	Nice     int           // added to the process's niceness, 1 to 19; 5 if zero
}

// Timing is how patient the host is. Zero fields mean the default.
type Timing struct {
	Start         time.Duration // until a process has described itself; 10 seconds
	Health        time.Duration // between health checks; 5 seconds
	HealthAnswer  time.Duration // for a health check; 1 second
	Stuck         time.Duration // least time until an unanswered call means a hang; 2 seconds
	Watch         time.Duration // between looks at stuck calls and memory; 250 milliseconds
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
		&t.Stuck: 2 * time.Second, &t.Watch: 250 * time.Millisecond,
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

// socketRoom is how long the run folder's path may be, in bytes, so that a
// socket in it stays within the kernel's limit.
const socketRoom = 60

// Host runs plugins.
type Host struct {
	cfg Config
	log *slog.Logger

	mu      sync.RWMutex
	plugins map[string]*supervisor
	runDir  string
	start   func(*supervisor) // runs a supervisor until it is removed
}

// New makes a Host. Nothing runs before Run.
func New(cfg Config) (*Host, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Timing = cfg.Timing.withDefaults()
	h := &Host{cfg: cfg, log: cfg.Logger, plugins: map[string]*supervisor{}}
	for _, spec := range cfg.Plugins {
		if err := h.add(spec); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *Host) add(spec Spec) error {
	switch {
	case spec.Name == "":
		return errors.New("a plugin has no name")
	case spec.Path == "":
		return fmt.Errorf("plugin %s has no executable", spec.Name)
	case h.plugins[spec.Name] != nil:
		return fmt.Errorf("plugin %s is there twice", spec.Name)
	}
	h.plugins[spec.Name] = newSupervisor(h, spec)
	return nil
}

// Run starts every plugin and keeps it running until ctx ends. Then it lets
// calls end, ends the processes, and returns when none is left. An error
// means that nothing was started.
func (h *Host) Run(ctx context.Context) error {
	remove, err := h.makeRunDir()
	if err != nil {
		return err
	}
	defer remove()
	var supervisors sync.WaitGroup
	h.mu.Lock()
	h.start = func(s *supervisor) { supervisors.Go(func() { s.run(ctx) }) }
	for _, s := range h.plugins {
		h.start(s)
	}
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	h.start = nil // Reload starts nothing from here on
	h.mu.Unlock()
	supervisors.Wait()
	return nil
}

// Wait returns when each plugin's first start has come to something, good or
// bad, or when ctx ends.
func (h *Host) Wait(ctx context.Context) error {
	h.mu.RLock()
	all := slices.Collect(maps.Values(h.plugins))
	h.mu.RUnlock()
	for _, s := range all {
		select {
		case <-s.isSettled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// makeRunDir makes the folder for sockets and takes away what a gateway that
// was killed has left in it.
func (h *Host) makeRunDir() (remove func(), err error) {
	dir, err := filepath.Abs(h.cfg.RunDir)
	if err != nil {
		return nil, fmt.Errorf("plugin run folder: %w", err)
	}
	if h.cfg.RunDir == "" || len(dir) > socketRoom {
		temporary, err := os.MkdirTemp("", "bellcrank-")
		if err != nil {
			return nil, fmt.Errorf("plugin run folder: %w", err)
		}
		h.runDir = temporary
		return func() { _ = os.RemoveAll(temporary) }, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("plugin run folder: %w", err)
	}
	stale, _ := filepath.Glob(filepath.Join(dir, "plugin-dir*"))
	for _, folder := range stale {
		_ = os.RemoveAll(folder)
	}
	h.runDir = dir
	return func() {}, nil
}

// Adapt hands a request to a plugin. r.Integration names the settings that
// apply. An error is an *sdk.Failure if the adapter says what is wrong, else a
// *core.AdaptError. A plugin that isn't ready is an error at once.
func (h *Host) Adapt(ctx context.Context, plugin string, r sdk.Request) (sdk.Result, error) {
	s := h.find(plugin)
	if s == nil {
		return sdk.Result{}, &core.AdaptError{Fault: core.AdapterDown, Plugin: plugin, Err: errors.New("no such plugin")}
	}
	return s.adapt(ctx, r)
}

func (h *Host) find(plugin string) *supervisor {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.plugins[plugin]
}

// Info returns a plugin's description, also while it is down; false if
// nobody has ever heard it.
func (h *Host) Info(plugin string) (sdk.Info, bool) {
	s := h.find(plugin)
	if s == nil {
		return sdk.Info{}, false
	}
	if info := s.info.Load(); info != nil {
		return *info, true
	}
	return sdk.Info{}, false
}

// Ready reports whether a plugin takes requests.
func (h *Host) Ready(plugin string) bool {
	s := h.find(plugin)
	return s != nil && s.live.Load() != nil
}

// Plugins says how the plugins are, by name.
func (h *Host) Plugins() []Status {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]Status, 0, len(h.plugins))
	for _, s := range h.plugins {
		list = append(list, s.report())
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Reload makes these the plugins that run. A process whose integrations alone
// have changed is told so. Otherwise a plugin that has changed serves on until
// its successor is ready; one whose successor doesn't start keeps serving as it
// was. One that has gone ends after its calls.
func (h *Host) Reload(specs []Spec) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	wanted := map[string]Spec{}
	for _, spec := range specs {
		if spec.Name == "" || spec.Path == "" {
			return fmt.Errorf("plugin %q: name and executable are required", spec.Name)
		}
		if _, twice := wanted[spec.Name]; twice {
			return fmt.Errorf("plugin %s is there twice", spec.Name)
		}
		wanted[spec.Name] = spec
	}
	for name, s := range h.plugins {
		if _, stays := wanted[name]; !stays {
			s.remove()
			delete(h.plugins, name)
		}
	}
	for name, spec := range wanted {
		if s := h.plugins[name]; s != nil {
			s.replace(spec)
			continue
		}
		s := newSupervisor(h, spec)
		h.plugins[name] = s
		if h.start != nil {
			h.start(s)
		}
	}
	return nil
}
