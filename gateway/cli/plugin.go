package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/core/pluginhost"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/sdk"
)

func (a *console) pluginCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "list the adapter processes of the gateway", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := get[struct {
				Plugins []admin.Plugin `json:"plugins"`
			}](cmd.Context(), "/v1/plugins", nil)
			if err != nil {
				return err
			}
			return a.show(answer.Plugins, func() { a.printPlugins(answer.Plugins) })
		},
	}
	inspect := &cobra.Command{
		Use: "inspect FILE", Short: "say what a plugin executable declares, and its checksum", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			entry, err := describe(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.show(entry, func() { a.printEntry(entry) })
		},
	}
	commands := []*cobra.Command{list, inspect, a.pluginLockCommand(), a.restartCommand(), a.swapCommand(), a.rollbackCommand(), a.diffCommand()}
	return group("plugin", "adapter executables and processes", append(commands, a.kitCommands()...)...)
}

func (a *console) printPlugins(list []admin.Plugin) {
	var rows [][]any
	for _, p := range list {
		rows = append(rows, []any{p.Name, p.Type, p.Version, p.State, p.PID, p.Restarts, p.InFlight, p.Sandbox, clip(p.SHA256, 12), clip(p.LastError, 60)})
	}
	a.printTable([]any{"plugin", "type", "version", "state", "pid", "restarts", "in flight", "sandbox", "sha256", "last error"}, rows)
}

func (a *console) printEntry(e pluginhost.LockEntry) {
	fmt.Fprintf(a.out, "%s %s (%s)\n%s\n\n", e.Info.Name, e.Version, e.Type, e.Info.Summary)
	fmt.Fprintf(a.out, "plugin %q {\n  type    = %q\n  version = %q\n  sha256  = %q\n}\n", e.Type, e.Type, e.Version, e.SHA256[pluginhost.Platform()])
	if len(e.Info.Settings) > 0 {
		fmt.Fprintln(a.out, "\nsettings:")
	}
	for _, s := range e.Info.Settings {
		fmt.Fprintf(a.out, "  %-18s %-7s %s\n", s.Name, s.Type, s.Doc)
	}
}

// describe runs a plugin that a person has named, once, and pins it. Its
// environment is empty: it is not trusted yet.
func describe(ctx context.Context, path string) (pluginhost.LockEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, adaptTimeout)
	defer cancel()
	program, err := pluginhost.ProgramOf(path)
	if err != nil {
		return pluginhost.LockEntry{}, err
	}
	cmd := exec.CommandContext(ctx, program.Path, append(slices.Clone(program.Args), "-describe")...)
	cmd.Env = []string{}
	out, err := cmd.Output()
	if err != nil {
		return pluginhost.LockEntry{}, fmt.Errorf("%s -describe: %w%s", path, err, lastLine(err))
	}
	var info sdk.Info
	if err := json.Unmarshal(out, &info); err != nil || info.Type == "" {
		return pluginhost.LockEntry{}, fmt.Errorf("%s is no adapter: -describe printed no description", path)
	}
	sum, err := program.Digest()
	if err != nil {
		return pluginhost.LockEntry{}, err
	}
	name := filepath.Base(path)
	if program.Folder != "" {
		name = info.Type
	}
	return pluginhost.LockEntry{
		Name: name, Type: info.Type, Version: info.Version, Contract: pluginhost.ContractVersion,
		SHA256: map[string]string{pluginhost.Platform(): sum}, Info: info,
	}, nil
}

// lastLine is what a process that failed has said, in a line: interpreters
// say what is missing.
func lastLine(err error) string {
	failed, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return ""
	}
	for line := range strings.Lines(string(failed.Stderr)) {
		if strings.Contains(line, "Error") {
			return ": " + clip(strings.TrimSpace(line), 200)
		}
	}
	return ""
}
