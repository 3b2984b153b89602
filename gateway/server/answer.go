package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
)

type status struct {
	http       int
	retryAfter int // seconds, ±20 % when sent; zero: no header
}

// statuses says how each published code is answered. Nothing here is a 3xx or
// a 410: senders turn the one into an empty GET and the other into "never
// again".
var statuses = map[core.Code]status{
	core.BadRequest:          {http: fiber.StatusBadRequest},
	core.InvalidJSON:         {http: fiber.StatusBadRequest},
	core.IncompleteBody:      {http: fiber.StatusBadRequest},
	core.SignatureInvalid:    {http: fiber.StatusUnauthorized},
	core.SignatureExpired:    {http: fiber.StatusUnauthorized},
	core.Unauthenticated:     {http: fiber.StatusUnauthorized},
	core.IntegrationDisabled: {http: fiber.StatusForbidden},
	core.IPNotAllowed:        {http: fiber.StatusForbidden},
	core.Forbidden:           {http: fiber.StatusForbidden},
	core.RouteNotFound:       {http: fiber.StatusNotFound},
	core.NotFound:            {http: fiber.StatusNotFound},
	core.MethodNotAllowed:    {http: fiber.StatusMethodNotAllowed},
	core.RequestTimeout:      {http: fiber.StatusRequestTimeout},
	core.Conflict:            {http: fiber.StatusConflict},
	core.PayloadTooLarge:     {http: fiber.StatusRequestEntityTooLarge},
	core.UnsupportedEncoding: {http: fiber.StatusUnsupportedMediaType},
	core.ValidationFailed:    {http: fiber.StatusUnprocessableEntity},
	core.AdapterRejected:     {http: fiber.StatusUnprocessableEntity},
	core.RateLimited:         {http: fiber.StatusTooManyRequests, retryAfter: 60},
	core.HeadersTooLarge:     {http: fiber.StatusRequestHeaderFieldsTooLarge},
	core.Internal:            {http: fiber.StatusInternalServerError, retryAfter: 5},
	core.AdapterFailed:       {http: fiber.StatusInternalServerError, retryAfter: 5},
	core.AdapterUnavailable:  {http: fiber.StatusServiceUnavailable, retryAfter: 15},
	core.StoreUnavailable:    {http: fiber.StatusServiceUnavailable, retryAfter: 15},
	core.Overloaded:          {http: fiber.StatusServiceUnavailable, retryAfter: 30},
}

// messages are the words for failures that have none of their own. They are
// constant: senders log them, and so they must not quote the request.
var messages = map[core.Code]string{
	core.BadRequest:       "The request can't be read",
	core.IncompleteBody:   "The body ended before it was complete",
	core.NotFound:         "There is nothing at this address",
	core.MethodNotAllowed: "This method isn't allowed here",
	core.RequestTimeout:   "The request took too long to arrive",
	core.HeadersTooLarge:  "The request line and headers are too large",
	core.Overloaded:       "Too much is going on; try again later",
	core.Internal:         "Something went wrong on our side",
}

// Failure is the envelope of every answer that isn't a success.
type Failure struct {
	Success bool           `json:"success"` // always false
	Error   FailureDetails `json:"error"`
}

// FailureDetails says what went wrong.
type FailureDetails struct {
	Code      core.Code `json:"code"`
	Message   string    `json:"message"`
	Field     string    `json:"field,omitempty"` // the offending member of the body
	RequestID string    `json:"request_id,omitempty"`
}

func envelope(code core.Code, message, field, requestID string) []byte {
	// Encoding four strings can't fail.
	blob, _ := json.Marshal(Failure{Error: FailureDetails{Code: code, Message: message, Field: field, RequestID: requestID}})
	return blob
}

// Fail answers with the envelope of an error. A *core.Error says its code and
// message; of any other error the sender learns nothing but that it is ours.
// Errors on our side are logged here, with their cause.
func Fail(c *fiber.Ctx, err error) error {
	e, ok := errors.AsType[*core.Error](err)
	if !ok {
		e = foreign(err)
	}
	st, known := statuses[e.Code]
	if !known {
		st = statuses[core.Internal]
	}
	if st.http >= fiber.StatusInternalServerError && e.Err != nil {
		logger(c).Error("request failed", "request_id", RequestID(c), "code", string(e.Code), "err", e.Err)
	}
	message := e.Message
	if message == "" {
		message = messages[e.Code]
	}
	if st.retryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(jittered(st.retryAfter)))
	}
	Annotate(c, slog.String("code", string(e.Code)))
	c.Status(st.http)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(envelope(e.Code, message, e.Field, RequestID(c)))
}

// foreign translates an error without a code. The router's own errors quote
// the path, and with it a routing key, so only their status is used.
func foreign(err error) *core.Error {
	if e, ok := errors.AsType[*fiber.Error](err); ok {
		switch e.Code {
		case fiber.StatusNotFound:
			return notFound()
		case fiber.StatusMethodNotAllowed:
			return &core.Error{Code: core.MethodNotAllowed}
		}
		return &core.Error{Code: core.BadRequest}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &core.Error{Code: core.StoreUnavailable, Message: "The store didn't answer in time", Err: err}
	}
	return &core.Error{Code: core.Internal, Err: err}
}

func notFound() *core.Error { return &core.Error{Code: core.NotFound} }

// JSON answers with a value as JSON.
func JSON(c *fiber.Ctx, status int, value any) error {
	blob, err := json.Marshal(value)
	if err != nil {
		return &core.Error{Code: core.Internal, Err: err}
	}
	c.Status(status)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(blob)
}

// jittered keeps senders that were refused together from coming back together.
func jittered(seconds int) int {
	fifth := seconds / 5
	return seconds - fifth + rand.IntN(2*fifth+1) //nolint:gosec // spreads load, guards nothing
}
