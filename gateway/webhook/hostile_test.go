package webhook

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/gateway/server"
)

// What HTTP libraries do to the unwary, each with the answer that it gets.
func TestHostileRequests(t *testing.T) {
	f := open(t, func(s *server.Config, _ *Config) { s.HeaderBytes = 8 << 10 })
	chunk := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(body), body) }
	post := "POST /webhooks/" + machineKey + " HTTP/1.1\r\nHost: x\r\n"
	chunked := post + "Transfer-Encoding: chunked\r\n\r\n"
	tests := map[string]struct {
		request string
		half    bool // the sender ends its half of the connection
		status  int
		code    string
		closes  bool
		stored  bool
	}{
		"whole body":                     {request: request(machineKey, "{}"), status: 200, stored: true},
		"whole body, then half closed":   {request: request(machineKey, "{}"), half: true, status: 200, stored: true, closes: true},
		"chunked":                        {request: chunked + chunk("{}") + "0\r\n\r\n", status: 200, stored: true},
		"chunked, then half closed":      {request: chunked + chunk("{}") + "0\r\n\r\n", half: true, status: 200, stored: true, closes: true},
		"no length at all":               {request: post + "\r\n", status: 200, stored: true},
		"cut short":                      {request: post + "Content-Length: 100\r\n\r\n{}", half: true, status: 400, code: "INCOMPLETE_BODY", closes: true},
		"cut short after the first read": {request: post + "Content-Length: 20000\r\n\r\n" + strings.Repeat("x", 12000), half: true, status: 400, code: "INCOMPLETE_BODY", closes: true},
		"chunked, cut in a chunk":        {request: chunked + "64\r\n{}", half: true, status: 400, code: "INCOMPLETE_BODY", closes: true},
		"chunked, cut between chunks":    {request: chunked + chunk("{}"), half: true, status: 400, code: "INCOMPLETE_BODY", closes: true},
		"chunked, cut before the end":    {request: chunked + chunk("{}") + "0\r\n", half: true, status: 400, code: "INCOMPLETE_BODY", closes: true},
		"chunked, not hexadecimal":       {request: chunked + "zz\r\n{}\r\n0\r\n\r\n", status: 400, code: "INCOMPLETE_BODY", closes: true},
		"chunked, limit + 1":             {request: chunked + chunk(strings.Repeat("x", 64<<10+1)) + "0\r\n\r\n", status: 413, code: "PAYLOAD_TOO_LARGE"},
		"length and chunks":              {request: post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("{}") + "0\r\n\r\n", status: 200, stored: true, closes: true},
		"two lengths":                    {request: post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", status: 400, code: "BAD_REQUEST", closes: true},
		"length with a sign":             {request: post + "Content-Length: +2\r\n\r\n{}", status: 400, code: "BAD_REQUEST", closes: true},
		"unknown transfer coding":        {request: post + "Transfer-Encoding: xchunked\r\n\r\n{}", status: 400, code: "BAD_REQUEST", closes: true},
		"chunked is not last":            {request: post + "Transfer-Encoding: chunked, identity\r\n\r\n{}", status: 400, code: "BAD_REQUEST", closes: true},
		"folded header":                  {request: post + "X-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\n{}", status: 400, code: "BAD_REQUEST", closes: true},
		"space before the colon":         {request: post + "Content-Length : 2\r\n\r\n{}", status: 400, code: "BAD_REQUEST", closes: true},
		"no host":                        {request: "POST /webhooks/" + machineKey + " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", status: 400, code: "BAD_REQUEST", closes: true},
		"header too large":               {request: post + "X-A: " + strings.Repeat("a", 9<<10) + "\r\n\r\n", status: 431, code: "HEADERS_TOO_LARGE", closes: true},
		"request line too long":          {request: "POST /webhooks/" + strings.Repeat("a", 9<<10) + " HTTP/1.1\r\n\r\n", status: 431, code: "HEADERS_TOO_LARGE", closes: true},
		"not HTTP":                       {request: "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", status: 400, code: "BAD_REQUEST", closes: true},
		"unknown method":                 {request: "BREW /webhooks/" + machineKey + " HTTP/1.1\r\nHost: x\r\n\r\n", status: 405, code: "METHOD_NOT_ALLOWED", closes: true},
		"path in another letter case":    {request: strings.Replace(request(machineKey, "{}"), "/webhooks/", "/WebHooks/", 1), status: 404, code: "NOT_FOUND"},
		"host names nothing":             {request: strings.Replace(request(machineKey, "{}"), "Host: x", "Host: evil.example", 1), status: 200, stored: true},
		"absolute form":                  {request: strings.Replace(request(machineKey, "{}"), "/webhooks/", "http://evil.example/webhooks/", 1), status: 200, stored: true},
		"encoded slash in the key":       {request: request(machineKey[:8]+"%2f"+machineKey[8:], "{}"), status: 404, code: "ROUTE_NOT_FOUND"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := f.inbox.count()
			got, conn := f.raw(t, tt.request, tt.half)
			if got.status != tt.status || tt.code != "" && !strings.Contains(got.body, `"`+tt.code+`"`) {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.status, tt.code)
			}
			if stored := f.inbox.count() > before; stored != tt.stored {
				t.Errorf("stored = %v, want %v", stored, tt.stored)
			}
			if strings.Contains(got.body, machineKey) || strings.Contains(got.body, "evil") {
				t.Errorf("the answer quotes the request: %s", got.body)
			}
			if tt.closes && !closed(conn) {
				t.Error("the connection stays open")
			}
		})
	}
	if strings.Contains(f.log.String(), machineKey) {
		t.Error("the log shows a routing key")
	}
}

