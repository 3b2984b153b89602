package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/webhook"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/sdk"
)

// BenchmarkDispatch prints how many deliveries a second reach one receiver on
// this machine, beside what the same client posts with nothing behind it.
//
//	bare     eight connections that post a body of about the same size
//	deliver  the dispatcher on a real SQLite store: each is read, rendered,
//	         signed, sent and recorded durably
func BenchmarkDispatch(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	b.Run("bare", func(b *testing.B) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
		defer client.CloseIdleConnections()
		body := strings.Repeat("x", 600)
		perSecond(b, func() {
			together(b.N, 8, func(int) error {
				response, err := client.Post(server.URL, "application/json", strings.NewReader(body))
				if err == nil {
					err = response.Body.Close()
				}
				return err
			}, b.Error)
		})
	})
	b.Run("deliver", func(b *testing.B) {
		d := hook(b, "fast", webhook.Settings{URL: server.URL, SigningSecrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}})
		gate := gated{Sender: d.Sender, open: make(chan struct{})}
		d.Sender = gate
		recorded := make(chan struct{}, b.N)
		o := newOutbound(b, b.TempDir(), dispatch.Config{
			Destinations: []*core.Destination{d}, Observe: func(core.Attempt) { recorded <- struct{}{} },
		})
		// All is owed before the clock starts; eight attempts wait at the gate.
		together(b.N, 64, func(i int) error { return commit(b.Context(), o.store, sdk.Trigger, fmt.Sprint("k", i)) }, b.Error)
		perSecond(b, func() {
			close(gate.open)
			for range b.N {
				<-recorded
			}
		})
		if n := o.count(d.ID(), core.DeliveryDelivered); n != b.N {
			b.Fatalf("%d of %d delivered", n, b.N)
		}
		o.stop()
	})
}

// gated is a sender that waits for a gate to open.
type gated struct {
	core.Sender
	open chan struct{}
}

func (g gated) Send(ctx context.Context, m core.Message) core.Answer {
	<-g.open
	return g.Sender.Send(ctx, m)
}

// together does n things, so many at a time.
func together(n, width int, do func(i int) error, complain func(...any)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range width {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					complain(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func perSecond(b *testing.B, do func()) {
	b.Helper()
	b.ResetTimer()
	start := time.Now()
	do()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "deliveries/s")
}

// byKey routes what begins with "bad" to all but the last destination, and all
// else to the last.
type byKey struct {
	everywhere
	destinations []string
}

func (r byKey) Decide(in *core.Incident) ([]string, []core.Decision) {
	last := len(r.destinations) - 1
	if strings.HasPrefix(in.DedupKey, "bad") {
		return r.destinations[:last], nil
	}
	return r.destinations[last:], nil
}

// BenchmarkBesideBadDestinations prints how long a change takes from its commit
// to a healthy receiver, alone and beside a hundred destinations that misbehave
// and are owed fifty messages each. The sides take turns, so that what else the
// machine does hits all; the ratio counts.
func BenchmarkBesideBadDestinations(b *testing.B) {
	sides := []*besideBad{
		{name: "alone"},
		{name: "hang", bad: 100, does: func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }},
		{name: "close", bad: 100, does: func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 4096)) }},
	}
	const rounds = 5
	for range rounds {
		for _, side := range sides {
			side.measure(b, max(1, b.N/rounds))
		}
	}
	for _, side := range sides {
		slices.Sort(side.times)
		p50, p99 := side.quantile(50), side.quantile(99)
		b.ReportMetric(p50.Seconds()*1000, side.name+"-p50-ms")
		b.ReportMetric(p99.Seconds()*1000, side.name+"-p99-ms")
		if side.bad > 0 {
			b.ReportMetric(float64(p99)/float64(sides[0].quantile(99)), side.name+"-p99-ratio")
		}
	}
}

// besideBad is one side: a healthy destination beside some that are bad.
type besideBad struct {
	name  string
	bad   int
	does  func(*net.TCPConn)
	times []time.Duration
}

func (s *besideBad) quantile(percent int) time.Duration { return s.times[len(s.times)*percent/100] }

// measure sends n changes, one at a time.
func (s *besideBad) measure(b *testing.B, n int) {
	arrived := make(chan struct{}, 1)
	good := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	defer good.Close()
	var destinations []*core.Destination
	for i := range s.bad {
		destinations = append(destinations, hook(b, fmt.Sprint("bad", i), webhook.Settings{URL: "http://" + accept(b, s.does)}))
	}
	destinations = append(destinations, hook(b, "good", webhook.Settings{URL: good.URL}))
	o := newOutboundRouted(b, b.TempDir(), dispatch.Config{Destinations: destinations, Grace: 100 * time.Millisecond}, func(ids []string) core.Routes { return byKey{destinations: ids} })
	if s.bad > 0 {
		together(50, 8, func(i int) error { return commit(b.Context(), o.store, sdk.Trigger, fmt.Sprint("bad", i)) }, b.Error)
	}
	for i := range n {
		start := time.Now()
		o.say(sdk.Trigger, fmt.Sprint("k", i))
		<-arrived
		s.times = append(s.times, time.Since(start))
	}
	o.stop()
}
