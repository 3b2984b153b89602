// Package cli is the commands: what they are called, what they print, and how
// they exit. Those that ask a running gateway talk to its admin listener; the
// others need no server.
//
// Standard output is for data, standard error for talk. Exit codes are 0 for
// done, 1 for a local error, 2 when the gateway said no or could not be
// reached, 3 when differences or failing expectations were found.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"bellcrank.example/core/pluginhost/sandbox"
)

// Set when the binary is linked.
var (
	// Version is the gateway's version.
	Version = "dev"
	// Commit is the revision that it was built from.
	Commit = "none"
	// ManifestSHA256 pins the manifest of the plugins that were built along,
	// in hex; empty: any manifest is taken.
	ManifestSHA256 = ""
)

// Exit codes.
const (
	exitLocal   = 1
	exitGateway = 2
	exitDiffers = 3
)

// exitError is an error that decides the exit code.
type exitError struct {
	code int
	err  error // nil: everything has been said already
}

// Error makes *exitError an error.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// Main runs a command line without the program's name and returns the exit
// code.
func Main(args []string) int {
	if len(args) > 0 && args[0] == sandbox.Command {
		sandbox.Main(args[1:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func run(ctx context.Context, args []string, s streams) int {
	root := newRoot(s)
	root.SetArgs(doubleDashes(args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if message := err.Error(); message != "" {
		fmt.Fprintln(s.err, "bellcrank:", message)
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitLocal
}

// longFlag is a flag as HCL users type it: -config, -config=x.
var longFlag = regexp.MustCompile(`^-[A-Za-z][A-Za-z0-9-]+(=.*)?$`)

// doubleDashes lets -flag stand for --flag. Without it pflag would read
// -config as the short flags c, o, n and so on.
func doubleDashes(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		if arg == "--" {
			copy(out[i:], args[i:])
			break
		}
		if longFlag.MatchString(arg) {
			arg = "-" + arg
		}
		out[i] = arg
	}
	return out
}

// console is what all commands share.
type console struct {
	streams
	json bool
	held []string // plugins that are held in a debugger
}

func newRoot(s streams) *cobra.Command {
	a := &console{streams: s}
	root := &cobra.Command{
		Use:           "bellcrank",
		Short:         "Alert adapter gateway: every monitoring tool's own webhook, one kind of incident",
		SilenceErrors: true,
		SilenceUsage:  true,
		// Without Args a mistyped command would print the help and succeed.
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON for machines")
	root.AddCommand(
		a.serveCommand(), a.devCommand(), a.validateCommand(), a.fmtCommand(),
		a.statusCommand(), a.reloadCommand(), a.versionCommand(), a.keyCommand(), a.adaptCommand(),
		a.integrationCommand(), a.incidentCommand(), a.inboxCommand(),
		a.deliveryCommand(), a.destinationCommand(), a.pluginCommand(),
		a.silenceCommand(), a.heartbeatCommand(), a.routeCommand(), a.planCommand(),
		a.auditCommand(),
	)
	return root
}

// group makes a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// splitRef reads "TYPE/NAME".
func splitRef(s string) (kind, name string, err error) {
	kind, name, ok := strings.Cut(s, "/")
	if !ok || kind == "" || name == "" {
		return "", "", fmt.Errorf("%q: want TYPE/NAME", s)
	}
	return kind, name, nil
}
