package server

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

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

// guard stands around the router: it answers methods that the router answers
// in its own words, and survives what panics outside of the handlers.
func (s *Server) guard(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		defer func() {
			if p := recover(); p != nil {
				s.cfg.Logger.Error("router panicked", "panic", p, "stack", string(debug.Stack()))
				s.bare(ctx, core.Internal)
			}
		}()
		if !slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			s.bare(ctx, core.MethodNotAllowed)
			return
		}
		next(ctx)
	}
}

// unreadable answers a request that could not be parsed. It must not format
// err, which quotes the request line, and must not panic: nobody above it
// recovers.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Logger.Error("error handler panicked", "panic", p)
		}
	}()
	code := core.BadRequest
	if _, small := errors.AsType[*fasthttp.ErrSmallBuffer](err); small {
		code = core.HeadersTooLarge
	} else if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		code = core.RequestTimeout
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		code = core.IncompleteBody
	}
	s.bare(ctx, code)
	s.cfg.Logger.Log(ctx, s.cfg.AccessLevel, "request", "listener", s.cfg.Name, "status", ctx.Response.StatusCode(), "code", string(code))
}

// bare answers where there is no router.
func (s *Server) bare(ctx *fasthttp.RequestCtx, code core.Code) {
	ctx.Response.Reset()
	id := newRequestID()
	ctx.SetStatusCode(statuses[code].http)
	ctx.SetContentType(fiber.MIMEApplicationJSON)
	ctx.Response.Header.Set(headerRequestID, id)
	ctx.SetBody(envelope(code, messages[code], "", id))
	ctx.SetConnectionClose()
	linger(ctx)
}

// Close makes this answer the last of its connection. The sender gets to read
// it even if it is still sending.
func Close(c *fiber.Ctx) {
	c.Context().SetConnectionClose()
	linger(c.Context())
}

func linger(ctx *fasthttp.RequestCtx) {
	if conn, ok := ctx.Conn().(*conn); ok {
		conn.linger.Store(true)
	}
}

// Ended reports whether the peer has sent its last byte. A chunked body whose
// reader met the end was cut short, whatever the reader says.
func Ended(c *fiber.Ctx) bool {
	conn, ok := c.Context().Conn().(*conn)
	return ok && conn.ended.Load()
}

// Discard reads and drops what is left of a request's body before it is
// refused, up to so many bytes and for so long: most senders look at an answer
// only once they have sent everything. A connection on which more is to come
// is closed after the answer.
func Discard(c *fiber.Ctx, limit int64, wait time.Duration) {
	body := c.Context().RequestBodyStream()
	if body == nil {
		return
	}
	if conn, ok := c.Context().Conn().(*conn); ok {
		if conn.SetReadDeadline(conn.listener.cfg.Now().Add(wait)) != nil {
			Close(c)
			return
		}
	}
	n, err := io.Copy(io.Discard, io.LimitReader(body, limit))
	if err != nil || n == limit || Ended(c) {
		Close(c)
	}
}
