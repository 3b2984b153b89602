package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"bellcrank.example/core/destination/plugged"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/core/pluginhost/cgroup"
	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/gateway/app"
	"bellcrank.example/gateway/config"
	"bellcrank.example/gateway/memory"
)

// defaultConfig is where a configuration is looked for.
const defaultConfig = "/etc/bellcrank.d"

// defaultDataDir is where data is kept unless the configuration says else.
const defaultDataDir = "/var/lib/bellcrank"

func (a *console) serveCommand() *cobra.Command {
	var paths []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the gateway",
		Long:  "Runs the gateway until SIGTERM or SIGINT. SIGHUP reads the configuration again.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runGateway(cmd.Context(), gatewayRun{paths: paths, getenv: os.LookupEnv})
		},
	}
	configFlag(cmd, &paths)
	return cmd
}

func configFlag(cmd *cobra.Command, paths *[]string) {
	cmd.Flags().StringArrayVar(paths, "config", []string{defaultConfig}, "configuration file or folder; may be repeated")
}

// gatewayRun is what distinguishes one run of a gateway from another.
type gatewayRun struct {
	paths   []string // of the configuration
	getenv  func(string) (string, bool)
	listen  func(ctx context.Context, network, address string) (net.Listener, error) // see app.Config
	started func(ingest, admin string)                                               // see app.Config
}

// runGateway runs a gateway in this process.
func (a *console) runGateway(ctx context.Context, r gatewayRun) error {
	if err := sandbox.Hide(); err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	reload := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		forward(ctx, hangups, reload)
	}()
	defer func() {
		stop()
		<-forwarded
	}()
	level := &slog.LevelVar{}
	logger := func(t config.Telemetry) *slog.Logger {
		options := &slog.HandlerOptions{Level: level}
		log := slog.New(slog.NewTextHandler(a.err, options))
		if t.LogFormat == "json" {
			log = slog.New(slog.NewJSONHandler(a.err, options))
		}
		slog.SetDefault(log) // for what is given none, such as a sender whose template fails
		return log
	}
	port := &plugged.Port{} // outlives reloads
	memory.Ease()
	return app.Run(ctx, app.Config{
		Port: port,
		Load: func() (*config.Config, error) {
			l, err := newLoader(r.paths, r.getenv) // the lock file may have changed too
			if err != nil {
				return nil, err
			}
			l.port = port
			c, err := a.load(l)
			if err == nil {
				setLevel(level, c.Telemetry.LogLevel)
			}
			return c, err
		},
		Specs: func(c *config.Config) ([]pluginhost.Spec, error) {
			l, err := newLoader(r.paths, r.getenv) // a version may have been pinned since
			if err != nil {
				return nil, err
			}
			l.held = a.held
			return l.specs(c)
		},
		Shim:    sandbox.Self(),
		Cgroups: cgroup.Open,
		Version: Version,
		Started: r.started,
		Listen:  r.listen,
		Logger:  logger,
	}, reload)
}

// forward turns signals into wishes for a reload.
func forward(ctx context.Context, signals <-chan os.Signal, reload chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		select {
		case reload <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

func setLevel(level *slog.LevelVar, word string) {
	if err := level.UnmarshalText([]byte(word)); err != nil {
		level.Set(slog.LevelInfo)
	}
}

func (a *console) validateCommand() *cobra.Command {
	var paths []string
	strict, test := false, false
	cmd := &cobra.Command{
		Use:   "validate [PATH…]",
		Short: "check a configuration without running it",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				paths = args
			}
			loader, err := newLoader(paths, os.LookupEnv)
			if err != nil {
				return err
			}
			c, warnings, err := loader.check(a.err)
			if err != nil {
				return err
			}
			if strict && warnings > 0 {
				return fmt.Errorf("%s, and -strict", counted(warnings, "warning"))
			}
			if test && a.json {
				return a.runTests(cmd.Context(), loader, c)
			}
			fmt.Fprintf(a.out, "ok: %s, %s, %s\n", counted(len(c.Integrations), "integration"),
				counted(len(c.Destinations), "destination"), counted(len(c.Routes), "route"))
			if test {
				return a.runTests(cmd.Context(), loader, c)
			}
			return nil
		},
	}
	configFlag(cmd, &paths)
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings are errors")
	cmd.Flags().BoolVar(&test, "test", false, "run the test blocks, with the adapters' own processes; exits with 3 if one fails")
	return cmd
}
