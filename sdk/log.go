package sdk

import (
	"context"
	"log/slog"
)

type logKey struct{}

// logSource makes a request's logger when somebody asks for it.
type logSource struct {
	base                 *slog.Logger
	request, integration string
}

// Log returns the logger of the request that ctx belongs to. Its lines get
// into the gateway's log with the request's id and integration. Outside of a
// request, as in a test, it is slog.Default. What a vendor sent may be secret:
// keep it out.
func Log(ctx context.Context) *slog.Logger {
	s, ok := ctx.Value(logKey{}).(logSource)
	if !ok {
		return slog.Default()
	}
	return s.base.With("request_id", s.request, "integration", s.integration)
}

// WithLog returns a context for a request in which Log leads to base. Package
// serve calls it before each Adapt.
func WithLog(ctx context.Context, base *slog.Logger, r Request) context.Context {
	return context.WithValue(ctx, logKey{}, logSource{base: base, request: r.ID, integration: r.Integration})
}
