// Package app is the composition root: it builds every part of the gateway
// from the configuration, runs them together, swaps the configuration on a
// reload, and stops them in the order that loses nothing.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/plugged"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/core/drift"
	"bellcrank.example/core/fetch"
	"bellcrank.example/core/intake"
	"bellcrank.example/core/keyring"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/core/pluginhost/cgroup"
	"bellcrank.example/core/schedule"
	"bellcrank.example/core/store"
	"bellcrank.example/core/store/engine"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/config"
	"bellcrank.example/gateway/server"
	"bellcrank.example/gateway/webhook"
)

// Config holds what a gateway needs. Load is required.
type Config struct {
	Load  func() (*config.Config, error) // reads the configuration; called again on a reload
	Specs func(*config.Config) ([]pluginhost.Spec, error)
	Shim  []string // that confines plugins; see pluginhost.Config
	// Cgroups finds out how far the kernel holds plugins to their limits; it does
	// not if nil.
	Cgroups func(cgroup.Config) *cgroup.Tree
	// Port is by which destinations of the configuration reach their plugins;
	// nil if no plugin brings a destination along.
	Port    *plugged.Port
	Version string
	// Started is told when both listeners accept and each plugin has started or
	// failed to, or after ten seconds; may be nil.
	Started func(ingest, admin string)
	// Listen opens both listeners, as net.ListenConfig does; that does it if nil.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Outside is how the certificates of vendors and the URLs that confirm
	// subscriptions are fetched.
	Outside fetch.Config
	// Logger makes the log that the configuration asks for; slog.Default if nil.
	Logger func(config.Telemetry) *slog.Logger
}

// Gateway is everything that runs.
type Gateway struct {
	cfg        Config
	log        *slog.Logger
	current    atomic.Pointer[setup]
	booted     *config.Config // what listeners and store were made of
	pepper     core.Secret
	generation int64

	store      *store.Store
	cgroups    *cgroup.Tree
	plugins    *pluginhost.Host
	outside    *fetch.Client
	certs      *fetch.Certificates
	intake     *intake.Intake
	drift      *drift.Tracker
	scheduler  *schedule.Scheduler
	routing    routing
	dispatcher *dispatch.Dispatcher
	bulks      *dispatch.Bulks
	ingest     *server.Server
	admin      *server.Server
	stopping   atomic.Bool
	reloads    chan chan reloaded
}

// Bounds of a shutdown. After either, what hasn't ended gets one more second.
const (
	stopTimeout = 19 * time.Second
	// failTimeout is for a shutdown because a part has failed: what can't be
	// stored can't be finished either, and whoever starts us again is waiting.
	failTimeout = time.Second
	// startTimeout is how long plugins are waited for before somebody is told
	// that all is well.
	startTimeout = 10 * time.Second
)

// Run builds a gateway and runs it until ctx ends or a part fails. reload is
// received from whenever the configuration shall be read again.
func Run(ctx context.Context, cfg Config, reload <-chan struct{}) (err error) {
	loaded, err := cfg.Load()
	if err != nil {
		return err
	}
	g := &Gateway{cfg: cfg, log: slog.Default(), booted: loaded, reloads: make(chan chan reloaded)}
	if cfg.Logger != nil {
		g.log = cfg.Logger(loaded.Telemetry)
	}
	g.openCgroups(loaded)
	defer func() { err = errors.Join(err, g.cgroups.Close()) }()
	if err := g.open(ctx, loaded); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.store.Close()) }()
	return g.run(ctx, loaded, reload)
}

// openCgroups finds out how far the kernel holds plugins to their limits.
func (g *Gateway) openCgroups(c *config.Config) {
	if g.cfg.Cgroups == nil || c.PluginCgroup == string(cgroup.Off) {
		return
	}
	g.cgroups = g.cfg.Cgroups(cgroup.Config{Mode: cgroup.Mode(c.PluginCgroup)})
	log := g.log.With("part", "plugins")
	switch why := g.cgroups.Why(); {
	case why == nil:
		log.Info("the kernel holds plugins to their limits", "folder", g.cgroups.Folder())
	case g.cgroups.Required():
		log.Error("the kernel doesn't hold plugins to all of their limits", "by", g.cgroups.Holds(), "why", why)
	default:
		log.Info("the kernel doesn't hold plugins to all of their limits", "by", g.cgroups.Holds(), "why", why)
	}
}

