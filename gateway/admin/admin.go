// Package admin is the operators' API on its own listener: what is configured,
// what happened, what is owed, and how all of it is doing.
//
// It reads; rules and changes belong to the rooms that it asks. Its JSON types
// are exported so that the commands decode what it encodes.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/health"
	"bellcrank.example/core/route"
	"bellcrank.example/gateway/server"
	"bellcrank.example/sdk"
)

// Store is what the API reads. Unknown ids give a *core.Error with code
// NotFound.
type Store interface {
	health.Store
	Incidents(ctx context.Context, f core.IncidentFilter) ([]*core.Incident, error)
	Incident(ctx context.Context, number int64) (core.IncidentDetail, error)
	// Requests lists requests without bodies.
	Requests(ctx context.Context, f core.RequestFilter) ([]*core.Request, error)
	Request(ctx context.Context, id core.ID) (*core.Request, error)
	Deliveries(ctx context.Context, f core.DeliveryFilter) ([]core.Delivery, error)
	Attempts(ctx context.Context, delivery core.ID) ([]core.Attempt, error)
	Delivery(ctx context.Context, id core.ID) (core.Delivery, error)
	CountDeliveries(ctx context.Context, f core.DeliveryFilter) (int, error)
	// Redo tries a delivery again, or discards it.
	Redo(ctx context.Context, id core.ID, r core.Redo) (core.Delivery, error)
	Bulks(ctx context.Context, running bool) ([]core.Bulk, error)
	CancelBulk(ctx context.Context, id core.ID) (core.Bulk, error)
	DestinationStates(ctx context.Context) ([]core.DestinationState, error)
	Backlog(ctx context.Context) (core.Backlog, error)
	// Act does what a person wants to an incident; see core.Act.
	Act(ctx context.Context, number int64, a core.Act) (core.Acted, error)
	// Explain tells what made an incident what it is.
	Explain(ctx context.Context, number int64) (core.Explanation, error)
	// AuditRequests and AuditVersions look at some of what was stored after an
	// id; see core.AuditPage.
	AuditRequests(ctx context.Context, after core.ID, limit int) (core.AuditPage, error)
	AuditVersions(ctx context.Context, after core.ID, limit int) (core.AuditPage, error)
	// AuditCounts compares what was counted at the commit with what is there.
	AuditCounts(ctx context.Context, since time.Time) (core.AuditPage, error)
	// Writable returns nil once something was stored durably.
	Writable(ctx context.Context) error
}

// Tester sends a sample through the whole path.
type Tester interface {
	// Test sends a sample of the integration's adapter as a test, by its name
	// or else the first. Its incident is delivered only to destinations that
	// take tests.
	Test(ctx context.Context, in *core.Integration, sample string) (core.Receipt, error)
}

// Dispatcher is who sends deliveries.
type Dispatcher interface {
	Enable(ctx context.Context, destination string) error
	Disable(ctx context.Context, destination string) error
	// Rehearse returns the request that an attempt at the delivery would make,
	// secrets and all, and how it would go.
	Rehearse(ctx context.Context, d core.Delivery) (*core.Rehearsal, error)
	// Try sends an incident that isn't stored, once, and records nothing.
	Try(ctx context.Context, destination string, in *core.Incident) (core.Attempt, error)
}

// Config holds what the API needs. Token, Store, Integrations and Destinations
// are required.
type Config struct {
	Token        core.Secret // of every caller; an empty one lets nobody in
	Store        Store
	Integrations func() []*core.Integration // as configured now
	Destinations func() []*core.Destination // as configured now
	Plugins      func() []Plugin            // none if nil
	Host         Host                       // orders to plugins answer 404 if nil
	Tester       Tester                     // tests answer 404 if nil
	// Replay adapts a stored request again; replays answer 404 if nil.
	Replay func(ctx context.Context, r *core.Request, want core.Replay) (core.Replayed, error)
	// Scheduler makes silences; required.
	Scheduler Scheduler
	// Routes returns who hears of incidents, as configured now; required.
	Routes func() *route.Tree
	// Ask asks an adapter what it would make of a request; required.
	Ask func(ctx context.Context, in *core.Integration, r *core.Request, decoded []byte) (sdk.Result, error)
	// Dispatcher is who sends deliveries; what changes them answers 404 if nil.
	Dispatcher Dispatcher
	Bulk       func(context.Context, core.Bulk) (core.Bulk, error) // begins a bulk operation
	Metrics    *Metrics                                            // served at /metrics; not there if nil
	// Reload reads the configuration again; reloads answer 404 if nil.
	Reload func(context.Context) (Reloaded, error)
	// Ready returns what else than the store keeps the gateway from being
	// ready, such as a shutdown that has begun. Nothing if nil.
	Ready func() error
	// Shape returns what an integration's requests look like, false if that
	// isn't known. Nothing is known if nil.
	Shape func(integration string) (core.Shape, bool)
	// Hosts are the names besides localhost under which the listener may be
	// called. Addresses need no mention: only names can be rebound.
	Hosts     []string
	PublicURL string // base of webhook URLs
	Version   string
	Timeout   time.Duration    // of one call; 5 seconds if zero
	Now       func() time.Time // time.Now if nil
	Logger    *slog.Logger     // slog.Default if nil
}

