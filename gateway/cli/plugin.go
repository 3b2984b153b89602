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
	commands := []*cobra.Command{list, a.inspectCommand(), a.pluginLockCommand(), a.restartCommand(), a.swapCommand(), a.rollbackCommand(), a.diffCommand(), a.shadowCommand()}
	return group("plugin", "adapter executables and processes", append(commands, a.kitCommands()...)...)
}

// memoryOf says what a process takes, what it may take, and what holds it to
// that.
func memoryOf(p admin.Plugin) string {
	if p.PID == 0 {
		return "–"
	}
	return fmt.Sprintf("%d/%d MiB (%s)", p.Memory>>20, p.MemoryLimit>>20, p.MemoryBy)
}

// stateOf says how a plugin is, and whether another process stands by.
func stateOf(p admin.Plugin) string {
	if p.Standby == 0 {
		return p.State
	}
	return p.State + " + standby"
}

func (a *console) printPlugins(list []admin.Plugin) {
	var rows [][]any
	for _, p := range list {
		rows = append(rows, []any{p.Name, p.Type, p.Version, stateOf(p), p.PID, p.Restarts, p.InFlight, memoryOf(p), p.Sandbox, clip(p.SHA256, 12), clip(p.LastError, 60)})
	}
	a.printTable([]any{"plugin", "type", "version", "state", "pid", "restarts", "in flight", "memory", "sandbox", "sha256", "last error"}, rows)
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