func TestPipelinedRequestAfterTwoFramingsIsNotServed(t *testing.T) {
	f := open(t, nil)
	smuggled := "POST /webhooks/" + machineKey + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + request(machineKey, "smuggled")
	if got, conn := f.raw(t, smuggled, false); got.status != 200 || !closed(conn) {
		t.Errorf("got %d, want 200 and a closed connection", got.status)
	}
	if n := f.inbox.count(); n != 1 {
		t.Errorf("%d requests were stored, want 1", n)
	}
}

func TestGzipBombCostsNoMemory(t *testing.T) {
	var member bytes.Buffer
	w := gzip.NewWriter(&member)
	w.Write(make([]byte, 1<<20))
	w.Close()
	bomb := bytes.NewBuffer(bytes.Repeat(member.Bytes(), 256)) // gzip allows several members in a row
	f := open(t, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := f.post(t, bigKey, bomb.String(), "Content-Encoding", "gzip")
	runtime.ReadMemStats(&after)
	if got.status != 413 || !strings.Contains(got.body, "PAYLOAD_TOO_LARGE") {
		t.Errorf("%d bytes that become 256 MiB got %d %s, want 413", bomb.Len(), got.status, got.body)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("allocated %d MiB", grown>>20)
	}
}

func TestCompressionRatioIsBounded(t *testing.T) {
	var spaces bytes.Buffer
	w := gzip.NewWriter(&spaces)
	w.Write(bytes.Repeat([]byte(" "), 2<<20))
	w.Close()
	f := open(t, nil)
	if got := f.post(t, bigKey, spaces.String(), "Content-Encoding", "gzip"); got.status != 413 {
		t.Errorf("%d bytes that become 2 MiB got %d %s, want 413", spaces.Len(), got.status, got.body)
	}
}

func TestSlowSendersAreCutOff(t *testing.T) {
	f := open(t, func(s *server.Config, _ *Config) { s.ReadTimeout = 300 * time.Millisecond })
	whole := request(machineKey, "{}") // "{}" never comes
	big := "POST /webhooks/" + machineKey + " HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n" + strings.Repeat("x", 20000)
	for name, begin := range map[string]string{
		"in the header": "POST /webhooks/" + machineKey + " HTTP/1.1\r\nHo",
		"in the body":   whole[:len(whole)-1],
		"in a big body": big,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			got, conn := f.raw(t, begin, false)
			if got.status != 408 || !strings.Contains(got.body, "REQUEST_TIMEOUT") || !closed(conn) {
				t.Errorf("got %d %s, want 408 and a closed connection", got.status, got.body)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("held on for %v", took)
			}
		})
	}
}

