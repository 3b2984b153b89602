// Package pluginhost keeps adapter processes running: it verifies, starts,
// watches, replaces and ends them, and hands them requests. A plugin is
// untrusted: its output is checked, its log is bounded, and whatever it does,
// a call ends in time.
//
// It knows nothing of what becomes of a request whose adapter gave no answer.
package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost/cgroup"
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
	Shim []string
	// Cgroups is where the kernel holds processes to their limits; nil if nobody
	// has given us any. Its owner closes it after Run.
	Cgroups *cgroup.Tree
	Timing  Timing
	Now     func() time.Time // time.Now if nil
	Logger  *slog.Logger     // slog.Default if nil
}

// Host runs plugins.
type Host struct {
	cfg    Config
	log    *slog.Logger
	hashes hashes

	mu      sync.RWMutex
	plugins map[string]*supervisor
	runDir  string
	start   func(*supervisor) // runs a supervisor until it is removed
	shadows sync.WaitGroup    // their workers
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
	h.readAlong(h.plugins[spec.Name], spec)
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
		if sh := s.shadow.Load(); sh != nil {
			h.work(sh)
		}
	}
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	h.start = nil // Reload starts nothing from here on
	h.mu.Unlock()
	supervisors.Wait()
	h.shadows.Wait()
	return nil
}

// Wait returns when each plugin's first start has come to something, good or
// bad, or when ctx ends. Nobody waits for shadows.
func (h *Host) Wait(ctx context.Context) error {
	h.mu.RLock()
	all := slices.Collect(maps.Values(h.plugins))
	h.mu.RUnlock()
	for _, s := range all {
		if s.guest {
			continue
		}
		select {
		case <-s.isSettled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
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

// Serves returns the version that takes requests, and the SHA-256 in hex of its
// file; empty if none does.
func (h *Host) Serves(plugin string) (version, sha256 string) {
	if s := h.find(plugin); s != nil {
		if p := s.live.Load(); p != nil {
			return p.version, p.sha256
		}
	}
	return "", ""
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
// was. One that has gone ends after its calls. A shadow that is still asked for
// goes on with its report.
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
	kept := h.keepShadows(wanted)
	for name, s := range h.plugins {
		if _, stays := wanted[name]; !stays && !kept[s] {
			s.remove()
			delete(h.plugins, name)
		}
	}
	for name, spec := range wanted {
		s := h.plugins[name]
		if s != nil {
			s.replace(spec)
		} else {
			s = newSupervisor(h, spec)
			h.plugins[name] = s
			if h.start != nil {
				h.start(s)
			}
		}
		h.readAlong(s, spec)
	}
	return nil
}
