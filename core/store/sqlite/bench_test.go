package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
	"bellcrank.example/sdk"
)

// These say what the store makes of the disk it is on. A commit can't be
// faster than the sync at its end, so each figure is printed next to the rate
// of bare syncs, measured just before and after it: BenchmarkAccept/64 is to
// be at least 3.3 times that floor, BenchmarkAccept/1 at least 0.75 times.

func BenchmarkAccept(b *testing.B) {
	for _, n := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { measure(b, newLoad(b, Config{}), n, nil) })
	}
}

// BenchmarkAcceptWhileDelivering records an attempt at each delivery at the
// same time: what a gateway does all day.
func BenchmarkAcceptWhileDelivering(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := newLoad(b, Config{})
			measure(b, l, n, l.deliver)
		})
	}
}

// BenchmarkAcceptAlone is the control: without group commit, each request has
// a transaction of its own.
func BenchmarkAcceptAlone(b *testing.B) {
	l := newLoad(b, Config{})
	var mu sync.Mutex
	l.around = &mu
	measure(b, l, 64, nil)
}

// load is a store with a workload on it.
type load struct {
	*engine.Engine
	db     *DB
	dir    string
	around sync.Locker // held around each commit, if set
	n      atomic.Int64
	body   []byte
	owed   chan struct{} // rings when something is owed
}

func (l *load) Decide(*core.Incident) ([]string, []core.Decision) {
	return []string{"webhook/pager"}, nil
}
func (*load) Instead(*core.Incident, func(string) bool) []string { return nil }
func (l *load) Wants(string, core.Kind) bool                     { return true }
func (l *load) Hold(*core.Incident, time.Time) (core.Hold, bool) { return core.Hold{}, false }
func (l *load) Generation() int64                                { return 1 }
func (l *load) source() *core.Integration {
	return &core.Integration{Tenant: 1, Type: "datadog", Name: "prod"}
}

func newLoad(b testing.TB, cfg Config) *load {
	l := &load{dir: b.TempDir(), owed: make(chan struct{}, 1)}
	cfg.Dir = l.dir
	l.body = fmt.Appendf(nil, `{"title":"disk is %d%% full","tags":["`, 97)
	for i := 0; len(l.body) < 1500; i++ {
		l.body = fmt.Appendf(l.body, `service:checkout-%d","host:ip-10-0-%d-%d","`, i*7919%1000, i*31%256, i*17%256)
	}
	l.body = append(l.body, `"]}`...)
	db, err := Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.New(b.Context(), engine.Config{
		Driver: db, Routes: func() core.Routes { return l },
		Owed: func([]string) {
			select {
			case l.owed <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	l.Engine, l.db = e, db
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return l
}

// open stores a request that opens an incident.
func (l *load) open(ctx context.Context) (core.Receipt, error) {
	r := &core.Request{
		ID: l.NewID(), Tenant: 1, Integration: "datadog/prod", ReceivedAt: time.Now(), Method: "POST",
		State: core.RequestDone, Body: l.body,
	}
	event := sdk.Event{Action: sdk.Trigger, DedupKey: r.ID.String(), Title: "disk is full", Severity: sdk.High}
	return l.Commit(ctx, &core.Submission{Insert: true, Change: core.Change{
		Request: r, Last: true, Events: core.PrepareEvents(l.source(), r.ID, false, []sdk.Event{event}),
	}})
}

// accept stores one request: a third of them are resolves, a third open a new
// incident, the rest repeat.
func (l *load) accept(ctx context.Context) error {
	n := l.n.Add(1)
	key := n - n%3
	event := sdk.Event{
		Action: sdk.Trigger, DedupKey: fmt.Sprint(key), Title: "disk is full", Severity: sdk.High, Service: "checkout",
		Description: "The disk of host a is full.", Labels: map[string]string{"host": "ip-10-0-0-1", "env": "prod"},
	}
	if n%3 == 2 {
		event.Action = sdk.Resolve
	}
	r := &core.Request{
		ID: l.NewID(), Tenant: 1, Integration: "datadog/prod", ReceivedAt: time.Now(), Method: "POST",
		State: core.RequestDone, Body: l.body,
		Header: map[string][]string{"Content-Type": {"application/json"}, "User-Agent": {"Datadog/1.0 (webhooks)"}},
	}
	_, err := l.Commit(ctx, &core.Submission{Insert: true, Change: core.Change{
		Request: r, Last: true, ReopenWindow: core.DefaultReopenWindow, Events: core.PrepareEvents(l.source(), r.ID, false, []sdk.Event{event}),
	}})
	return err
}

// deliver records a successful attempt at everything that is owed.
func (l *load) deliver(ctx context.Context) (recorded int64) {
	var wait sync.WaitGroup
	var n atomic.Int64
	for ctx.Err() == nil {
		lanes, err := l.db.Due(ctx, "webhook/pager", time.Now(), 256)
		if err != nil || len(lanes) == 0 {
			select {
			case <-l.owed:
			case <-ctx.Done():
			}
			continue
		}
		for _, lane := range lanes {
			wait.Go(func() {
				d := lane.Deliveries[len(lane.Deliveries)-1]
				d.State, d.DoneAt, d.Attempt = core.DeliveryDelivered, time.Now(), 1
				err := l.Record(context.WithoutCancel(ctx), core.Outcome{
					Attempt:    core.Attempt{ID: l.NewID(), Tenant: 1, Delivery: d.ID, Destination: d.Destination, At: time.Now(), Status: 200},
					Deliveries: []core.Delivery{d}, FoldOlder: d.Version,
				})
				if err == nil {
					n.Add(1)
				}
			})
		}
		wait.Wait()
	}
	return n.Load()
}

// measure runs b.N accepts by so many submitters, with something else beside.
func measure(b *testing.B, l *load, submitters int, beside func(context.Context) int64) {
	floor := syncs(b, l.dir)
	ctx, cancel := context.WithCancel(b.Context())
	var other sync.WaitGroup
	var recorded int64
	if beside != nil {
		other.Go(func() { recorded = beside(ctx) })
	}
	before, cpu := l.Stats(), cpuTime(b)
	b.ResetTimer()
	var next atomic.Int64
	var wait sync.WaitGroup
	for range submitters {
		wait.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if l.around != nil {
					l.around.Lock()
				}
				if err := l.accept(ctx); err != nil {
					b.Error(err)
				}
				if l.around != nil {
					l.around.Unlock()
				}
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	cancel()
	other.Wait()
	cpu = cpuTime(b) - cpu
	rate := float64(b.N) / b.Elapsed().Seconds()
	floor = (floor + syncs(b, l.dir)) / 2
	s := l.Stats()
	b.ReportMetric(rate, "accepts/s")
	b.ReportMetric(floor, "syncs/s")
	b.ReportMetric(rate/floor, "x-floor")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(s.Items-before.Items)/float64(s.Commits-before.Commits), "items/commit")
	if beside != nil {
		b.ReportMetric(float64(recorded)/b.Elapsed().Seconds(), "records/s")
	}
}

// syncs measures how often the disk takes 4 KB for good in a second.
func syncs(b *testing.B, dir string) float64 {
	f, err := os.OpenFile(filepath.Join(dir, "floor"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	n, began := 0, time.Now()
	for ; time.Since(began) < 300*time.Millisecond; n++ {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}

// cpuTime returns what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
