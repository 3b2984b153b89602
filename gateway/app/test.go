package app

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/intake"
)

// tester sends an adapter's own sample the way of every request, marked as a
// test. Only the door is left out: there is no sender whose key, address and
// signature could be looked at.
type tester struct {
	intake *intake.Intake
	now    func() time.Time
}

// Test sends the integration's first sample.
func (t tester) Test(ctx context.Context, in *core.Integration) (core.Receipt, error) {
	if len(in.Info.Samples) == 0 {
		return core.Receipt{}, &core.Error{Code: core.Conflict, Message: "The adapter declares no sample to send"}
	}
	sample := in.Info.Samples[0]
	header := http.Header{}
	for name, values := range sample.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	method := strings.ToUpper(sample.Method)
	if method == "" {
		method = http.MethodPost
	}
	return t.intake.Accept(ctx, in, &core.Request{
		KeyID: "test", ReceivedAt: t.now(), Source: netip.IPv6Loopback(), Method: method, Path: sample.Path,
		Header: header, Body: sample.Body, Test: true, State: core.RequestOpen,
	}, sample.Body)
}