// open makes every part, from the inside out. Nothing runs yet.
func (g *Gateway) open(ctx context.Context, c *config.Config) error {
	if err := prepareDataDir(c.DataDir); err != nil {
		return err
	}
	var err error
	if g.pepper, err = secretFile(filepath.Join(c.DataDir, pepperFile)); err != nil {
		return err
	}
	token := c.AdminToken
	if token.Empty() {
		if token, err = secretFile(filepath.Join(c.DataDir, tokenFile)); err != nil {
			return err
		}
	}
	s, err := g.newSetup(c)
	if err != nil {
		return err
	}
	g.current.Store(s)
	g.routing.configure(s.routes)
	specs, err := g.cfg.Specs(c)
	if err != nil {
		return err
	}
	g.plugins, err = pluginhost.New(pluginhost.Config{
		Plugins: specs, RunDir: filepath.Join(c.DataDir, runFolder), Shim: g.cfg.Shim, Cgroups: g.cgroups,
		Logger: g.log.With("part", "plugins"), Now: Now,
	})
	if err != nil {
		return fmt.Errorf("plugins: %w", err)
	}
	if g.cfg.Port != nil {
		g.cfg.Port.Connect(g.plugins)
	}
	if err := g.openStore(ctx, c); err != nil {
		return err
	}
	g.outside = fetch.New(g.cfg.Outside)
	g.certs = fetch.NewCertificates(fetch.CertificatesConfig{
		Client: g.outside, Roots: g.cfg.Outside.Roots, Now: Now, Logger: g.log.With("part", "certificates"),
	})
	if err := g.openScheduler(ctx); err != nil {
		return err
	}
	g.drift = drift.New(drift.Config{Store: g.store, Now: Now, Logger: g.log.With("part", "drift")})
	g.intake = intake.New(intake.Config{
		Observe: g.drift.Observe,
		Store:   g.store, Adapters: g.plugins, Verifier: g.verifier(), Confirmer: g.outside, NewID: g.store.NewID, Now: Now, Logger: g.log.With("part", "intake"),
		Integrations: func() map[string]*core.Integration { return g.current.Load().integrations },
		Version:      g.version,
	})
	g.dispatcher = dispatch.New(dispatch.Config{
		Store: g.store, NewID: g.store.NewID, Destinations: c.Destinations, PublicURL: c.PublicURL,
		Now: Now, Suspect: g.suspect, Logger: g.log.With("part", "dispatch"), Notice: g.notice,
	})
	g.bulks = dispatch.NewBulks(g.store, g.log.With("part", "bulk"))
	g.openListeners(c, token)
	return nil
}

// verifier judges signatures, at the door and later.
func (g *Gateway) verifier() keyring.Verifier { return keyring.Verifier{Certificates: g.certs} }

// successorWait is how long a gateway waits for its predecessor to let go of
// the data directory.
const successorWait = 25 * time.Second

func (g *Gateway) openStore(ctx context.Context, c *config.Config) error {
	dir := c.DataDir
	if c.Storage.Path != "" {
		if filepath.Base(c.Storage.Path) != databaseFile {
			return fmt.Errorf("storage: the database's name is %s; %s has another", databaseFile, c.Storage.Path)
		}
		dir = filepath.Dir(c.Storage.Path)
	}
	var err error
	g.store, err = store.Open(ctx, store.Config{
		URL:       "sqlite:" + dir,
		Routes:    g.routing.routes,
		Suspect:   g.suspect,
		Owed:      g.owed,
		LockWait:  successorWait,
		Retention: engine.Retention{Requests: c.Retention.RawPayloads, Attempts: c.Retention.Deliveries, Incidents: c.Retention.Incidents, DeadLetters: c.Retention.DeadLetters},
		Now:       Now, Logger: g.log.With("part", "store"),
	})
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	return nil
}