// An answer to a body that is too large must arrive: a reset connection looks
// like a network error, and is tried again for ever.
func TestEverySenderSeesItsRefusal(t *testing.T) {
	f := open(t, nil)
	const size = 8 << 20 // twice the limit
	t.Run("Go client", func(t *testing.T) {
		for range 5 {
			if got := f.send(t, "POST", "/webhooks/"+bigKey, io.LimitReader(endless{}, size)); got.status != 413 {
				t.Fatalf("chunked: got %d %s, want 413", got.status, got.body)
			}
			if got := f.send(t, "POST", "/webhooks/"+bigKey, bytes.NewReader(make([]byte, size))); got.status != 413 {
				t.Fatalf("with a length: got %d %s, want 413", got.status, got.body)
			}
		}
	})
	t.Run("unknown key with a body", func(t *testing.T) {
		if got := f.send(t, "POST", "/webhooks/nobody-has-this-routing-key", bytes.NewReader(make([]byte, 1<<20-1))); got.status != 404 {
			t.Errorf("got %d %s, want 404", got.status, got.body)
		}
	})
	t.Run("curl", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), "curl", "-sS", "-o", "-", "-w", "%{http_code}", "--data-binary", "@-", f.url+"/webhooks/"+bigKey)
		cmd.Stdin = io.LimitReader(endless{}, size)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), "413") {
			t.Errorf("curl: %v: %s", err, out)
		}
	})
	t.Run("a client that writes everything before it reads", func(t *testing.T) {
		for range 5 {
			conn := f.dial(t)
			fmt.Fprintf(conn, "POST /webhooks/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", bigKey, size)
			if n, err := io.Copy(conn, io.LimitReader(endless{}, size)); err != nil {
				t.Fatalf("write after %d bytes: %v", n, err)
			}
			if got := readReply(t, conn); got.status != 413 {
				t.Errorf("got %d %s, want 413", got.status, got.body)
			}
		}
	})
}

