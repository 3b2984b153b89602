package app

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/intake"
	"bellcrank.example/sdk"
)

// tester sends an adapter's own sample the way of every request, marked as a
// test. Only the door is left out: there is no sender whose key, address and
// signature could be looked at.
type tester struct {
	intake *intake.Intake
	now    func() time.Time
}

// Test sends the sample of that name, the first if it is empty.
func (t tester) Test(ctx context.Context, in *core.Integration, name string) (core.Receipt, error) {
	sample, err := sampleOf(in, name)
	if err != nil {
		return core.Receipt{}, err
	}
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

func sampleOf(in *core.Integration, name string) (sdk.Sample, error) {
	var names []string
	for _, s := range in.Info.Samples {
		if name == "" || s.Name == name {
			return s, nil
		}
		names = append(names, strconv.Quote(s.Name))
	}
	if len(names) == 0 {
		return sdk.Sample{}, &core.Error{Code: core.Conflict, Message: "The adapter declares no sample to send"}
	}
	return sdk.Sample{}, &core.Error{Code: core.BadRequest, Message: "The adapter's samples are " + strings.Join(names, ", ")}
}
