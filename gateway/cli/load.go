package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination"
	"bellcrank.example/core/destination/plugged"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/gateway/config"
	"bellcrank.example/sdk"
)

// loader reads configurations and finds the executables that they name.
type loader struct {
	paths     []string
	getenv    func(string) (string, bool)
	directory string           // of the built-in plugins
	builtin   *pluginhost.Lock // what pins them
	others    *pluginhost.Lock // what pins other people's, beside the configuration
	port      *plugged.Port    // by which destinations reach their plugins
	held      []string         // plugins that their authors hold in a debugger
}

// newLoader finds the plugins that were built along with this binary.
func newLoader(paths []string, getenv func(string) (string, bool)) (*loader, error) {
	directory, err := builtins()
	if err != nil {
		return nil, err
	}
	lock, err := pluginhost.ReadManifest(filepath.Join(directory, pluginhost.ManifestName), ManifestSHA256)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w (`make build` makes it)", err)
	}
	if err != nil {
		return nil, err
	}
	others := &pluginhost.Lock{}
	for _, path := range paths {
		beside, err := config.ReadLock(config.LockFile([]string{path}))
		if err != nil {
			return nil, err
		}
		others.Plugins = append(others.Plugins, beside.Plugins...)
	}
	return &loader{paths: paths, getenv: getenv, directory: directory, builtin: lock, others: others, port: &plugged.Port{}}, nil
}

// find returns the entry of a plugin and where its executable is. Other
// people's go above the built-in ones, so that one can be replaced.
func (l *loader) find(kind, version, directory string) (entry pluginhost.LockEntry, path string, ok bool) {
	if entry, ok = l.others.Find(kind, version); ok {
		if directory == "" {
			directory = l.directory
		}
		return entry, pluginhost.Installed(filepath.Join(directory, entry.Name, entry.Version), entry.Name), true
	}
	entry, ok = l.builtin.Find(kind, version)
	return entry, filepath.Join(l.directory, entry.Name), ok
}

// builtins returns the folder of the built-in plugins: beside this binary.
func builtins() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find our own executable: %w", err)
	}
	return filepath.Join(filepath.Dir(self), "plugins"), nil
}

// destinationTypes are our own, and those that pinned plugins bring along. One
// of our own can't be replaced; one that was built along can.
func (l *loader) destinationTypes() []destination.Type {
	types := destination.Types()
	for _, lock := range []*pluginhost.Lock{l.others, l.builtin} {
		for _, e := range lock.Plugins {
			known := slices.ContainsFunc(types, func(t destination.Type) bool { return t.Name == e.Type })
			if e.Info.Role == sdk.RoleDestination && !known {
				newest, _ := lock.Find(e.Type, "")
				types = append(types, destination.Plugged(newest.Info, l.port))
			}
		}
	}
	return types
}

// check reads the configuration, writes every problem of it, and returns how
// many warnings there were.
func (l *loader) check(out io.Writer) (c *config.Config, warnings int, err error) {
	c, diags := config.Load(config.Source{
		Paths: l.paths, Getenv: l.getenv,
		Describe: config.Described(l.others, l.builtin), DestinationTypes: l.destinationTypes(),
	})
	if err := diags.Write(out, 100, false); err != nil {
		return nil, 0, fmt.Errorf("write diagnostics: %w", err)
	}
	for _, p := range diags.Problems() {
		if p.Warning {
			warnings++
		}
	}
	if diags.HasErrors() {
		return nil, warnings, errors.New("the configuration has mistakes")
	}
	return c, warnings, nil
}

func (a *console) load(l *loader) (*config.Config, error) {
	var snippets strings.Builder
	c, _, err := l.check(io.MultiWriter(a.err, &snippets))
	if err != nil && snippets.Len() > 0 {
		err = &config.Mistakes{Snippets: snippets.String()}
	}
	return c, err
}

// specs says which executables a configuration needs, each pinned.
func (l *loader) specs(c *config.Config) ([]pluginhost.Spec, error) {
	var specs []pluginhost.Spec
	for _, p := range c.Plugins {
		spec, err := l.spec(p, c.PluginDirectory)
		if err != nil {
			return nil, err
		}
		for _, in := range c.Integrations {
			if in.Plugin == p.Name {
				spec.Instances[in.ID()] = in.Settings
				in.AdapterHash = spec.SHA256
			}
		}
		for _, d := range c.Destinations {
			if s, ok := d.Sender.(*plugged.Sender); ok && s.Plugin() == p.Name {
				spec.Instances[d.ID()] = s.Settings()
			}
		}
		if p.Shadow != "" {
			if spec.Shadow, err = l.shadow(p, c.PluginDirectory, spec.Instances); err != nil {
				return nil, err
			}
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// spec finds and pins the executable of one plugin.
func (l *loader) spec(p config.Plugin, directory string) (pluginhost.Spec, error) {
	entry, path, ok := l.find(p.Type, p.Version, directory)
	if !ok {
		return pluginhost.Spec{}, fmt.Errorf("plugin %s: no executable of type %s %s is pinned", p.Name, p.Type, p.Version)
	}
	spec := pluginhost.Spec{
		Name: p.Name, Type: entry.Type, Version: entry.Version, Path: path,
		SHA256: cmp.Or(p.SHA256, entry.SHA256[pluginhost.Platform()]), Info: &entry.Info, Args: p.Args, Env: reveal(p.Env),
		Instances: map[string]json.RawMessage{},
		Limits:    pluginhost.Limits{Memory: p.Memory, Timeout: p.Timeout, InFlight: p.InFlight, Processor: p.Processor, Nice: p.Nice},
		Sandbox:   sandbox.Mode(p.Sandbox), ReadPaths: p.ReadPaths, Standby: p.Standby,
	}
	if slices.Contains(l.held, p.Name) {
		spec.Held, spec.Sandbox, spec.Limits.Timeout = true, sandbox.Off, heldTimeout
	}
	return spec, nil
}

// shadow finds and pins the version of a plugin that reads along.
func (l *loader) shadow(p config.Plugin, directory string, instances map[string]json.RawMessage) (*pluginhost.Spec, error) {
	p.Version, p.SHA256 = p.Shadow, ""
	spec, err := l.spec(p, directory)
	if err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	spec.Instances = instances
	return &spec, nil
}

// heldTimeout is how long a call may wait for the person at the debugger.
const heldTimeout = time.Hour

func reveal(secrets map[string]core.Secret) map[string]string {
	plain := make(map[string]string, len(secrets))
	for name, secret := range maps.All(secrets) {
		plain[name] = secret.Reveal()
	}
	return plain
}
