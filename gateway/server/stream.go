package server

import (
	"io"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

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
