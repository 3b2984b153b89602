package server

import (
	"errors"
	"io"
	"net"
	"runtime/debug"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"bellcrank.example/core"
)

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
