// Package client owns the gateway's side of one adapter process: it starts the
// executable, speaks the contract with it, and ends it, whatever state it is
// in. It starts a process once; when to start another is package pluginhost's
// business.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
	"bellcrank.example/sdk/internal/wire/adapterv1"
	"bellcrank.example/sdk/internal/wire/destinationv1"
)

const (
	// socketRoom is how many bytes the library adds to the run folder's path
	// for the socket, and maxSocketPath what the kernel takes.
	socketRoom    = 40
	maxSocketPath = 107
	// rung is how long each step of stopping a process may take: two of them
	// are less than two seconds.
	rung = 900 * time.Millisecond
	// grace is how long a process that hangs has to say why, or one without a
	// connection to end by itself.
	grace = 2 * time.Second
)

// Sizes of what isn't an answer to a request, in bytes: few have a hundredth of
// it.
const (
	maxDescription = 256 << 10
	maxControl     = 64 << 10
	maxHeaders     = 16 << 10 // of an answer: what went wrong is one of them
)

// ShimEnv is a variable that the shim's environment has and the executable's
// must not: a shim isn't the plugin yet.
const ShimEnv = wire.ShimEnv

// Way is how requests travel to a plugin.
type Way string

// The ways.
const (
	Unary    Way = "unary"    // each request is a call of its own, which every plugin takes
	Batch    Way = "batch"    // what waits goes in one call
	Exchange Way = "exchange" // on a stream, answered in any order
)

// Config says what to start. Path is required.
type Config struct {
	// Path is the executable.
	Path string
	// File, if not nil, is the opened executable, which runs instead of what
	// Path leads to by now. Linux only; the caller closes it after Start.
	File *os.File
	// Shim, if not empty, is a command that runs first and then becomes the
	// executable: its arguments are followed by the path to execute and that
	// one's own arguments, from its name on. Linux only.
	Shim []string
	// ShimReport, if not nil, is handed to the shim as descriptor 5; the caller
	// closes it after Start. It needs File.
	ShimReport *os.File
	// Cgroup, if not nil, is the opened folder of a cgroup of version 2 in which
	// the process starts. Linux only; it stays open until Start has returned.
	Cgroup *os.File
	// Ended, if not nil, is called when the process has ended and its group was
	// killed, before anybody is told: it takes away what has left the group.
	Ended func()
	// Args follow the executable's name.
	Args []string
	// Env is the whole environment, "NAME=value"; nothing is inherited.
	Env []string
	// RunDir is an existing private folder for the socket; a fresh temporary
	// one if empty.
	RunDir string
	// Output gets what the process prints after the handshake, from one
	// goroutine at a time; discarded if nil.
	Output io.Writer
	// Way is how requests travel: by Exchange if empty and the plugin offers it,
	// else by Batch, else by Unary. A plugin that doesn't offer it isn't started.
	Way Way
	// StartTimeout is for the handshake and the first answer; 5 seconds if zero.
	StartTimeout time.Duration
	// Stuck is the shortest time after which an unanswered call means that
	// the process hangs; 2 seconds if zero. It is at least twice the call's own.
	Stuck time.Duration
	// Now is time.Now if nil.
	Now func() time.Time
	// Logger is slog.Default if nil.
	Logger *slog.Logger
}

// Client is one adapter process. It is an sdk.Adapter.
type Client struct {
	cfg     Config
	process *process
	library *plugin.Client
	ownDir  string // run folder to remove, if it is ours
	conn    *grpc.ClientConn
	plugin  adapterv1.PluginClient
	adapter adapterv1.AdapterClient
	target  destinationv1.DestinationClient
	info    sdk.Info
	runs    context.Context // ends with the process
	stop    context.CancelFunc
	work    sync.WaitGroup
	closed  chan struct{}
	calls   calls
	reading room          // of answers
	sending room          // of answers to calls of their own
	gate    room          // one large answer
	ways    []Way         // that the plugin offers, the best one last
	batches chan *batched // nil: requests don't go in batches

	mu          sync.Mutex
	lane        *lane // nil: the plugin has no Exchange
	configured  map[string]uint64
	generations uint64
}

// Start runs the executable and waits until it has described itself. On error
// nothing is left behind.
func Start(ctx context.Context, cfg Config) (*Client, error) {
	c := newClient(cfg)
	if err := c.prepare(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.StartTimeout)
	defer cancel()
	go c.cleanUp()
	if err := c.start(ctx); err != nil {
		wait, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		c.ended(wait) // its own end explains more than ours
		c.Kill()
		return nil, fmt.Errorf("start %s: %w", cfg.Path, c.explain(err))
	}
	return c, nil
}

