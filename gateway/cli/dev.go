package cli

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/core/keyring"
)

// devConfig is the configuration of a development gateway. It is written once;
// after that it is the operator's own.
//
//go:embed dev.hcl
var devConfig string

// devKeys are the integrations of a development gateway, in the order in which
// they are printed.
var devKeys = []string{"alertmanager", "datadog", "sentry", "custom"}

func (a *console) devCommand() *cobra.Command {
	dir, plugins, debug := "", []string(nil), false
	cmd := &cobra.Command{
		Use:   "dev [-plugin FILE [-debug]]",
		Short: "run a development gateway with every adapter and an example receiver",
		Long: "Keeps everything in one folder: on first start a configuration and fresh keys, then the data.\n" +
			"Listens on 127.0.0.1 only.\n\n" +
			"With -plugin it also runs an executable that you are working on, whatever it hashes to, and loads it again\n" +
			"whenever it is built anew; requests meanwhile are answered by the one before.\n\n" +
			"With -debug such a process is neither confined nor replaced when it stands still, and a call may take an\n" +
			"hour: attach a debugger to the process that `bellcrank plugin list` names.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.dev(cmd.Context(), dir, plugins, debug) },
	}
	cmd.Flags().StringArrayVar(&plugins, "plugin", nil, "plugin executable that you are working on; may be repeated")
	cmd.Flags().BoolVar(&debug, "debug", false, "let a debugger hold those of -plugin")
	cmd.Flags().StringVar(&dir, "dir", ".bellcrank", "folder for configuration, keys and data")
	return cmd
}

func (a *console) dev(ctx context.Context, dir string, plugins []string, debug bool) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := a.prepareDev(dir); err != nil {
		return err
	}
	paths := []string{filepath.Join(dir, "bellcrank.hcl")}
	own := newDevPlugins(a, dir, plugins)
	if len(plugins) > 0 {
		if err := own.prepare(ctx); err != nil {
			return err
		}
		paths = append(paths, filepath.Join(dir, devPluginConfig))
	}
	if debug {
		a.held = own.names()
	}
	var ports devPorts
	defer ports.close()
	variables := map[string]string{"BELLCRANK_DEV_DATA": filepath.Join(dir, "data")}
	for _, p := range []struct {
		name string
		port int
	}{{"INGEST", 8080}, {"ADMIN", 8081}, {"RECEIVER", 9000}} {
		address, err := ports.open(ctx, p.port)
		if err != nil {
			return err
		}
		if _, port, _ := strings.Cut(address, ":"); port != strconv.Itoa(p.port) {
			fmt.Fprintf(a.out, "port %d is taken, using %s\n", p.port, port)
		}
		variables["BELLCRANK_DEV_"+p.name] = address
	}
	wait, err := a.startReceiver(ctx, dir, ports.take(variables["BELLCRANK_DEV_RECEIVER"]))
	if err != nil {
		return err
	}
	defer wait()
	getenv := func(name string) (string, bool) {
		if value, ok := variables[name]; ok {
			return value, true
		}
		return os.LookupEnv(name)
	}
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer stop()
	return a.runGateway(ctx, gatewayRun{paths: paths, getenv: getenv, listen: ports.listen, started: func(ingest, admin string) {
		if err := writeAdminFile(dir, admin); err != nil {
			fmt.Fprintln(a.err, "bellcrank:", err)
		}
		a.greet(dir, ingest, admin)
		own.greet(ingest)
		watcher.Go(func() { own.watch(watching) })
	}})
}

// prepareDev makes the folder with keys and configuration, as far as they
// aren't there.
func (a *console) prepareDev(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return fmt.Errorf("make development folder: %w", err)
	}
	for _, name := range devKeys {
		key, err := keyring.NewKey(rand.Reader)
		if err != nil {
			return err
		}
		if err := writeOnce(filepath.Join(dir, "keys", name), key); err != nil {
			return err
		}
	}
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("draw a secret: %w", err)
	}
	if err := writeOnce(filepath.Join(dir, "keys", "receiver"), "whsec_"+base64.StdEncoding.EncodeToString(secret[:])); err != nil {
		return err
	}
	return writeOnce(filepath.Join(dir, "bellcrank.hcl"), devConfig)
}

// writeOnce writes a file for us alone unless it is there.
func writeOnce(path, content string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return f.Close()
}

// startReceiver runs the example receiver that was built beside us. The
// returned function waits for its end.
func (a *console) startReceiver(ctx context.Context, dir string, listener *net.TCPListener) (wait func(), err error) {
	socket, err := inherit(listener)
	if err != nil {
		return nil, fmt.Errorf("hand the port to the example receiver: %w", err)
	}
	defer socket.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own executable: %w", err)
	}
	secret, err := os.ReadFile(filepath.Join(dir, "keys", "receiver"))
	if err != nil {
		return nil, fmt.Errorf("read the receiver's secret: %w", err)
	}
	receiver := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), "receiver"),
		"-fd", "3", "-log", filepath.Join(dir, "receiver.log"))
	receiver.Env = append(os.Environ(), "RECEIVER_SECRET="+strings.TrimSpace(string(secret)))
	receiver.Stdout, receiver.Stderr = a.out, a.err
	receiver.ExtraFiles = []*os.File{socket} // the first of them is descriptor 3
	// It hears of Ctrl-C from us, after the gateway has stopped sending.
	receiver.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	receiver.Cancel = func() error { return receiver.Process.Signal(syscall.SIGTERM) }
	receiver.WaitDelay = 5 * time.Second
	if err := receiver.Start(); err != nil {
		return nil, fmt.Errorf("start the example receiver: %w", err)
	}
	return func() {
		if err := receiver.Process.Signal(syscall.SIGTERM); err == nil || errors.Is(err, os.ErrProcessDone) {
			receiver.Wait() //nolint:errcheck // it was told to end
		}
	}, nil
}

// writeAdminFile lets commands find this gateway.
func writeAdminFile(dir, admin string) error {
	content, err := json.Marshal(access{Addr: admin, TokenFile: filepath.Join(dir, "data", "admin.token")})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "admin.json"), append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write admin.json: %w", err)
	}
	return nil
}

// greet prints where everything is, and a line to try each integration with.
func (a *console) greet(dir, ingest, admin string) {
	fmt.Fprintf(a.out, "\nbellcrank is ready. Everything is in %s; Ctrl-C stops it.\n", dir)
	fmt.Fprintf(a.out, "Admin API on http://%s, token in %s\n", admin, filepath.Join(dir, "data", "admin.token"))
	for _, name := range devKeys {
		key, err := os.ReadFile(filepath.Join(dir, "keys", name))
		if err != nil {
			fmt.Fprintln(a.err, "bellcrank:", err)
			continue
		}
		url := fmt.Sprintf("http://%s/webhooks/%s", ingest, strings.TrimSpace(string(key)))
		fmt.Fprintf(a.out, "\n%-13s %s\n", name, url)
		fmt.Fprintf(a.out, "  %s\n", strings.Join(slices.Concat([]string{"curl", "-sd", "@examples/payloads/" + name + ".json", "-H", "'Content-Type: application/json'"}, devHeaders[name], []string{url}), " "))
		if name == "sentry" {
			fmt.Fprintln(a.out, `  (curl can't sign, so this integration has verify = "none"; give yours signing_secrets)`)
		}
	}
	fmt.Fprintln(a.out)
}

// devHeaders are what a vendor's request must have besides its body.
var devHeaders = map[string][]string{"sentry": {"-H", "'Sentry-Hook-Resource: event_alert'"}}
