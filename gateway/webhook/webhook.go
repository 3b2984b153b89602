// Package webhook is the public door: it finds the integration that a routing
// key names, enforces every limit on what comes in, and answers in the words
// of the published contract.
//
// It copies what outlives a handler, since Fiber reuses its buffers, and it
// knows no vendor: paths, methods, headers and signatures are what adapters
// declare.
package webhook

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
)

// Acceptor is intake, seen from the door.
type Acceptor interface {
	// Accept returns once the request is on stable storage. The body to adapt
	// is decoded; r.Body stays as sent. A request whose Code is set broke a
	// limit and reaches no adapter. Neither r nor decoded is touched again by
	// the caller.
	Accept(ctx context.Context, in *core.Integration, r *core.Request, decoded []byte) (core.Receipt, error)
}

// Config holds what the door needs. Keys and Intake are required.
type Config struct {
	Keys   func() *keyring.Table // the table as configured now
	Intake Acceptor
	// Verifier judges signatures.
	Verifier keyring.Verifier
	// Refuse is told of every request that had a valid key and was turned
	// away. It must not block. Nobody is told if nil.
	Refuse func(core.Refusal)
	// Observe is told how every request ended. It must not block. Nobody is
	// told if nil.
	Observe        func(Outcome)
	PublicURL      string           // base of incident URLs, without a slash at its end
	TrustedProxies []netip.Prefix   // peers whose X-Forwarded-For is believed
	BodyBudget     int64            // bytes of all bodies in flight; 128 MiB if zero
	Timeout        time.Duration    // of storing one request; 8 seconds if zero
	Misses         Misses           // what a stranger may guess
	Now            func() time.Time // time.Now if nil
	Trusted        func() time.Time // by which routing keys expire; Now if nil
	Logger         *slog.Logger     // slog.Default if nil
}

// Outcome is how one request ended.
type Outcome struct {
	Integration string    // "TYPE/NAME"; empty for strangers
	Status      int       // HTTP status of the answer
	Code        core.Code // why it was refused, empty if it wasn't
	Took        time.Duration
	Bytes       int // of the body as sent
}

// door serves the webhook routes.
type door struct {
	cfg       Config
	budget    *budget
	strangers *strangers
}

// Register adds the door's routes.
func Register(r fiber.Router, cfg Config) {
	if cfg.BodyBudget == 0 {
		cfg.BodyBudget = 128 << 20
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 8 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Trusted == nil {
		cfg.Trusted = cfg.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	d := &door{cfg: cfg, budget: &budget{limit: cfg.BodyBudget}, strangers: newStrangers(cfg.Misses)}
	r.All("/webhooks/:routingKey", d.byPath)
	r.All("/webhooks/:routingKey/*", d.byPath)
	r.Use(d.byEntrance)
}

// byPath serves the routes that have the key in their path.
func (d *door) byPath(c *fiber.Ctx) error {
	return d.newVisit(c).serve(strings.Clone(c.Params("routingKey")), strings.Clone(c.Params("*")))
}
