//go:build linux

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core/pluginhost"
	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/gateway/memory"
	"bellcrank.example/plugins/internal/alerts"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
	"bellcrank.example/sdk/serve"
)

const (
	// wayEnv has the test's program be a server instead, which reaches the
	// adapter in this way, and pluginEnv names the plugin.
	wayEnv    = "BELLCRANK_BENCH_WAY"
	pluginEnv = "BELLCRANK_BENCH_PLUGIN"
	// accepted is every server's answer.
	accepted = `{"success":true,"incident":{"id":"INC-42","title":"InstanceDown"}}`
)

// TestMain makes the test's program what it is started as: the shim in front of
// a plugin, a plugin, a server, or the test.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == sandbox.Command:
		sandbox.Main(os.Args[2:])
	case os.Getenv("BELLCRANK_PLUGIN") != "":
		serve.Adapter(adapter{})
	case os.Getenv(wayEnv) != "":
		if err := serveWay(os.Getenv(wayEnv), os.Getenv(pluginEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// adapter is Alertmanager's, unless a request's path is another's.
type adapter struct{}

// The paths of requests say which.
const (
	alertmanager = "alertmanager"
	// plain decodes what it needs and no more: a call costs the most beside it.
	plain = "plain"
	// slow does the same and takes 20 ms.
	slow = "slow"
)

func (adapter) Describe() sdk.Info {
	return sdk.Info{Type: "alertmanager", Name: "Alertmanager", Version: "1.0.0"}
}

func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	switch r.Path {
	case slow:
		time.Sleep(20 * time.Millisecond)
		return adaptPlainly(r.Body)
	case plain:
		return adaptPlainly(r.Body)
	}
	return alerts.Adapt(ctx, r)
}

func adaptPlainly(body []byte) (sdk.Result, error) {
	var p struct {
		Alerts []struct {
			Status, Fingerprint string
			Labels, Annotations map[string]string
			StartsAt            time.Time
			GeneratorURL        string
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return sdk.Result{}, err
	}
	var result sdk.Result
	for _, a := range p.Alerts {
		event := sdk.Event{
			Action: sdk.Trigger, DedupKey: a.Fingerprint, Title: a.Annotations["summary"], Description: a.Annotations["description"],
			SeverityRaw: a.Labels["severity"], OccurredAt: a.StartsAt, SourceURL: a.GeneratorURL, Labels: a.Labels,
			Metadata: map[string]any{"annotations": a.Annotations},
		}
		if a.Status == "resolved" {
			event.Action = sdk.Resolve
		}
		result.Events = append(result.Events, event)
	}
	return result, nil
}

// call is a way to the adapter.
type call func(context.Context, sdk.Request) (sdk.Result, error)

// serveWay answers requests until stdin ends. It prints its address, and the
// plugin's process id.
func serveWay(way, plugin string) error {
	way, tuned := strings.CutSuffix(way, asShipped)
	if tuned {
		memory.Ease()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	adapt, pid, end, err := open(ctx, way, plugin)
	if err != nil {
		return err
	}
	defer end()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/webhooks/*", func(c *fiber.Ctx) error {
		if err := answer(ctx, c, adapt); err != nil {
			return err
		}
		return c.SendString(accepted)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = app.Shutdown()
	}()
	fmt.Printf("%s %d\n", ln.Addr(), pid)
	return app.Listener(ln)
}

// answer has a request adapted. Like the gateway's door it copies what lives
// on when the handler has returned.
func answer(ctx context.Context, c *fiber.Ctx, adapt call) error {
	if adapt == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	result, err := adapt(ctx, sdk.Request{
		ID: "4194304", Method: http.MethodPost, Path: strings.Clone(c.Params("*")), ReceivedAt: time.Now(), Attempt: 1,
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Alertmanager/0.34.2"}},
		Body:   bytes.Clone(c.Body()), Integration: "bench/one",
	})
	if err != nil {
		return err
	}
	if len(result.Events) == 0 {
		return fmt.Errorf("no event: %+v", result)
	}
	return nil
}

// open makes a way to the adapter.
func open(ctx context.Context, way, plugin string) (call, int, func(), error) {
	switch way {
	case bare:
		return nil, 0, func() {}, nil
	case inProcess:
		return adapter{}.Adapt, 0, func() {}, nil
	case unary, batch:
		return openClient(ctx, client.Way(way), plugin)
	case host:
		return openHost(ctx, plugin)
	}
	return nil, 0, nil, fmt.Errorf("no way %q", way)
}

func openClient(ctx context.Context, way client.Way, plugin string) (call, int, func(), error) {
	program, err := pluginhost.ProgramOf(plugin)
	if err != nil {
		return nil, 0, nil, err
	}
	c, err := client.Start(ctx, client.Config{Path: program.Path, Args: program.Args, Way: way, Output: os.Stderr})
	if err != nil {
		return nil, 0, nil, err
	}
	return c.Adapt, c.PID(), c.Kill, nil
}

// openHost runs a plugin as the gateway does.
func openHost(ctx context.Context, plugin string) (call, int, func(), error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, nil, err
	}
	run, err := os.MkdirTemp("", "run")
	if err != nil {
		return nil, 0, nil, err
	}
	h, err := pluginhost.New(pluginhost.Config{
		Plugins: []pluginhost.Spec{{Name: "alertmanager", Type: "alertmanager", Path: plugin, Unpinned: true}},
		RunDir:  run, Shim: []string{self}, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return nil, 0, nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	end := func() {
		stop()
		<-ended
		os.RemoveAll(run)
	}
	if err = h.Wait(ctx); err == nil && !h.Ready("alertmanager") {
		err = errors.New(h.Plugins()[0].LastError)
	}
	if err != nil {
		end()
		return nil, 0, nil, err
	}
	adapt := func(ctx context.Context, r sdk.Request) (sdk.Result, error) { return h.Adapt(ctx, "alertmanager", r) }
	return adapt, h.Plugins()[0].PID, end, nil
}
