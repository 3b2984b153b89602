package webhook

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
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/gateway/server"
	"bellcrank.example/sdk"
)

func TestMain(m *testing.M) {
	// The HTTP library keeps one clock for ever, and its janitor wakes every ten
	// seconds to see that its server has stopped.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// inbox is an intake that stores in memory.
type inbox struct {
	mu       sync.Mutex
	requests []*core.Request
	decoded  [][]byte

	// answer, if set, says what Accept returns.
	answer func(*core.Request) (core.Receipt, error)
}

func (i *inbox) Accept(_ context.Context, in *core.Integration, r *core.Request, decoded []byte) (core.Receipt, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests, i.decoded = append(i.requests, r), append(i.decoded, decoded)
	if i.answer != nil {
		return i.answer(r)
	}
	receipt := core.Receipt{Request: 4242 << 22, State: r.State, Code: r.Code, Reason: r.Reason}
	switch {
	case r.Code != "" && in.Info.Sender == sdk.Human:
		receipt.State = core.RequestRejected
	case r.Code != "":
		receipt.State = core.RequestQuarantined
	case r.State == core.RequestOpen:
		receipt.State, receipt.Total = core.RequestDone, 1
		receipt.Incidents = []core.IncidentSummary{{Number: 42, Title: "API latency spike", Severity: sdk.High, Status: core.Investigating}}
	}
	return receipt, nil
}

func (i *inbox) last(t *testing.T) (*core.Request, []byte) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.requests) == 0 {
		t.Fatal("nothing was accepted")
	}
	return i.requests[len(i.requests)-1], i.decoded[len(i.decoded)-1]
}

func (i *inbox) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.requests)
}

const (
	customKey  = "custom-key-0123456789abcdef"
	machineKey = "machine-key-0123456789abcde"
	closedKey  = "disabled-key-0123456789abcd"
	pausedKey  = "paused-key-0123456789abcdef"
	walledKey  = "walled-key-0123456789abcdef"
	signedKey  = "signed-key-0123456789abcdef"
	bigKey     = "big-key-0123456789abcdefghi"
	hugeKey    = "huge-key-0123456789abcdefgh"
	expiredKey = "expired-key-0123456789abcde"
)

var limits = sdk.Limits{Body: 64 << 10, Depth: 64, Members: 1000, Strings: 2000, Events: 1000}

func integrations() []*core.Integration {
	make := func(name, key string, change func(*core.Integration)) *core.Integration {
		in := &core.Integration{
			Tenant: 1, Type: "custom", Name: name, Limits: limits,
			Info: sdk.Info{Type: "custom", Sender: sdk.Machine},
			Keys: []core.RoutingKey{{ID: name + "-1", Value: core.NewSecret(key)}},
		}
		if change != nil {
			change(in)
		}
		return in
	}
	return []*core.Integration{
		make("human", customKey, func(in *core.Integration) {
			in.Info.Sender = sdk.Human
			in.Info.Entrances = []sdk.Entrance{
				{Path: "/v2/enqueue", Method: "POST", KeyFrom: "body:routing_key"},
				{Path: "/v2/alerts", Method: "POST", KeyFrom: "header:Authorization"},
				{Path: "/v2/challenge", Method: "GET", Reply: &sdk.Reply{Body: []byte("pong")}},
			}
		}),
		make("machine", machineKey, func(in *core.Integration) {
			in.Info.Methods = []string{"POST", "PUT"}
			in.Info.Headers = []string{"X-Vendor-Kind", "Authorization"}
			in.Info.DeliveryID = &sdk.DeliveryID{Header: "X-Delivery", BodyHashWhen: &sdk.HeaderIs{Name: "X-Vendor-Kind", Values: []string{"error"}}}
		}),
		make("closed", closedKey, func(in *core.Integration) { in.Disabled = true }),
		make("paused", pausedKey, func(in *core.Integration) { in.Paused = true }),
		make("walled", walledKey, func(in *core.Integration) {
			in.AllowedCIDRs = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		}),
		make("signed", signedKey, func(in *core.Integration) {
			in.Info.Signatures = []sdk.SignatureScheme{{Kind: sdk.SchemeHMAC, Header: "X-Signature", Encoding: "hex"}}
			in.SigningSecrets = []core.Secret{core.NewSecret("topsecret")}
		}),
		make("big", bigKey, func(in *core.Integration) { in.Limits.Body = 4 << 20 }),
		make("huge", hugeKey, func(in *core.Integration) { in.Limits.Body = 16 << 20 }),
		make("expired", expiredKey, func(in *core.Integration) { in.Keys[0].Expires = time.Unix(1, 0) }),
	}
}

// front is a door on a real socket.
type front struct {
	addr     string
	url      string
	client   *http.Client // shared: a connection for each request would soon pass the limit of one address
	inbox    *inbox
	log      *safeBuffer
	mu       sync.Mutex
	refusals []core.Refusal
	outcomes []Outcome
}

func (f *front) refused() []core.Refusal {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]core.Refusal(nil), f.refusals...)
}

func open(t testing.TB, change func(*server.Config, *Config)) *front {
	t.Helper()
	table, err := keyring.New(keyring.Config{Integrations: integrations(), Pepper: []byte("pepper")})
	if err != nil {
		t.Fatal(err)
	}
	f := &front{inbox: &inbox{}, log: &safeBuffer{}, client: client(t)}
	logger := slog.New(slog.NewJSONHandler(f.log, nil))
	shell := server.Config{Name: "ingest", Logger: logger}
	cfg := Config{
		Keys: func() *keyring.Table { return table }, Intake: f.inbox, Logger: logger,
		PublicURL: "https://alerts.example/",
		Refuse: func(r core.Refusal) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.refusals = append(f.refusals, r)
		},
		Observe: func(o Outcome) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.outcomes = append(f.outcomes, o)
		},
	}
	if change != nil {
		change(&shell, &cfg)
	}
	s := server.New(shell)
	Register(s.Router(), cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	f.addr, f.url = ln.Addr().String(), "http://"+ln.Addr().String()
	return f
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

// client makes no connection outlive its test.
func client(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 15 * time.Second}
}

type heard struct {
	status int
	header http.Header
	body   string
}

func (f *front) send(t testing.TB, method, path string, body io.Reader, header ...string) heard {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, f.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	answer, err := f.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return heard{answer.StatusCode, answer.Header, string(all)}
}

func (f *front) post(t testing.TB, key, body string, header ...string) heard {
	t.Helper()
	return f.send(t, "POST", "/webhooks/"+key, strings.NewReader(body), header...)
}

// raw sends bytes as they are and reads one answer. Then it closes its half if
// half is set, before it reads.
func (f *front) raw(t testing.TB, request string, half bool) (heard, net.Conn) {
	t.Helper()
	conn := f.dial(t)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if half {
		conn.(*net.TCPConn).CloseWrite()
	}
	return readReply(t, conn), conn
}

func (f *front) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(15 * time.Second))
	return conn
}

func readReply(t testing.TB, conn net.Conn) heard {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("read answer's body: %v", err)
	}
	return heard{answer.StatusCode, answer.Header, string(all)}
}

// closed reports whether the peer has closed the connection.
func closed(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

func request(key, body string, header ...string) string {
	return fmt.Sprintf("POST /webhooks/%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s",
		key, strings.Join(append(header, ""), "\r\n"), len(body), body)
}
