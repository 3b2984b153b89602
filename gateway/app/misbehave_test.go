package app

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
	"bellcrank.example/core/destination/webhook"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/sdk"
)

// misbehaviour is a receiver that does something to us, and what we are to make
// of it.
type misbehaviour struct {
	start  func(t *testing.T) webhook.Settings
	class  core.FaultClass
	status int
}

// answering answers every request with a status and a header.
func answering(status int, class core.FaultClass, header ...string) misbehaviour {
	return misbehaviour{class: class, status: status, start: func(t *testing.T) webhook.Settings {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		return webhook.Settings{URL: server.URL}
	}}
}

// byHand serves each connection with fn once a request's beginning has come.
func byHand(status int, fn func(c *net.TCPConn)) misbehaviour {
	m := misbehaviour{status: status, start: func(t *testing.T) webhook.Settings {
		return webhook.Settings{URL: "http://" + accept(t, func(c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 4096))
			fn(c)
		})}
	}}
	if status == 0 {
		m.class = core.DestinationFault
	}
	return m
}

// accept serves each connection with fn, and closes it.
func accept(t testing.TB, fn func(c *net.TCPConn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				fn(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() { listener.Close(); all.Wait() })
	return listener.Addr().String()
}

// overTLS answers 200 over TLS that something is wrong with.
func overTLS(change func(t *testing.T, c *tls.Config, s *webhook.Settings)) misbehaviour {
	return misbehaviour{class: core.DestinationFault, start: func(t *testing.T) webhook.Settings {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS10}
		var s webhook.Settings
		change(t, server.TLS, &s)
		server.StartTLS()
		t.Cleanup(server.Close)
		s.URL = server.URL
		return s
	}}
}

func pair(t *testing.T, c *tls.Config, s *webhook.Settings, life time.Duration) {
	p := destinationtest.NewPair(t, time.Now().Add(life), "hooks.test")
	c.Certificates, s.CA = []tls.Certificate{p.TLS}, p.Certificate
}

// framed speaks HTTP/2 and answers the first request with frames of fn's.
func framed(fn func(f *http2.Framer, stream uint32) error) misbehaviour {
	return misbehaviour{class: core.DestinationFault, start: func(t *testing.T) webhook.Settings {
		var s webhook.Settings
		secure := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
		pair(t, secure, &s, time.Hour)
		s.URL = "https://" + accept(t, func(c *net.TCPConn) {
			conn := tls.Server(c, secure)
			preface := make([]byte, len(http2.ClientPreface))
			if _, err := io.ReadFull(conn, preface); err != nil {
				return
			}
			f := http2.NewFramer(conn, conn)
			if f.WriteSettings() != nil {
				return
			}
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					return
				}
				if _, asked := frame.(*http2.HeadersFrame); asked && fn(f, frame.Header().StreamID) != nil {
					return
				}
			}
		})
		return s
	}}
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

