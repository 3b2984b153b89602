package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"

	"bellcrank.example/gateway/gatewaytest"
)

// BenchmarkRequest prints, side by side in one run, what a request costs
// without us, with the decoding alone, and on the whole durable path; and what
// the disk allows. The ratios count, not the figures: run it on your machine.
// The processor time is that of all processes together, clients and receiver
// too, until everything that is owed has been received, and is the steadiest
// figure on a machine that does other things.
//
//	bare      a Fiber handler that answers a constant
//	decode    the same, decoding an Alertmanager body of two alerts
//	fsync     the same, appending the raw body to a file and group-committing
//	store     the store alone: what the gateway commits, without door and adapter
//	gateway   a real gateway process with its adapters, storing and delivering
func BenchmarkRequest(b *testing.B) {
	for _, connections := range []int{1, 16, 64} {
		rates := map[string]float64{}
		for _, side := range []struct {
			name  string
			start func(*testing.B) target
		}{{"bare", serveBare}, {"decode", serveDecoding}, {"fsync", serveAppending}, {"store", startStore}, {"gateway", serveGateway}} {
			b.Run(fmt.Sprintf("%d connections/%s", connections, side.name), func(b *testing.B) {
				t := side.start(b)
				defer t.stop()
				rates[side.name] = load(b, t, connections)
			})
		}
		// The log of a benchmark with parts is shown to nobody.
		fmt.Printf("ratios at %d connections:", connections)
		for _, other := range []string{"store", "fsync", "decode", "bare"} {
			fmt.Printf(" gateway/%s %.2f", other, rates["gateway"]/rates[other])
		}
		fmt.Println()
	}
}

// target is what a benchmark sends requests to.
type target struct {
	sender func() (send func() (late bool, err error)) // one for each connection
	pid    int                                         // the process that serves, with its children; 0: this one does
	settle func()                                      // returns once all that is owed was received; nil: nothing is owed
	stop   func()
}

// BenchmarkFsync is the floor: 4 KiB appended and synced, one after the other.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}

// requestNumber makes every body's alerts different from all others.
var requestNumber atomic.Int64

// notification is a body of about 1.5 KB with two alerts.
func notification() []byte {
	n := requestNumber.Add(1)
	alert := func(i int) string {
		return fmt.Sprintf(`{"status":"firing","labels":{"alertname":"HighLatency","cluster":"eu-1","instance":"web-%d-%d:9100","job":"node","severity":"critical","service":"checkout"},`+
			`"annotations":{"description":"The 95th percentile of request latency on this instance has been above 5 seconds for 10 minutes.","runbook_url":"https://runbooks.example/latency","summary":"Latency is high"},`+
			`"startsAt":"2026-03-01T12:00:00.123Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example:9090/graph?g0.expr=histogram_quantile&g0.tab=1","fingerprint":""}`, n, i)
	}
	return fmt.Appendf(nil, `{"receiver":"bellcrank","status":"firing","alerts":[%s,%s],"groupLabels":{"alertname":"HighLatency"},"commonLabels":{"alertname":"HighLatency","severity":"critical"},`+
		`"commonAnnotations":{},"externalURL":"http://alertmanager.example:9093","version":"4","groupKey":"{}:{alertname=\"HighLatency\"}","truncatedAlerts":0}`, alert(1), alert(2))
}

