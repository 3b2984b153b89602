// Package server is the shell of every HTTP listener: connections and their
// limits, request ids, the one error envelope, the access log, recovery from
// panics, and a shutdown that loses nobody.
//
// It knows no routes: the rooms beside it register theirs on Router.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Config holds what a Server needs. All of it has defaults.
type Config struct {
	Name           string         // of the listener, for the log; "http" if empty
	ReadTimeout    time.Duration  // of a whole request, body included; 10 seconds if zero
	WriteTimeout   time.Duration  // of an answer; 10 seconds if zero
	IdleTimeout    time.Duration  // between two requests of a connection; 75 seconds if zero
	StopTimeout    time.Duration  // how long requests under way may take when Serve's context ends; 5 seconds if zero
	HeaderBytes    int            // greatest request line and headers together; 16 KiB if zero
	Connections    int            // at a time; 4,096 if zero
	PerAddress     int            // connections of one address at a time; 256 if zero
	TrustedProxies []netip.Prefix // peers that PerAddress doesn't bind, since they speak for many
	AccessLevel    slog.Level     // of the access log; Info if zero
	// Now is the machine's clock: socket deadlines are set from it. time.Now
	// if nil.
	Now    func() time.Time
	Logger *slog.Logger // slog.Default if nil
}

// Server serves one listener.
type Server struct {
	cfg      Config
	app      *fiber.App
	draining atomic.Bool
}

// New returns a Server without routes.
func New(cfg Config) *Server {
	cfg = withDefaults(cfg)
	s := &Server{cfg: cfg}
	s.app = fiber.New(fiber.Config{
		AppName:                      "bellcrank",
		StrictRouting:                true,
		CaseSensitive:                true,
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		DisableStartupMessage:        true,
		ReadTimeout:                  cfg.ReadTimeout,
		WriteTimeout:                 cfg.WriteTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		ReadBufferSize:               cfg.HeaderBytes,
		Concurrency:                  cfg.Connections + 1, // ours answers first
		ErrorHandler:                 Fail,
	})
	s.app.Use(s.prepare)
	return s
}

func withDefaults(cfg Config) Config {
	if cfg.Name == "" {
		cfg.Name = "http"
	}
	cfg.ReadTimeout = orElse(cfg.ReadTimeout, 10*time.Second)
	cfg.WriteTimeout = orElse(cfg.WriteTimeout, 10*time.Second)
	cfg.IdleTimeout = orElse(cfg.IdleTimeout, 75*time.Second)
	cfg.StopTimeout = orElse(cfg.StopTimeout, 5*time.Second)
	cfg.HeaderBytes = orElse(cfg.HeaderBytes, 16<<10)
	cfg.Connections = orElse(cfg.Connections, 4096)
	cfg.PerAddress = orElse(cfg.PerAddress, 256)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg
}

func orElse[T ~int | ~int64](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

// Router is where routes are registered, before Serve.
func (s *Server) Router() fiber.Router { return s.app }

// Drain makes every answer from now on end its connection, while the server
// goes on serving. It is the first step of a shutdown.
func (s *Server) Drain() { s.draining.Store(true) }

// Draining reports whether Drain was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// Serve accepts connections until ctx ends. Then it stops accepting, lets the
// requests under way end within StopTimeout, cuts off those that don't, and
// returns nil. Any other end is an error.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	// Fiber's own answer to a path without a route would quote the path.
	s.app.Use(func(*fiber.Ctx) error { return notFound() })
	http := s.app.Server()
	http.Handler = s.guard(s.app.Handler())
	http.ErrorHandler = s.unreadable
	http.CloseOnShutdown = true

	listener := newListener(ln, &s.cfg)
	served := make(chan error, 1)
	go func() { served <- http.Serve(listener) }()
	select {
	case err := <-served:
		listener.closeAll()
		if err == nil {
			err = net.ErrClosed
		}
		return fmt.Errorf("serve %s: %w", s.cfg.Name, err)
	case <-ctx.Done():
	}
	s.Drain()
	return s.stop(ctx, http, listener, served)
}

func (s *Server) stop(ctx context.Context, http *fasthttp.Server, listener *listener, served <-chan error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StopTimeout)
	defer cancel()
	// The listener is closed here as well, in case Shutdown came before Serve
	// had taken it.
	_ = listener.Close()
	err := http.ShutdownWithContext(ctx)
	if ended := <-served; err == nil {
		err = ended
	}
	listener.closeAll()
	if errors.Is(err, context.DeadlineExceeded) {
		s.cfg.Logger.Warn("connections cut off at shutdown", "listener", s.cfg.Name)
		return nil
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stop %s: %w", s.cfg.Name, err)
	}
	return nil
}