// owed is told of new deliveries, by the store's writer. That doesn't run
// before there is a dispatcher.
func (g *Gateway) owed(destinations []string) { g.dispatcher.Wake(destinations) }

func (g *Gateway) openListeners(c *config.Config, token core.Secret) {
	metrics := admin.NewMetrics(g.cfg.Version)
	g.ingest = server.New(g.serverConfig("ingest", c.Ingest, c.Telemetry))
	webhook.Register(g.ingest.Router(), webhook.Config{
		Keys: g.keys, Intake: g.intake, Verifier: g.verifier(), Refuse: g.store.Refuse, PublicURL: c.PublicURL,
		TrustedProxies: c.Ingest.TrustedProxies, BodyBudget: c.Ingest.MaxBodies,
		Observe: func(o webhook.Outcome) { metrics.Webhook(o.Integration, o.Status, o.Code, o.Took, o.Bytes) },
		Now:     Now, Trusted: g.scheduler.Trusted, Logger: g.log.With("part", "ingest"),
	})
	g.admin = server.New(g.serverConfig("admin", c.Admin, c.Telemetry))
	admin.Register(g.admin.Router(), admin.Config{
		Token: token, Store: g.store, Version: g.cfg.Version, PublicURL: c.PublicURL,
		Integrations: func() []*core.Integration { return g.current.Load().config.Integrations },
		Destinations: func() []*core.Destination { return g.current.Load().config.Destinations },
		Dispatcher:   g.dispatcher, Bulk: g.bulks.Start,
		Plugins: g.pluginList, Host: pluginOrders{g}, Replay: g.intake.Replay, Tester: tester{intake: g.intake, now: Now},
		Shape: g.drift.Shape, Scheduler: g.scheduler, Routes: g.routing.now.Load, Ask: g.intake.Ask, Ready: g.ready, Reload: g.Reload, Metrics: metrics,
		Now: Now, Logger: g.log.With("part", "admin"),
	})
}

func (g *Gateway) serverConfig(name string, l config.Listener, t config.Telemetry) server.Config {
	access := slog.LevelInfo
	if !t.AccessLog {
		access = slog.LevelDebug
	}
	return server.Config{
		Name: name, ReadTimeout: l.ReadTimeout, WriteTimeout: l.WriteTimeout, IdleTimeout: l.IdleTimeout,
		HeaderBytes: int(l.MaxHeader), Connections: l.MaxConnections, PerAddress: l.MaxConnectionsPerIP,
		TrustedProxies: l.TrustedProxies, AccessLevel: access, Now: Now, Logger: g.log.With("part", name),
	}
}

// ready says why the gateway isn't ready, besides what the store says.
func (g *Gateway) ready() error {
	if g.stopping.Load() {
		return errors.New("shutting down")
	}
	return nil
}

// notice tells of deliveries given up and destinations disabled.
func (g *Gateway) notice(n dispatch.Notice) {
	g.log.Error("deliveries need somebody", "destination", n.Destination, "disabled", string(n.Disabled),
		"dead", n.Dead, "err", n.Error, "from", n.From, "to", n.To)
}