func newClient(cfg Config) *Client {
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = 5 * time.Second
	}
	if cfg.Stuck == 0 {
		cfg.Stuck = 2 * time.Second
	}
	if cfg.Output == nil {
		cfg.Output = io.Discard
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Client{cfg: cfg, closed: make(chan struct{}), configured: map[string]uint64{}}
	c.reading, c.sending, c.gate = newRoom(roomForAnswers), newRoom(roomForCalls), newRoom(1)
	c.calls = calls{now: cfg.Now, stuck: cfg.Stuck, open: map[uint64]*call{}}
	c.runs, c.stop = context.WithCancel(context.Background())
	return c
}

// prepare makes the run folder and everything that the start needs.
func (c *Client) prepare() error {
	if c.cfg.RunDir == "" {
		dir, err := os.MkdirTemp("", "bellcrank-")
		if err != nil {
			return fmt.Errorf("make a run folder: %w", err)
		}
		c.cfg.RunDir, c.ownDir = dir, dir
	}
	dir, err := filepath.Abs(c.cfg.RunDir)
	if err == nil && len(dir)+socketRoom > maxSocketPath {
		err = fmt.Errorf("its path has %d bytes: a socket in there would pass the kernel's limit, %d bytes are the most",
			len(dir), maxSocketPath-socketRoom)
	}
	if err == nil {
		c.process, err = newProcess(c.cfg)
	}
	if err != nil {
		if c.ownDir != "" {
			_ = os.RemoveAll(c.ownDir)
		}
		return fmt.Errorf("run folder %s: %w", c.cfg.RunDir, err)
	}
	c.library = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{wire.Protocol: {"adapter": connection{}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		RunnerFunc:       c.process.runner,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: dir},
		StartTimeout:     c.cfg.StartTimeout,
		SkipHostEnv:      true,
		Logger:           hclog.NewNullLogger(), // what matters comes back as errors
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxExchangeMessage)),
			grpc.WithMaxHeaderListSize(maxHeaders),
			// Fixed: what finds out a good size does so by a ping after each read.
			grpc.WithStaticStreamWindowSize(wire.WindowSize),
			grpc.WithStaticConnWindowSize(wire.WindowSize),
		},
	})
	return nil
}

// start connects and asks the process what it is. The library's calls know no
// deadline: killing the process ends them.
func (c *Client) start(ctx context.Context) error {
	result := make(chan error, 1)
	go func() { result <- c.connect(ctx) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		c.process.kill()
		if err := <-result; err == nil {
			return ctx.Err()
		}
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
}

func (c *Client) connect(ctx context.Context) error {
	protocol, err := c.library.Client()
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	dispensed, err := protocol.Dispense("adapter")
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	conn, ok := dispensed.(*grpc.ClientConn)
	if !ok {
		return errors.New("handshake: no gRPC connection")
	}
	c.conn, c.plugin, c.adapter = conn, adapterv1.NewPluginClient(conn), adapterv1.NewAdapterClient(conn)
	c.target = destinationv1.NewDestinationClient(conn)
	description, err := c.plugin.Describe(ctx, &adapterv1.DescribeRequest{}, grpc.MaxCallRecvMsgSize(maxDescription))
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if err := json.Unmarshal(description.GetInfoJson(), &c.info); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	return c.openWay(description)
}

// openWay opens the way for requests.
func (c *Client) openWay(description *adapterv1.DescribeResponse) error {
	c.ways = []Way{Unary}
	if wire.HasCapability(description, wire.CapabilityBatch) {
		c.ways = append(c.ways, Batch)
	}
	if wire.HasCapability(description, wire.CapabilityExchange) {
		c.ways = append(c.ways, Exchange)
	}
	way := c.cfg.Way
	if way == "" {
		way = c.ways[len(c.ways)-1]
	}
	switch {
	case !slices.Contains(c.ways, way):
		return fmt.Errorf("the plugin doesn't offer %s", way)
	case way == Exchange:
		return c.openLane()
	case way == Batch:
		c.openBatches()
	}
	return nil
}

// connection is what the library hands out: the connection itself.
type connection struct{ plugin.NetRPCUnsupportedPlugin }

// GRPCServer is never called in the gateway.
func (connection) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the gateway is no plugin")
}

// GRPCClient returns the connection.
func (connection) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// explain adds how the process ended to the error that its end caused.
func (c *Client) explain(err error) error {
	err = oneLine{err}
	if exit := c.Exit(); !exit.Killed && exit.Text != "" {
		return fmt.Errorf("%w (%s)", err, exit.Text)
	}
	return err
}

// oneLine is an error of the library, which writes paragraphs.
type oneLine struct{ error }

// Error joins the lines.
func (o oneLine) Error() string {
	return strings.Join(strings.Fields(o.error.Error()), " ")
}

// Unwrap returns the error as it was.
func (o oneLine) Unwrap() error { return o.error }