func misbehaviours() map[string]misbehaviour {
	destination, delivery, throttled := core.DestinationFault, core.DeliveryFault, core.Throttled
	packed := bomb()
	soon := time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
	all := map[string]misbehaviour{
		"redirect to itself":       answering(302, destination, "Location", "/"),
		"429 in seconds":           answering(429, throttled, "Retry-After", "120"),
		"429 with a date":          answering(429, throttled, "Retry-After", soon),
		"429 negative":             answering(429, throttled, "Retry-After", "-5"),
		"429 for thirty years":     answering(429, throttled, "Retry-After", "1000000000"),
		"429 with nonsense":        answering(429, throttled, "Retry-After", "later"),
		"503 in seconds":           answering(503, throttled, "Retry-After", "30"),
		"503 with nonsense":        answering(503, destination, "Retry-After", "later"),
		"closes before its header": byHand(0, func(*net.TCPConn) {}),
		"resets the connection":    byHand(0, func(c *net.TCPConn) { _ = c.SetLinger(0) }),
		"doesn't speak HTTP":       byHand(0, func(c *net.TCPConn) { say(c, "220 smtp ready\r\n") }),
		"says nothing":             byHand(0, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }),
		"header drips":             byHand(0, func(c *net.TCPConn) { drip(c, okHead) }),
		"header of 10 MB":          byHand(0, func(c *net.TCPConn) { say(c, okHead+"X: "+strings.Repeat("a", 10<<20)+"\r\n\r\n") }),
		"ten thousand headers":     byHand(0, func(c *net.TCPConn) { say(c, okHead+strings.Repeat("X-A: bcdefgh\r\n", 10_000)+"\r\n") }),
		"a flood of 1xx":           byHand(0, func(c *net.TCPConn) { flood(c, []byte("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")) }),
		"closes within its body":   byHand(200, func(c *net.TCPConn) { say(c, okHead+"Content-Length: 1000\r\n\r\nabc") }),
		"body drips": byHand(200, func(c *net.TCPConn) {
			say(c, okHead+"Content-Length: 1000\r\n\r\n")
			drip(c, strings.Repeat("a", 1000))
		}),
		"endless body":                byHand(200, func(c *net.TCPConn) { say(c, okHead+"\r\n"); flood(c, make([]byte, 1<<20)) }),
		"gzip bomb":                   byHand(200, func(c *net.TCPConn) { say(c, packed) }),
		"handshake hangs":             {class: destination, start: silent},
		"certificate has expired":     overTLS(func(t *testing.T, c *tls.Config, s *webhook.Settings) { pair(t, c, s, -time.Hour) }),
		"certificate of a stranger":   overTLS(func(t *testing.T, c *tls.Config, s *webhook.Settings) { pair(t, c, s, time.Hour); s.CA = "" }),
		"certificate of another host": {class: destination, start: otherHost},
		"TLS 1.1": overTLS(func(t *testing.T, c *tls.Config, s *webhook.Settings) {
			pair(t, c, s, time.Hour)
			c.MaxVersion = tls.VersionTLS11
		}),
		"packets are lost":  {status: 200, start: func(t *testing.T) webhook.Settings { return webhook.Settings{URL: "http://" + lossy(t)} }},
		"packets vanish":    {class: destination, start: func(t *testing.T) webhook.Settings { return webhook.Settings{URL: "http://" + blackHole(t)} }},
		"HTTP/2 goes away":  framed(func(f *http2.Framer, _ uint32) error { return f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }),
		"HTTP/2 resets":     framed(func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeInternal) }),
		"name leads inside": {class: destination, start: func(*testing.T) webhook.Settings { return webhook.Settings{URL: "http://[::1]:9/"} }},
		"metadata service": {class: destination, start: func(*testing.T) webhook.Settings {
			return webhook.Settings{URL: "http://169.254.169.254/latest/meta-data/"}
		}},
	}
	for name := range badNames {
		all["name "+name] = misbehaviour{class: destination, start: func(*testing.T) webhook.Settings {
			return webhook.Settings{URL: "http://" + name + "/"}
		}}
	}
	for class, statuses := range map[core.FaultClass][]int{
		core.NoFault: {200, 201, 202, 204}, core.Gone: {410}, throttled: {429}, delivery: {400, 409, 413, 415, 422},
		destination: {301, 304, 307, 401, 403, 404, 405, 408, 425, 500, 501, 502, 503, 504, 599},
	} {
		for _, status := range statuses {
			all[fmt.Sprint(status)] = answering(status, class)
		}
	}
	return all
}

func say(c net.Conn, text string) { _, _ = io.WriteString(c, text) }

