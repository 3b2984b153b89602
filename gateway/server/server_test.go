package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"bellcrank.example/core"
)

func TestMain(m *testing.M) {
	// The HTTP library keeps one clock for ever, and its janitor wakes every ten
	// seconds to see that its server has stopped.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// running is a server on a real socket.
type running struct {
	*Server
	addr string
	log  *safeBuffer
	stop context.CancelFunc
	done chan error
}

func serve(t *testing.T, cfg Config, routes func(fiber.Router)) *running {
	t.Helper()
	r := &running{log: &safeBuffer{}, done: make(chan error, 1)}
	cfg.Logger = slog.New(slog.NewJSONHandler(r.log, nil))
	r.Server = New(cfg)
	if routes != nil {
		routes(r.Router())
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- r.Serve(ctx, ln) }()
	t.Cleanup(cancel)
	return r
}

func (r *running) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Serve doesn't return")
	}
}

func (r *running) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return conn
}

func ask(t *testing.T, conn net.Conn, path string) (*http.Response, string) {
	t.Helper()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	return hear(t, conn)
}

func hear(t *testing.T, conn net.Conn) (*http.Response, string) {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestEveryCodeHasAStatusThatNoSenderMistakes(t *testing.T) {
	for code, s := range statuses {
		if s.http < 400 || s.http > 599 || s.http == http.StatusGone {
			t.Errorf("%s is answered with %d", code, s.http)
		}
		if needs := s.http == 429 || s.http >= 500; needs != (s.retryAfter > 0) {
			t.Errorf("%s (%d): Retry-After %d", code, s.http, s.retryAfter)
		}
	}
}

// TestDocumentedErrorsAreTheAnswers holds docs/api.md to the table.
func TestDocumentedErrorsAreTheAnswers(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| ([45]\\d\\d) \\| (`[A-Z_`, ]+`) \\|.*\\| (\\d*) ?\\|$").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 15 {
		t.Fatalf("found %d rows", len(rows))
	}
	for _, row := range rows {
		for _, code := range regexp.MustCompile("[A-Z_]+").FindAllString(row[2], -1) {
			s := statuses[core.Code(code)]
			retry := ""
			if s.retryAfter > 0 {
				retry = strconv.Itoa(s.retryAfter)
			}
			if strconv.Itoa(s.http) != row[1] || retry != row[3] {
				t.Errorf("%s: documented %s, Retry-After %q; answered %d, %q", code, row[1], row[3], s.http, retry)
			}
		}
	}
}

func TestRetryAfterIsSpread(t *testing.T) {
	seen := map[int]bool{}
	for range 1000 {
		after := jittered(60)
		if after < 48 || after > 72 {
			t.Fatalf("jittered(60) = %d", after)
		}
		seen[after] = true
	}
	if len(seen) < 10 {
		t.Errorf("only %d different values", len(seen))
	}
}

func TestFailSaysNothingButTheEnvelope(t *testing.T) {
	r := serve(t, Config{}, func(router fiber.Router) {
		router.Get("/core", func(*fiber.Ctx) error {
			return fmt.Errorf("wrapped: %w", &core.Error{Code: core.ValidationFailed, Message: "m", Field: "title", Err: errors.New("cause")})
		})
		router.Get("/foreign", func(*fiber.Ctx) error { return errors.New("a secret detail") })
		router.Get("/late", func(*fiber.Ctx) error { return context.DeadlineExceeded })
		router.Get("/panic", func(*fiber.Ctx) error { panic("a secret detail") })
		router.Get("/unknown", func(*fiber.Ctx) error { return &core.Error{Code: "NEW_CODE", Message: "m"} })
		router.Post("/post", func(*fiber.Ctx) error { return nil })
	})
	tests := map[string]struct {
		path   string
		status int
		code   string
	}{
		"an error with a code":    {"/core", 422, `"code":"VALIDATION_FAILED","message":"m","field":"title"`},
		"an error without a code": {"/foreign", 500, `"code":"INTERNAL","message":"Something went wrong on our side"`},
		"a deadline":              {"/late", 503, `"code":"STORE_UNAVAILABLE"`},
		"a panic":                 {"/panic", 500, `"code":"INTERNAL"`},
		"a code without a status": {"/unknown", 500, `"code":"NEW_CODE"`},
		"no such path":            {"/secret-path", 404, `"code":"NOT_FOUND"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answer, body := ask(t, r.dial(t), tt.path)
			if answer.StatusCode != tt.status || !strings.Contains(body, tt.code) || strings.Contains(body, "secret") || strings.Contains(body, "cause") {
				t.Errorf("got %d %s, want %d %s", answer.StatusCode, body, tt.status, tt.code)
			}
			if id := answer.Header.Get("X-Request-Id"); id == "" || !strings.Contains(body, id) {
				t.Errorf("request id %q isn't in %s", id, body)
			}
		})
	}
	if log := r.log.String(); strings.Contains(log, "secret-path") || !strings.Contains(log, "a secret detail") {
		t.Errorf("the log must have the cause and never the path:\n%s", log)
	}
	r.stop()
	r.wait(t)
}

