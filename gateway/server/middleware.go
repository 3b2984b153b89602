package server

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
)

// What the shell keeps with a request.
const (
	localID     = "bellcrank.request_id"
	localLogger = "bellcrank.logger"
	localAttrs  = "bellcrank.attrs"
)

// headerRequestID carries the request's id in every answer.
const headerRequestID = "X-Request-Id"

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func newRequestID() string {
	var raw [10]byte
	_, _ = rand.Read(raw[:]) // never fails
	return "req_" + idEncoding.EncodeToString(raw[:])
}

// RequestID returns the request's id, which its answer carries.
func RequestID(c *fiber.Ctx) string {
	id, _ := c.Locals(localID).(string)
	return id
}

// Annotate adds attributes to the request's line in the access log. They must
// not hold secrets.
func Annotate(c *fiber.Ctx, attrs ...slog.Attr) {
	noted, _ := c.Locals(localAttrs).([]slog.Attr)
	c.Locals(localAttrs, append(noted, attrs...))
}

func logger(c *fiber.Ctx) *slog.Logger {
	if l, ok := c.Locals(localLogger).(*slog.Logger); ok {
		return l
	}
	return slog.Default()
}

// prepare is the first handler of every request.
func (s *Server) prepare(c *fiber.Ctx) error {
	start := s.cfg.Now()
	id := newRequestID()
	c.Locals(localID, id)
	c.Locals(localLogger, s.cfg.Logger)
	c.Set(headerRequestID, id)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer") // URLs here hold keys
	err := s.run(c)
	if err != nil {
		err = Fail(c, err)
	}
	if s.draining.Load() {
		c.Set(fiber.HeaderConnection, "close")
	}
	s.access(c, start)
	return err
}

// run goes on with the next handler, whatever that does.
func (s *Server) run(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Logger.Error("handler panicked", "request_id", RequestID(c), "panic", p, "stack", string(debug.Stack()))
			Close(c)
			err = &core.Error{Code: core.Internal}
		}
	}()
	if err := checkFraming(c); err != nil {
		return err
	}
	return c.Next()
}

// checkFraming refuses or defuses what HTTP libraries and proxies read in
// different ways: a folded header line is refused, and a request with two
// framings is the last of its connection.
func checkFraming(c *fiber.Ctx) error {
	var length, chunked bool
	for line := range bytes.Lines(c.Request().Header.RawHeaders()) {
		if line[0] == ' ' || line[0] == '\t' {
			Close(c)
			return &core.Error{Code: core.BadRequest}
		}
		name, _, _ := bytes.Cut(line, []byte{':'})
		length = length || len(name) == len(fiber.HeaderContentLength) && bytes.EqualFold(name, []byte(fiber.HeaderContentLength))
		chunked = chunked || len(name) == len(fiber.HeaderTransferEncoding) && bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding))
	}
	if length && chunked {
		Close(c)
	}
	return nil
}

// access writes the request's line: the route's pattern, never the path,
// which may hold a routing key.
func (s *Server) access(c *fiber.Ctx, start time.Time) {
	log, ctx := s.cfg.Logger, c.UserContext()
	if !log.Enabled(ctx, s.cfg.AccessLevel) {
		return
	}
	attrs := []slog.Attr{
		slog.String("listener", s.cfg.Name),
		slog.String("method", strings.Clone(c.Method())),
		slog.String("route", c.Route().Path),
		slog.Int("status", c.Response().StatusCode()),
		slog.Duration("took", s.cfg.Now().Sub(start)),
		slog.String("request_id", RequestID(c)),
	}
	noted, _ := c.Locals(localAttrs).([]slog.Attr)
	log.LogAttrs(ctx, s.cfg.AccessLevel, "request", append(attrs, noted...)...)
}