func drip(c net.Conn, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// flood writes until the other side is gone, or 4 GiB.
func flood(c net.Conn, block []byte) {
	for range 4096 << 20 / len(block) {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

// bomb is an answer with 64 MiB of nothing, made small.
func bomb() string {
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	block := make([]byte, 1<<20)
	for range 64 {
		_, _ = z.Write(block)
	}
	_ = z.Close()
	return okHead + fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", small.Len(), small.Bytes())
}

// lossy is a way to a receiver on which three packets of ten have to be sent
// again, some of them twice.
func lossy(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(server.Close)
	lost := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	carry := func(to, from net.Conn) {
		packet := make([]byte, 200)
		for {
			n, err := from.Read(packet)
			if err != nil {
				break
			}
			for again := 200 * time.Millisecond; ; again *= 2 {
				mu.Lock()
				arrives := lost.Float64() > 0.3
				mu.Unlock()
				if arrives {
					break
				}
				time.Sleep(again)
			}
			if _, err := to.Write(packet[:n]); err != nil {
				break
			}
		}
		_, _ = to.Close(), from.Close()
	}
	return accept(t, func(c *net.TCPConn) {
		far, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			return
		}
		var back sync.WaitGroup
		back.Go(func() { carry(c, far) })
		carry(far, c)
		back.Wait()
	})
}

// silent accepts connections by the kernel, and says nothing.
func silent(t *testing.T) webhook.Settings {
	return webhook.Settings{URL: "https://" + accept(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })}
}

// otherHost has a certificate that is trusted, for another name than the one
// that is asked for.
func otherHost(t *testing.T) webhook.Settings {
	s := overTLS(func(t *testing.T, c *tls.Config, s *webhook.Settings) { pair(t, c, s, time.Hour) }).start(t)
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	return s
}

func TestEveryMisbehaviourIsClassifiedAndBounded(t *testing.T) {
	const limit = 8 * time.Second // of an attempt
	serveNames(t, func(name string) named { return badNames[name] })
	all := misbehaviours()
	var taken atomic.Int32
	good := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { taken.Add(1) }))
	t.Cleanup(good.Close)
	destinations := []*core.Destination{hook(t, "good", webhook.Settings{URL: good.URL})}
	for name, m := range all {
		d := hook(t, strings.ReplaceAll(name, " ", "-"), m.start(t))
		d.Timeout, d.Concurrency = limit, 1
		destinations = append(destinations, d)
	}
	heap := watchHeap(t)
	o := newOutbound(t, t.TempDir(), dispatch.Config{Destinations: destinations})
	for i := range 20 {
		o.say(sdk.Trigger, fmt.Sprint("k", i))
	}
	o.until("the good one's deliveries, beside all others", func() bool { return taken.Load() >= 20 })
	for name, m := range all {
		id := "webhook/" + strings.ReplaceAll(name, " ", "-")
		t.Run(name, func(t *testing.T) {
			a := o.firstAttempt(id)
			if a.Class != m.class || a.Status != m.status {
				t.Errorf("status %d is class %q (%s), want %d and %q", a.Status, a.Class, a.Error, m.status, m.class)
			}
			if a.Took > limit+10*time.Second {
				t.Errorf("the attempt took %v, want at most %v", a.Took, limit)
			}
			if len(a.Snippet) > 4<<10 || len(a.Error) > 4<<10 {
				t.Errorf("%d bytes of the answer and %d of the error are kept, want few", len(a.Snippet), len(a.Error))
			}
		})
	}
	if grown := heap(); grown > 256<<20 {
		t.Errorf("the heap grew by %d MiB, want little: no answer is kept", grown>>20)
	}
}

// firstAttempt waits for an attempt at a destination.
func (o *outbound) firstAttempt(destination string) core.Attempt {
	o.tb.Helper()
	var first core.Attempt
	o.until("an attempt at "+destination, func() bool {
		rows, err := o.store.Deliveries(o.tb.Context(), core.DeliveryFilter{Destination: destination, Page: core.Page{Limit: 100}})
		if err != nil {
			o.tb.Fatal(err)
		}
		for _, d := range rows {
			attempts, err := o.store.Attempts(o.tb.Context(), d.ID)
			if err != nil {
				o.tb.Fatal(err)
			}
			if len(attempts) > 0 {
				first = attempts[0]
				return true
			}
		}
		return false
	})
	return first
}

// watchHeap notes the largest heap from now on. The function that it returns
// ends that, and says by how much it has grown.
func watchHeap(t *testing.T) func() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}()
	end := sync.OnceFunc(func() { close(stop); <-ended })
	t.Cleanup(end)
	return func() uint64 { end(); return most - before }
}