// api serves the routes.
type api struct {
	cfg     Config
	token   [sha256.Size]byte
	started time.Time

	mu      sync.Mutex
	asked   time.Time // when writable was found out; guarded by mu
	written error     // what it was; guarded by mu
}

// writableFor is how long an answer of the store counts. Asking costs a durable
// write, and readiness may be asked for by everybody.
const writableFor = time.Second

// Register adds the API's routes.
func Register(r fiber.Router, cfg Config) {
	if cfg.Plugins == nil {
		cfg.Plugins = func() []Plugin { return nil }
	}
	if cfg.Ready == nil {
		cfg.Ready = func() error { return nil }
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	a := &api{cfg: cfg, token: sha256.Sum256([]byte(cfg.Token.Reveal())), started: cfg.Now()}

	r.Get("/livez", a.live)
	r.Get("/readyz", a.ready)
	if cfg.Metrics != nil {
		cfg.Metrics.watch(a)
		r.Get("/metrics", a.metrics)
	}
	v1 := r.Group("/v1", a.guard)
	v1.Get("/status", a.status)
	v1.Post("/reload", a.reload)
	v1.Get("/integrations", a.integrations)
	v1.Get("/integrations/:type/:name", a.integration)
	v1.Get("/integrations/:type/:name/health", a.integrationHealth)
	v1.Post("/integrations/:type/:name/test", a.test)
	v1.Get("/destinations", a.destinations)
	v1.Get("/destinations/:type/:name", a.destination)
	v1.Get("/destinations/:type/:name/health", a.destinationHealth)
	v1.Get("/plugins", a.plugins)
	v1.Post("/plugins/:name/restart", a.restartPlugin)
	v1.Post("/plugins/:name/swap", a.swapPlugin)
	v1.Post("/plugins/:name/rollback", a.rollbackPlugin)
	v1.Get("/plugins/:name/shadow", a.shadowReport)
	v1.Post("/plugins/:name/shadow", a.shadowPlugin)
	v1.Delete("/plugins/:name/shadow", a.unshadowPlugin)
	v1.Get("/silences", a.silences)
	v1.Post("/silences", a.addSilence)
	v1.Post("/silences/preview", a.previewSilence)
	v1.Get("/silences/:id", a.silence)
	v1.Post("/silences/:id/expire", a.expireSilence)
	v1.Get("/heartbeats", a.heartbeats)
	v1.Post("/routes/test", a.tryRoutes)
	v1.Get("/incidents", a.incidents)
	v1.Get("/incidents/:incident", a.incident)
	v1.Get("/incidents/:incident/explain", a.explain)
	v1.Post("/incidents/:incident/acknowledge", a.act(sdk.Acknowledge))
	v1.Post("/incidents/:incident/resolve", a.act(sdk.Resolve))
	v1.Post("/incidents/:incident/reopen", a.act(core.Reopen))
	v1.Post("/incidents/:incident/note", a.act(core.Note))
	v1.Post("/incidents/:incident/assign", a.act(core.Assign))
	v1.Get("/audit", a.audit)
	v1.Get("/requests", a.requests)
	v1.Get("/requests/:id", a.request)
	v1.Post("/requests/:id/replay", a.replay)
	v1.Get("/deliveries", a.deliveries)
	v1.Get("/deliveries/:id", a.delivery)
	v1.Get("/deliveries/:id/attempts", a.attempts)
	if cfg.Dispatcher != nil {
		a.changes(v1)
	}
}

// guard lets only callers with the token pass, and no web page: a page of
// somebody else's that has its name rebound to this machine's address would
// speak for the operator's browser.
func (a *api) guard(c *fiber.Ctx) error {
	if !a.ownHost(string(c.Context().Host())) {
		return &core.Error{Code: core.Forbidden, Message: "This host name isn't configured for the admin listener"}
	}
	if foreignPage(c) {
		return &core.Error{Code: core.Forbidden, Message: "Requests from other web pages aren't taken"}
	}
	if err := a.authenticate(c); err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	ctx, cancel := context.WithTimeout(c.UserContext(), a.cfg.Timeout)
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

func (a *api) authenticate(c *fiber.Ctx) error {
	kind, token, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	same := subtle.ConstantTimeCompare(got[:], a.token[:]) == 1
	if same && strings.EqualFold(kind, "Bearer") && !a.cfg.Token.Empty() {
		return nil
	}
	c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	return &core.Error{Code: core.Unauthenticated, Message: "A valid bearer token is required"}
}

func (a *api) ownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(a.cfg.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}

// foreignPage reports whether a browser says that another site's page asks.
// What isn't a browser says nothing of the kind.
func foreignPage(c *fiber.Ctx) bool {
	switch c.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := c.Get(fiber.HeaderOrigin)
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, string(c.Context().Host()))
}

// live says that the process runs.
func (a *api) live(c *fiber.Ctx) error { return c.SendString("ok\n") }

// ready says whether webhooks can be accepted. Plugins have no say: what comes
// in is durable without them.
func (a *api) ready(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), a.cfg.Timeout)
	defer cancel()
	if err := a.notReady(ctx); err != nil {
		// The cause may name paths and hosts, and this answer needs no token.
		a.cfg.Logger.Warn("not ready", "err", err)
		return c.Status(fiber.StatusServiceUnavailable).SendString("not ready\n")
	}
	return c.SendString("ok\n")
}