// load sends b.N requests, reports the latencies and what they cost, and
// returns requests per second.
func load(b *testing.B, t target, connections int) float64 {
	took := make([][]time.Duration, connections)
	var left, late, failed atomic.Int64
	left.Store(int64(b.N))
	cpu := cpuTime(b, t.pid)
	b.ResetTimer()
	var clients sync.WaitGroup
	for c := range connections {
		clients.Go(func() {
			send := t.sender()
			for left.Add(-1) >= 0 {
				began := time.Now()
				isLate, err := send()
				took[c] = append(took[c], time.Since(began))
				if err != nil {
					failed.Add(1)
				}
				if isLate {
					late.Add(1)
				}
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	if t.settle != nil {
		answered := time.Now()
		t.settle()
		b.ReportMetric(float64(time.Since(answered).Microseconds())/1000, "behind-ms")
	}
	cpu = cpuTime(b, t.pid) - cpu
	if failed.Load() > 0 {
		b.Errorf("%d of %d requests failed", failed.Load(), b.N)
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	rate := float64(len(all)) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "req/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(late.Load())/float64(b.N), "202s/op")
	return rate
}

// posting is a target that is sent notifications over keep-alive connections.
func posting(url string, stop func()) target {
	client := &fasthttp.Client{ReadTimeout: 30 * time.Second}
	return target{
		sender: func() func() (bool, error) {
			return func() (bool, error) {
				status, err := post(client, url)
				if err == nil && status >= 300 {
					err = fmt.Errorf("answer %d", status)
				}
				return status == http.StatusAccepted, err
			}
		},
		stop: func() {
			client.CloseIdleConnections()
			stop()
		},
	}
}

func post(client *fasthttp.Client, url string) (status int, err error) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.SetRequestURI(url)
	request.Header.SetMethod(http.MethodPost)
	request.Header.SetContentType("application/json")
	request.SetBodyRaw(notification())
	err = client.Do(request, response)
	return response.StatusCode(), err
}

func serveHandler(b *testing.B, handler fiber.Handler) (url string, stop func()) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/", handler)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Listener(listener) }()
	return "http://" + listener.Addr().String() + "/", func() {
		if err := app.ShutdownWithTimeout(time.Second); err != nil {
			b.Log(err)
		}
		<-served
	}
}

const constantAnswer = `{"success":true,"incident":{"id":"INC-042","title":"Latency is high","severity":"Critical","status":"investigating"}}`

func serveBare(b *testing.B) target {
	return posting(serveHandler(b, func(c *fiber.Ctx) error { return c.SendString(constantAnswer) }))
}

// serveDecoding is an adapter in process, as plain as one can be.
func serveDecoding(b *testing.B) target {
	type body struct {
		Alerts []struct {
			Status      string            `json:"status"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
			StartsAt    time.Time         `json:"startsAt"`
		} `json:"alerts"`
	}
	return posting(serveHandler(b, func(c *fiber.Ctx) error {
		var decoded body
		if err := json.Unmarshal(c.Body(), &decoded); err != nil || len(decoded.Alerts) != 2 {
			return fiber.ErrBadRequest
		}
		return c.SendString(constantAnswer)
	}))
}

// serveAppending stores the raw body and nothing else: the least that a
// durable answer costs.
func serveAppending(b *testing.B) target {
	f, err := os.Create(filepath.Join(b.TempDir(), "bodies"))
	if err != nil {
		b.Fatal(err)
	}
	type item struct {
		body []byte
		done chan error
	}
	queue := make(chan item, 4096)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for first := range queue {
			batch := []item{first}
			for len(batch) < 256 && len(queue) > 0 {
				batch = append(batch, <-queue)
			}
			var all []byte
			for _, it := range batch {
				all = append(all, it.body...)
			}
			_, err := f.Write(all)
			if err == nil {
				err = unix.Fdatasync(int(f.Fd()))
			}
			for _, it := range batch {
				it.done <- err
			}
		}
	}()
	url, stop := serveHandler(b, func(c *fiber.Ctx) error {
		it := item{slices.Clone(c.Body()), make(chan error, 1)}
		queue <- it
		if err := <-it.done; err != nil {
			return err
		}
		return c.SendString(constantAnswer)
	})
	return posting(url, func() {
		stop()
		close(queue)
		<-ended
		f.Close()
	})
}

// serveGateway runs the gateway that `make build` has made, with a receiver
// that takes everything.
func serveGateway(b *testing.B) target {
	binary, err := filepath.Abs("../../bin/bellcrank")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		b.Fatalf("%v: run `make build` first", err)
	}
	var received atomic.Int64
	receiver, stopReceiver := serveHandler(b, func(c *fiber.Ctx) error {
		received.Add(1)
		return c.SendStatus(fiber.StatusNoContent)
	})
	dir := b.TempDir()
	ingest, admin := gatewaytest.FreeAddress(b), gatewaytest.FreeAddress(b)
	file := filepath.Join(dir, "gateway.hcl")
	text := fmt.Sprintf(benchConfig, filepath.Join(dir, "data"), ingest, admin, receiver)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "serve", "-config", file)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), "BENCH_KEY=benchmark-routing-key-0000")
	if err := cmd.Start(); err != nil {
		cancel()
		b.Fatal(err)
	}
	waitReady(b, admin)
	t := posting("http://"+ingest+"/webhooks/benchmark-routing-key-0000", func() {
		cancel()
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			b.Error(err)
		}
		stopReceiver()
	})
	t.pid = cmd.Process.Pid
	var owed atomic.Int64
	send := t.sender()
	t.sender = func() func() (bool, error) {
		return func() (bool, error) {
			owed.Add(2) // one for each alert
			return send()
		}
	}
	t.settle = func() {
		for range 6000 {
			if received.Load() >= owed.Load() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		b.Errorf("received %d of %d deliveries after a minute", received.Load(), owed.Load())
	}
	waitAdapted(b, t)
	return t
}

// waitAdapted waits until the adapter answers: until then requests are stored
// for later, which is less work.
func waitAdapted(b *testing.B, t target) {
	send := t.sender()
	for range 500 {
		if late, err := send(); err == nil && !late {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatal("the adapter doesn't answer after 10 seconds")
}

const benchConfig = `
data_dir = %q
listener "ingest" {
  address = %q
}
listener "admin" {
  address = %q
}
telemetry {
  access_log = false
}
integration "alertmanager" "bench" {
  routing_key "a" {
    value = env("BENCH_KEY")
  }
}
destination "webhook" "sink" {
  allowed_cidrs = ["127.0.0.0/8"]
  settings {
    url = %q
  }
}
route "all" {
  to = [destination.webhook.sink]
}
`

func waitReady(t testing.TB, admin string) {
	t.Helper()
	for range 500 {
		response, err := http.Get("http://" + admin + "/readyz")
		if err == nil {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the gateway isn't ready after 10 seconds")
}