// cleanUp waits for the end of the process and takes everything away that it
// leaves behind.
func (c *Client) cleanUp() {
	<-c.process.done
	c.stop()
	c.library.Kill() // the process is gone: this frees the library's goroutines and socket folder
	c.work.Wait()
	if c.ownDir != "" {
		_ = os.RemoveAll(c.ownDir)
	}
	close(c.closed)
}

// Describe returns what the process said about itself when it started.
func (c *Client) Describe() sdk.Info { return c.info }

// Ways returns the ways in which the plugin takes requests, the best one last.
func (c *Client) Ways() []Way { return slices.Clone(c.ways) }

// PID is the process's id.
func (c *Client) PID() int { return c.process.pid() }

// Done is closed when the process has ended.
func (c *Client) Done() <-chan struct{} { return c.process.done }

// Exit says how the process ended; the zero Exit while it runs.
func (c *Client) Exit() Exit {
	select {
	case <-c.process.done:
		return c.process.exit
	default:
		return Exit{}
	}
}

// Configure hands over an integration's settings, for the calls that name it.
func (c *Client) Configure(ctx context.Context, integration string, settings json.RawMessage) error {
	c.mu.Lock()
	c.generations++
	generation := c.generations
	c.mu.Unlock()
	answer, err := c.plugin.Configure(ctx, &adapterv1.ConfigureRequest{
		Instance: integration, Generation: generation, SettingsJson: settings,
	}, grpc.MaxCallRecvMsgSize(maxControl))
	if err != nil {
		return fmt.Errorf("configure %s: %w", integration, c.transportError(err))
	}
	if wrong := answer.GetDiagnostics(); len(wrong) > 0 {
		return fmt.Errorf("configure %s: %s: %s", integration, wrong[0].GetPath(), wrong[0].GetMessage())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.configured[integration] = max(generation, c.configured[integration])
	return nil
}

// Release makes the process forget an integration.
func (c *Client) Release(ctx context.Context, integration string) error {
	c.mu.Lock()
	delete(c.configured, integration)
	c.mu.Unlock()
	if _, err := c.plugin.Release(ctx, &adapterv1.ReleaseRequest{Instance: integration}, grpc.MaxCallRecvMsgSize(maxControl)); err != nil {
		return fmt.Errorf("release %s: %w", integration, c.transportError(err))
	}
	return nil
}

// generation returns the settings that apply to a request. An integration
// that nobody has configured is configured with the request's own settings.
func (c *Client) generation(ctx context.Context, r sdk.Request) (uint64, error) {
	if r.Integration == "" {
		return 0, nil
	}
	c.mu.Lock()
	generation, ok := c.configured[r.Integration]
	c.mu.Unlock()
	if ok {
		return generation, nil
	}
	if err := c.Configure(ctx, r.Integration, r.Settings); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.configured[r.Integration], nil
}

// Check asks the health service. It returns when ctx ends, whatever the
// process does.
func (c *Client) Check(ctx context.Context) error {
	answer, err := grpc_health_v1.NewHealthClient(c.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName},
		grpc.MaxCallRecvMsgSize(maxControl))
	if err != nil {
		return fmt.Errorf("health: %w", c.transportError(err))
	}
	if s := answer.GetStatus(); s != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health: %s", s)
	}
	return nil
}

// Stop ends the process: it asks, then insists, then kills the process group.
// It returns when nothing is left, at the latest after ctx and a moment. The
// caller has let the calls in flight end; those that haven't fail.
func (c *Client) Stop(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, rung)
	defer cancel()
	// The answer may get lost: the process hangs up as it is told to.
	err := c.conn.Invoke(asked, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{}, grpc.MaxCallRecvMsgSize(maxControl))
	if status.Code(err) == codes.Unimplemented || !c.ended(asked) {
		c.process.terminate()
		insisted, cancel := context.WithTimeout(ctx, rung)
		defer cancel()
		if !c.ended(insisted) {
			c.process.kill()
		}
	}
	<-c.closed
}

// Abort ends a process that hangs. A Go program writes its goroutines' stacks
// to the output first.
func (c *Client) Abort(ctx context.Context) {
	c.process.abort()
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if !c.ended(ctx) {
		c.process.kill()
	}
	<-c.closed
}

// Pause has the process group stand still until Resume. Either does nothing once
// the process has ended, and on Windows.
func (c *Client) Pause() { c.process.pause() }

// Resume has the process group go on.
func (c *Client) Resume() { c.process.resume() }

// Kill ends the process group at once and waits until nothing is left.
func (c *Client) Kill() {
	c.process.kill()
	<-c.closed
}

func (c *Client) ended(ctx context.Context) bool {
	select {
	case <-c.process.done:
		return true
	case <-ctx.Done():
		return false
	}
}
