package core

import (
	"context"
	"errors"
	"net/http"
)

// Rehearsal is an attempt that asks nobody: it keeps the first request that the
// sender would have made.
type Rehearsal struct {
	Request *http.Request // secrets and all; nil: none would have been made by HTTP
	Route   Route
}

// Route is how a request reaches its server.
type Route struct {
	Proxy             string // URL, with a password if it wants one; empty: none
	OwnCA             bool   // other authorities are trusted than the system's
	ClientCertificate bool   // one is shown to who asks
}

// ErrRehearsed is how a rehearsed request ends.
var ErrRehearsed = errors.New("nothing was sent: it is a rehearsal")

type rehearsing struct{}

// Rehearse returns a context in which a Sender rehearses.
func Rehearse(ctx context.Context) (context.Context, *Rehearsal) {
	r := &Rehearsal{}
	return context.WithValue(ctx, rehearsing{}, r), r
}

// RehearsalOf returns the rehearsal that the context belongs to, nil if it
// belongs to none. Who makes requests for a Sender asks it.
func RehearsalOf(ctx context.Context) *Rehearsal {
	r, _ := ctx.Value(rehearsing{}).(*Rehearsal)
	return r
}