// run runs every part. They stop one after the other: who makes work before
// who finishes it.
func (g *Gateway) run(ctx context.Context, c *config.Config, reload <-chan struct{}) error {
	ingest, admin, err := g.listen(ctx, c)
	if err != nil {
		return err
	}
	parts := newParts(ctx)
	parts.start("plugins", g.plugins.Run)
	parts.start("store", g.store.Run)
	parts.start("certificates", g.certs.Run)
	parts.start("intake", g.intake.Run)
	parts.start("drift", g.drift.Run)
	parts.start("admin", func(ctx context.Context) error { return g.admin.Serve(ctx, admin) })
	parts.start("ingest", func(ctx context.Context) error { return g.ingest.Serve(ctx, ingest) })
	parts.start("dispatch", g.dispatcher.Run)
	parts.start("schedule", g.scheduler.Run)
	parts.start("bulk", g.bulks.Run)
	watch := &watcher{store: g.store, troubles: g.troubles, every: watchEvery, now: Now, log: g.log.With("part", "watch")}
	parts.start("watch", watch.Run)
	g.log.Info("serving", "ingest", ingest.Addr().String(), "admin", admin.Addr().String(), "version", g.cfg.Version)
	if g.cfg.Started != nil {
		starting, enough := context.WithTimeout(ctx, startTimeout)
		_ = g.plugins.Wait(starting) // requests are taken whatever becomes of it
		enough()
		g.cfg.Started(ingest.Addr().String(), admin.Addr().String())
	}
	limit := g.serve(ctx, parts.failed(), reload)
	g.stopping.Store(true)
	g.ingest.Drain()
	g.log.Info("stopping")
	// Attempts under way end while the door still serves; then nothing new
	// comes in, what is in is stored, and only then the plugins go.
	return parts.stop(limit, []string{"dispatch", "bulk", "watch", "schedule"}, []string{"ingest", "admin"}, []string{"intake", "drift"}, []string{"certificates", "store"}, []string{"plugins"})
}

// serve reloads until ctx ends or a part fails, and returns how long the parts
// may take to stop.
func (g *Gateway) serve(ctx context.Context, failed <-chan struct{}, reload <-chan struct{}) time.Duration {
	for {
		select {
		case <-reload:
			g.reload()
		case done := <-g.reloads:
			done <- g.reload()
		case <-failed:
			return failTimeout
		case <-ctx.Done():
			return stopTimeout
		}
	}
}

func (g *Gateway) listen(ctx context.Context, c *config.Config) (ingest, admin net.Listener, err error) {
	listen := g.cfg.Listen
	if listen == nil {
		listen = (&net.ListenConfig{}).Listen
	}
	if ingest, err = listen(ctx, "tcp", c.Ingest.Address); err != nil {
		return nil, nil, fmt.Errorf("listener ingest: %w", err)
	}
	if admin, err = listen(ctx, "tcp", c.Admin.Address); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listener admin: %w", err), ingest.Close())
	}
	return ingest, admin, nil
}

// parts runs the parts of the gateway, each with a context of its own, so that
// they can be stopped one by one.
type parts struct {
	group *errgroup.Group
	ctx   context.Context // ends when a part has failed
	base  context.Context // of the parts
	stops map[string]context.CancelFunc
	done  map[string]chan struct{}
}

func newParts(ctx context.Context) *parts {
	base := context.WithoutCancel(ctx)
	group, failed := errgroup.WithContext(base)
	return &parts{group: group, ctx: failed, base: base, stops: map[string]context.CancelFunc{}, done: map[string]chan struct{}{}}
}

// start runs a part. One that ends before it is stopped has failed.
func (p *parts) start(name string, run func(context.Context) error) {
	ctx, stop := context.WithCancel(p.base)
	done := make(chan struct{})
	p.stops[name], p.done[name] = stop, done
	p.group.Go(func() error {
		defer close(done)
		err := run(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case ctx.Err() == nil:
			return fmt.Errorf("%s ended by itself", name)
		}
		return nil
	})
}

// failed is closed when a part has failed.
func (p *parts) failed() <-chan struct{} { return p.ctx.Done() }

// stop stops the parts in order, each group when the one before has ended,
// within the time for all of them. It returns the first error of a part.
func (p *parts) stop(limit time.Duration, order ...[]string) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	expired := false
	for _, names := range order {
		for _, name := range names {
			p.stops[name]()
		}
		for _, name := range names {
			if expired {
				break // those that are left are told at once
			}
			select {
			case <-p.done[name]:
			case <-deadline.C:
				expired = true
			}
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- p.group.Wait() }()
	last := time.NewTimer(lastWait)
	defer last.Stop()
	select {
	case err := <-ended:
		return err
	case <-last.C:
		return errors.New("parts of the gateway didn't stop in time")
	}
}

// lastWait is for those that have been told to stop out of turn.
const lastWait = time.Second
