package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"

	"bellcrank.example/core/pluginhost"
	"bellcrank.example/gateway/config"
)

func (a *console) pluginLockCommand() *cobra.Command {
	manifest, paths := "", []string(nil)
	cmd := &cobra.Command{
		Use:   "lock -config PATH | -manifest DIR",
		Short: "pin plugin executables: what they are, and what they hash to",
		Long: "Runs each executable once with -describe, and writes what it says and its checksum.\n\n" +
			"With -config it takes those of the configuration's plugin_directory, NAME/VERSION/NAME, or everything in\n" +
			"NAME/VERSION where a " + pluginhost.ProgramName + " names an interpreter and a script, and writes\n" +
			config.LockName + " beside the configuration. With -manifest it takes those of one folder, as the build does for\n" +
			"the built-in plugins, and writes DIR/" + pluginhost.ManifestName + ".",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case (manifest == "") == (len(paths) == 0):
				return errors.New("one of -config and -manifest is required")
			case manifest != "":
				return a.lockManifest(cmd.Context(), manifest)
			}
			return a.lockDirectory(cmd.Context(), paths)
		},
	}
	cmd.Flags().StringArrayVar(&paths, "config", nil, "configuration file or folder; may be repeated")
	cmd.Flags().StringVar(&manifest, "manifest", "", "folder of the executables")
	return cmd
}

// lockManifest writes the manifest of a folder of executables.
func (a *console) lockManifest(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	l, err := describeAll(ctx, slices.DeleteFunc(files, notExecutable))
	if err != nil {
		return err
	}
	if len(l.Plugins) == 0 {
		return fmt.Errorf("there is no executable in %s", dir)
	}
	return pluginhost.WriteManifest(filepath.Join(dir, pluginhost.ManifestName), l)
}

// lockDirectory writes the lock file of a configuration. Its mistakes don't
// matter here: a plugin that isn't locked yet is one.
func (a *console) lockDirectory(ctx context.Context, paths []string) error {
	c, _ := config.Load(config.Source{Paths: paths, Describe: config.Described()})
	beside, err := builtins()
	if err != nil {
		return err
	}
	dir := cmp.Or(c.PluginDirectory, beside)
	files, err := installed(dir)
	if err != nil {
		return err
	}
	l, err := describeAll(ctx, files)
	if err != nil {
		return err
	}
	for i, file := range files {
		if folder := filepath.Base(filepath.Dir(file)); folder != l.Plugins[i].Version {
			return fmt.Errorf("%s says that it is version %s: put it into a folder of that name", file, l.Plugins[i].Version)
		}
		l.Plugins[i].Name = installedName(file)
	}
	source, err := config.FormatLock(l)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(config.LockFile(paths), source, 0o644); err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	return a.show(l.Plugins, func() {
		for _, e := range l.Plugins {
			fmt.Fprintf(a.out, "%s %s  %s\n", e.Name, e.Version, e.SHA256[pluginhost.Platform()])
		}
	})
}

// installed lists the plugins NAME/VERSION of a plugin directory, each by its
// executable NAME or its file plugin.json, the newest version of each name
// last: that is the one which an integration gets that asks for none.
func installed(dir string) ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var files []string
	for _, folder := range folders {
		file := pluginhost.Installed(folder, filepath.Base(filepath.Dir(folder)))
		if filepath.Base(file) == pluginhost.ProgramName || !notExecutable(file) {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no executable NAME/VERSION/NAME and no NAME/VERSION/%s in %s", pluginhost.ProgramName, dir)
	}
	version := func(file string) string { return "v" + filepath.Base(filepath.Dir(file)) }
	slices.SortStableFunc(files, func(a, b string) int {
		return cmp.Or(cmp.Compare(installedName(a), installedName(b)), semver.Compare(version(a), version(b)))
	})
	return files, nil
}

// installedName is the NAME of what stands in NAME/VERSION.
func installedName(file string) string { return filepath.Base(filepath.Dir(filepath.Dir(file))) }

func notExecutable(file string) bool {
	info, err := os.Stat(file)
	return err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0
}

// describeAll describes and pins executables, in their order.
func describeAll(ctx context.Context, files []string) (*pluginhost.Lock, error) {
	l := &pluginhost.Lock{}
	for _, file := range files {
		entry, err := describe(ctx, file)
		if err != nil {
			return nil, err
		}
		l.Plugins = append(l.Plugins, entry)
	}
	return l, nil
}