func TestErrorHandlerSurvivesEverything(t *testing.T) {
	s := New(Config{Logger: slog.New(slog.DiscardHandler)})
	for name, err := range map[string]error{"nil": nil, "panics": panicking{}, "other": io.ErrUnexpectedEOF} {
		t.Run(name, func(t *testing.T) {
			var ctx fasthttp.RequestCtx
			s.unreadable(&ctx, err)
		})
	}
}

// panicking panics when somebody formats or unwraps it.
type panicking struct{}

func (panicking) Error() string { panic("formatted") }
func (panicking) Unwrap() error { panic("unwrapped") }

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	ok := func(router fiber.Router) { router.Get("/", func(c *fiber.Ctx) error { return c.SendString("ok") }) }
	t.Run("of a stranger", func(t *testing.T) {
		r := serve(t, Config{PerAddress: 2}, ok)
		first, second := r.dial(t), r.dial(t)
		ask(t, first, "/")
		ask(t, second, "/")
		third := r.dial(t)
		if _, err := third.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the third connection: %v, want it closed", err)
		}
		first.Close()
		eventually(t, func() bool {
			conn, err := net.Dial("tcp", r.addr)
			if err != nil {
				return false
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Second))
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			_, err = conn.Read(make([]byte, 1))
			return err == nil
		})
		r.stop()
		r.wait(t)
	})
	t.Run("not of a trusted proxy", func(t *testing.T) {
		r := serve(t, Config{PerAddress: 1, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, ok)
		for range 3 {
			ask(t, r.dial(t), "/")
		}
		r.stop()
		r.wait(t)
	})
	t.Run("of all together, with an answer", func(t *testing.T) {
		r := serve(t, Config{Connections: 1}, ok)
		ask(t, r.dial(t), "/")
		answer, body := hear(t, r.dial(t))
		if answer.StatusCode != 503 || !strings.Contains(body, "OVERLOADED") || answer.Header.Get("Retry-After") == "" {
			t.Errorf("got %d %s", answer.StatusCode, body)
		}
		r.stop()
		r.wait(t)
	})
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Error("it never happened")
}

func TestDrainingServesOnAndSaysSo(t *testing.T) {
	r := serve(t, Config{}, func(router fiber.Router) {
		router.Get("/", func(c *fiber.Ctx) error { return c.SendString("ok") })
	})
	if answer, _ := ask(t, r.dial(t), "/"); answer.Close {
		t.Error("the connection ends before the drain")
	}
	r.Drain()
	for range 3 {
		if answer, body := ask(t, r.dial(t), "/"); answer.StatusCode != 200 || body != "ok" || !answer.Close {
			t.Errorf("while draining: %d %q, close %v", answer.StatusCode, body, answer.Close)
		}
	}
	if !r.Draining() {
		t.Error("Draining() = false")
	}
	r.stop()
	r.wait(t)
}

func TestStopLetsRequestsUnderWayEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := serve(t, Config{}, func(router fiber.Router) {
		router.Get("/", func(c *fiber.Ctx) error {
			close(entered)
			<-leave
			return c.SendString("done")
		})
	})
	conn := r.dial(t)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	r.stop()
	eventually(t, func() bool {
		late, err := net.Dial("tcp", r.addr)
		if err == nil {
			late.Close()
		}
		return err != nil
	})
	close(leave)
	if answer, body := hear(t, conn); answer.StatusCode != 200 || body != "done" {
		t.Errorf("got %d %q", answer.StatusCode, body)
	}
	r.wait(t)
}

func TestStopCutsOffWhatDoesNotEnd(t *testing.T) {
	r := serve(t, Config{StopTimeout: 200 * time.Millisecond}, nil)
	conn := r.dial(t)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHo") // and no more
	start := time.Now()
	// The connection is accepted once another one is answered.
	ask(t, r.dial(t), "/")
	r.stop()
	r.wait(t)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is still open: %v", err)
	}
}

func TestServeReportsALostListener(t *testing.T) {
	s := New(Config{Logger: slog.New(slog.DiscardHandler)})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := s.Serve(t.Context(), ln); err == nil {
		t.Error("Serve on a closed listener = nil")
	}
}

// scarce is a listener whose machine ran out of descriptors for a moment.
type scarce struct {
	net.Listener
	failures int
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.failures > 0 {
		s.failures--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestListenerSurvivesAShortageOfDescriptors(t *testing.T) {
	s := New(Config{Logger: slog.New(slog.DiscardHandler)})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Server: s, addr: ln.Addr().String(), done: make(chan error, 1)}
	go func() { r.done <- s.Serve(ctx, &scarce{Listener: ln, failures: 3}) }()
	if answer, _ := ask(t, r.dial(t), "/"); answer.StatusCode != 404 {
		t.Errorf("got %d, want 404", answer.StatusCode)
	}
	cancel()
	r.wait(t)
}

func TestAccessLogHasTheRouteAndNotThePath(t *testing.T) {
	r := serve(t, Config{Name: "ingest"}, func(router fiber.Router) {
		router.Get("/hooks/:key", func(c *fiber.Ctx) error {
			Annotate(c, slog.String("key_id", "k1"))
			return c.SendStatus(204)
		})
	})
	ask(t, r.dial(t), "/hooks/secret-key?secret=query")
	r.stop()
	r.wait(t)
	log := r.log.String()
	for _, want := range []string{`"listener":"ingest"`, `"method":"GET"`, `"route":"/hooks/:key"`, `"status":204`, `"key_id":"k1"`, `"request_id":"req_`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "secret") {
		t.Errorf("the log shows the path:\n%s", log)
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add("203.0.113.9", "6.6.6.6, 203.0.113.9", "10.0.0.1")
	f.Add("::ffff:10.0.0.1", "fe80::1%eth0", "[2001:db8::1]:443, 10.1.1.1")
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, peerText, one, two string) {
		peer, err := netip.ParseAddr(peerText)
		if err != nil {
			return
		}
		got := ClientAddr(peer, []string{one, two}, proxies)
		if peer = peer.Unmap().WithZone(""); !trusted(proxies, peer) && got != peer {
			t.Errorf("an untrusted peer %v became %v by its own word", peer, got)
		}
		if got != got.Unmap().WithZone("") {
			t.Errorf("%v isn't in its plain form", got)
		}
		// Whatever a client puts to the left of what the proxy wrote changes
		// nothing.
		if spoofed := ClientAddr(peer, []string{"6.6.6.6", one, two}, proxies); !trusted(proxies, got) && spoofed != got {
			t.Errorf("a value on the left changed %v to %v", got, spoofed)
		}
	})
}
