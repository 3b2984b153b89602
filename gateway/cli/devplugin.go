package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"bellcrank.example/core/keyring"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/gateway/config"
)

// devPlugins are executables that their author is working on: a development
// gateway runs them as they are built, and again whenever they are built anew.
type devPlugins struct {
	console *console
	dir     string // of the development gateway
	files   []string
	seen    map[string]fs.FileInfo
	entries map[string]pluginhost.LockEntry // what runs, by file
}

// devPluginConfig names the configuration that is written for them.
const devPluginConfig = "plugins.hcl"

func newDevPlugins(a *console, dir string, files []string) *devPlugins {
	return &devPlugins{console: a, dir: dir, files: files, seen: map[string]fs.FileInfo{}, entries: map[string]pluginhost.LockEntry{}}
}

// prepare takes over the executables for the first time. One that can't be run
// is a mistake then.
func (d *devPlugins) prepare(ctx context.Context) error {
	for _, file := range d.files {
		if _, err := d.changed(file); err != nil {
			return err
		}
		if err := d.take(ctx, file); err != nil {
			return err
		}
	}
	return d.write()
}

// changed reports whether a file is another one than it was.
func (d *devPlugins) changed(file string) (bool, error) {
	info, err := os.Stat(file)
	if err != nil {
		return false, fmt.Errorf("plugin: %w", err)
	}
	before := d.seen[file]
	d.seen[file] = info
	return before == nil || !before.ModTime().Equal(info.ModTime()) || before.Size() != info.Size(), nil
}

// take describes an executable and puts a copy of it where the gateway runs
// it: the author's own is written over by the next build.
func (d *devPlugins) take(ctx context.Context, file string) error {
	entry, err := describe(ctx, file)
	if err != nil {
		return err
	}
	entry.Name = entry.Type
	folder := filepath.Join(d.dir, "plugins", entry.Name, entry.Version)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the plugin's folder: %w", err)
	}
	if err := copyExecutable(file, filepath.Join(folder, entry.Name)); err != nil {
		return err
	}
	d.entries[file] = entry
	return nil
}

// copyExecutable puts a copy in the place of what is there, which may be
// running.
func copyExecutable(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("read the plugin: %w", err)
	}
	defer source.Close()
	target, err := renameio.NewPendingFile(to, renameio.WithPermissions(0o755))
	if err != nil {
		return fmt.Errorf("copy the plugin: %w", err)
	}
	defer func() { _ = target.Cleanup() }() // it has its name by then, if all went well
	if _, err := io.Copy(target, source); err != nil {
		return fmt.Errorf("copy the plugin: %w", err)
	}
	if err := target.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("copy the plugin: %w", err)
	}
	return nil
}

// write pins the executables, and gives each an integration with a key.
func (d *devPlugins) write() error {
	lock := &pluginhost.Lock{}
	var hcl strings.Builder
	fmt.Fprintf(&hcl, "# Written by `bellcrank dev -plugin`, anew with every start.\nplugin_directory = \"plugins\"\n")
	for _, file := range d.files {
		entry := d.entries[file]
		lock.Plugins = append(lock.Plugins, entry)
		key, err := keyring.NewKey(rand.Reader)
		if err != nil {
			return err
		}
		if err := writeOnce(filepath.Join(d.dir, "keys", entry.Type), key); err != nil {
			return err
		}
		fmt.Fprintf(&hcl, "\nplugin %q {\n  type    = %q\n  version = %q\n}\n\nintegration %q \"work\" {\n  verify = \"none\"\n  routing_key \"dev\" {\n    value = file(\"keys/%s\")\n  }\n}\n",
			entry.Type, entry.Type, entry.Version, entry.Type, entry.Type)
	}
	source, err := config.FormatLock(lock)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{config.LockName: source, devPluginConfig: []byte(hcl.String())} {
		if err := renameio.WriteFile(filepath.Join(d.dir, name), content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// names are the plugins' names.
func (d *devPlugins) names() []string {
	var names []string
	for _, entry := range d.entries {
		names = append(names, entry.Name)
	}
	return names
}

// greet prints where each can be tried, and that nobody vouches for them.
func (d *devPlugins) greet(ingest string) {
	for _, file := range d.files {
		kind := d.entries[file].Type
		key, err := os.ReadFile(filepath.Join(d.dir, "keys", kind))
		if err != nil {
			fmt.Fprintln(d.console.err, "bellcrank:", err)
			continue
		}
		fmt.Fprintf(d.console.out, "UNPINNED: %s runs whatever %s is built to. For development only.\n", kind, file)
		if slices.Contains(d.console.held, kind) {
			fmt.Fprintf(d.console.out, "DEBUG: %s isn't confined, and may stand still for an hour. `bellcrank plugin list` tells its process.\n", kind)
		}
		fmt.Fprintf(d.console.out, "%-13s http://%s/webhooks/%s\n\n", kind, ingest, strings.TrimSpace(string(key)))
	}
}

// rebuildInterval is how often the executables are looked at.
const rebuildInterval = 500 * time.Millisecond

// watch takes over what is built anew, and has the gateway load it, until ctx
// ends. A file is looked at once it has stopped changing: linkers write for a
// while. A build that doesn't run is told, and what runs goes on.
func (d *devPlugins) watch(ctx context.Context) {
	tick := time.NewTicker(rebuildInterval)
	defer tick.Stop()
	moving := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, file := range d.files {
			changed, err := d.changed(file)
			if err != nil || changed {
				moving[file] = true // gone, for a moment, is changed too
				continue
			}
			if !moving[file] {
				continue
			}
			moving[file] = false
			if err := d.reload(ctx, file); err != nil {
				fmt.Fprintln(d.console.err, "bellcrank: the new build isn't taken:", err)
			}
		}
	}
}

func (d *devPlugins) reload(ctx context.Context, file string) error {
	before := d.entries[file]
	if err := d.take(ctx, file); err != nil {
		return err
	}
	if err := d.write(); err != nil {
		return err
	}
	after := d.entries[file]
	if before.SHA256[pluginhost.Platform()] == after.SHA256[pluginhost.Platform()] {
		return nil
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return fmt.Errorf("find this process: %w", err)
	}
	if err := self.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	fmt.Fprintf(d.console.out, "%s %s was built anew, and is loaded\n", after.Type, after.Version)
	return nil
}