func (a *api) notReady(ctx context.Context) error {
	if err := a.cfg.Ready(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.cfg.Now(); a.asked.IsZero() || now.Sub(a.asked).Abs() >= writableFor {
		a.asked, a.written = now, a.cfg.Store.Writable(ctx)
	}
	return a.written
}

// page reads limit and before, and since for lists that have it.
func page(c *fiber.Ctx) (core.Page, error) {
	p := core.Page{Limit: c.QueryInt("limit")}
	if raw := c.Query("limit"); raw != "" && p.Limit < 1 {
		return p, badRequest("limit", "limit must be a number from 1 to 500")
	}
	if before := c.Query("before"); before != "" {
		id, err := core.ParseID(before)
		if err != nil {
			return p, badRequest("before", "before must be an id")
		}
		p.Before = id
	}
	return p, nil
}

// since reads where a list begins.
func (a *api) since(c *fiber.Ctx) (time.Time, error) { return a.moment(c, "since") }

// moment reads a time ("2026-01-02T15:04:05Z") or an age ("24h"), zero if there
// is none.
func (a *api) moment(c *fiber.Ctx, name string) (time.Time, error) {
	raw := c.Query(name)
	if raw == "" {
		return time.Time{}, nil
	}
	if age, err := time.ParseDuration(raw); err == nil && age > 0 {
		return a.cfg.Now().Add(-age), nil
	}
	at, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		return time.Time{}, badRequest(name, name+" must be a time such as 2026-01-02T15:04:05Z or an age such as 24h")
	}
	return at, nil
}

func badRequest(field, message string) error {
	return &core.Error{Code: core.BadRequest, Message: message, Field: field}
}

func notFound(message string) error { return &core.Error{Code: core.NotFound, Message: message} }

// query returns a parameter that outlives the handler.
func query(c *fiber.Ctx, name string) string { return strings.Clone(c.Query(name)) }

// next returns where the page after this one begins, empty if it is the last.
func next[T any](items []T, p core.Page, id func(T) core.ID) string {
	if len(items) < p.Size() {
		return ""
	}
	return id(items[len(items)-1]).String()
}

func ok(c *fiber.Ctx, value any) error { return server.JSON(c, fiber.StatusOK, value) }