func TestTheIntegrationsLimitIsTheOnlyOne(t *testing.T) {
	f := open(t, nil)
	const size = 16 << 20
	for name, body := range map[string]io.Reader{
		"with a length": bytes.NewReader(make([]byte, size)),
		"chunked":       io.LimitReader(endless{}, size),
	} {
		t.Run(name, func(t *testing.T) {
			got := f.send(t, "POST", "/webhooks/"+hugeKey, body)
			if got.status != 200 {
				t.Fatalf("got %d %s, want 200", got.status, got.body)
			}
			if r, _ := f.inbox.last(t); len(r.Body) != size {
				t.Errorf("stored %d bytes, want %d", len(r.Body), size)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestPanicCostsOneRequestAndNoMore(t *testing.T) {
	f := open(t, nil)
	f.inbox.answer = func(*core.Request) (core.Receipt, error) { panic("a bug") }
	got := f.post(t, machineKey, "{}")
	if got.status != 500 || !strings.Contains(got.body, `"INTERNAL"`) || strings.Contains(got.body, "a bug") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	f.inbox.answer = nil
	if got := f.post(t, machineKey, "{}"); got.status != 200 {
		t.Errorf("the next request got %d %s", got.status, got.body)
	}
}

// Fiber's strings point into buffers that the next request overwrites.
func TestStoredRequestsOutliveTheirBuffers(t *testing.T) {
	f := open(t, nil)
	conn := f.dial(t)
	const n = 50
	for i := range n {
		id := fmt.Sprintf("%02d", i)
		body := strings.Repeat(id, 100+i)
		io.WriteString(conn, "POST /webhooks/"+machineKey+"/path-"+id+"?query-"+id+" HTTP/1.1\r\nHost: x\r\nX-Vendor-Kind: kind-"+id+
			fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		if got := readReply(t, conn); got.status != 200 {
			t.Fatalf("got %d %s", got.status, got.body)
		}
	}
	for i, r := range f.inbox.requests {
		id := fmt.Sprintf("%02d", i)
		if r.Path != "path-"+id || r.Query != "query-"+id || r.Header.Get("X-Vendor-Kind") != "kind-"+id ||
			string(r.Body) != strings.Repeat(id, 100+i) || r.Method != "POST" {
			t.Fatalf("request %d became %s %q?%q %v %q", i, r.Method, r.Path, r.Query, r.Header, r.Body)
		}
	}
}

func TestBodiesInFlightAreBounded(t *testing.T) {
	f := open(t, func(_ *server.Config, c *Config) { c.BodyBudget = 1<<20 + 64<<10 })
	large := strings.Repeat("x", 600<<10)
	deadline := time.Now().Add(30 * time.Second)
	first := f.hold(t, 1<<20, 700<<10)
	got := f.post(t, bigKey, large)
	for got.status != 503 && time.Now().Before(deadline) {
		if answered(first) { // it met one of ours on its way, and was the one to go
			first = f.hold(t, 1<<20, 700<<10)
		}
		got = f.post(t, bigKey, large)
	}
	if got.status != 503 || !strings.Contains(got.body, "OVERLOADED") || got.header.Get("Retry-After") == "" {
		t.Fatalf("past the budget: got %d %s, want 503", got.status, got.body)
	}
	if got := f.post(t, bigKey, "{}"); got.status != 200 {
		t.Errorf("a small request got %d %s", got.status, got.body)
	}
	first.Close()
	for got.status != 200 && time.Now().Before(deadline) {
		got = f.post(t, bigKey, large)
	}
	if got.status != 200 {
		t.Errorf("after the big one was gone: got %d %s, want 200", got.status, got.body)
	}
}

// hold begins a request that announces so many bytes and sends fewer.
func (f *front) hold(t *testing.T, announced, sent int) net.Conn {
	t.Helper()
	conn := f.dial(t)
	io.WriteString(conn, fmt.Sprintf("POST /webhooks/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", bigKey, announced)+
		strings.Repeat("x", sent))
	return conn
}

// answered reports whether a request has its answer already.
func answered(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	n, _ := conn.Read(make([]byte, 1))
	return n > 0
}

func TestAnnouncedBytesCostNothing(t *testing.T) {
	f := open(t, func(_ *server.Config, c *Config) { c.BodyBudget = 1 << 20 })
	for range 30 {
		f.hold(t, 4<<20, 9<<10)
	}
	if got := f.post(t, bigKey, strings.Repeat("x", 100<<10)); got.status != 200 {
		t.Errorf("got %d %s, want 200", got.status, got.body)
	}
}

func TestKeyMissesLookAlike(t *testing.T) {
	f := open(t, func(_ *server.Config, c *Config) { c.Misses.Burst = 1000 })
	var first string
	for _, key := range []string{"nobody-has-this-routing-key", expiredKey, "x", "bck_00000000000000000000000000000000000000"} {
		got := f.post(t, key, "{}")
		shape := fmt.Sprint(got.status, requestID.ReplaceAllString(got.body, "ID"), len(got.body), len(got.header))
		if first == "" {
			first = shape
		}
		if shape != first {
			t.Errorf("key %q: got %s, want %s", key, shape, first)
		}
	}
}

func TestConcurrentSendersGetTheirOwnAnswers(t *testing.T) {
	f := open(t, nil)
	f.inbox.answer = func(r *core.Request) (core.Receipt, error) {
		return core.Receipt{State: core.RequestIgnored, Reason: string(r.Body)}, nil
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 20 {
				body := fmt.Sprintf("sender %d request %d", i, j)
				r, err := http.NewRequestWithContext(t.Context(), "POST", f.url+"/webhooks/"+machineKey, strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := f.client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				all, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				if !strings.Contains(string(all), `"`+body+`"`) {
					t.Errorf("%s: got %s", body, all)
				}
			}
		})
	}
	wg.Wait()
}
