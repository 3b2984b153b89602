package webhook

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
	"bellcrank.example/core/destination/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSender returns a sender that may dial this machine.
func newSender(t *testing.T, s Settings) *Sender {
	t.Helper()
	sender, err := New(Config{Settings: encode(t, s), AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	return sender
}

func encode(t *testing.T, s Settings) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func message() core.Message {
	at := time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)
	return core.Message{
		ID: "msg_0dxerb0000000", Destination: "webhook/crm", Kind: core.Created, At: at, Now: time.Now(), Attempt: 1,
		IncidentURL: "https://bellcrank.example/incidents/INC-042",
		Incident: &core.Incident{
			ID: 7, Number: 42, Integration: "datadog/prod", DedupKey: "abc", Title: "Disk <full> & \"hot\"",
			Severity: "High", Status: core.Investigating, Version: 1, Count: 3, OpenedAt: at,
			Labels: map[string]string{"team": "sre"}, Metadata: map[string]any{"big": json.Number("12345678901234567890")},
		},
	}
}

// send posts a message within a limit that fits a test.
func send(t *testing.T, s *Sender) core.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return s.Send(ctx, message())
}

func TestABodyIsWhatIsPublished(t *testing.T) {
	var got struct {
		header http.Header
		body   []byte
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got.header = r.Header.Clone()
		got.body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	s := newSender(t, Settings{URL: server.URL + "/hook", Headers: map[string]string{"x-env": "prod"}})
	if a := send(t, s); a.Status != 200 || !a.Address.Addr().IsLoopback() {
		t.Errorf("answer %+v, want 200 from this machine", a)
	}
	want := `{"type":"incident.created","timestamp":"2026-11-24T08:30:00Z","data":{"incident":{"id":"INC-042",` +
		`"uid":"000000000000e","title":"Disk \u003cfull\u003e \u0026 \"hot\"","description":"","severity":"High",` +
		`"status":"investigating","service":"","affected_services":[],"customer_impact":null,` +
		`"url":"https://bellcrank.example/incidents/INC-042","integration":"datadog/prod","dedup_key":"abc",` +
		`"version":1,"count":3,"opened_at":"2026-11-24T08:30:00Z","labels":{"team":"sre"},` +
		`"metadata":{"big":12345678901234567890}}}}`
	if !strings.HasPrefix(string(got.body), want[:60]) || !sameJSON(t, got.body, []byte(want)) {
		t.Errorf("body\n%s\nwant\n%s", got.body, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Env": "prod", "Webhook-Id": "msg_0dxerb0000000",
		"Webhook-Signature": "", "Accept-Encoding": "",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	return bytes.Equal(normal(t, a), normal(t, b))
}

func normal(t *testing.T, text []byte) []byte {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	normal, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return normal
}

// verify is the specification's check, written without the library that signs.
func verify(secret, id, timestamp, signature string, body []byte) bool {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for one := range strings.SplitSeq(signature, " ") {
		if hmac.Equal([]byte(one), []byte(want)) {
			return true
		}
	}
	return false
}

func TestABodySaysWhoMadeTheChange(t *testing.T) {
	body, err := render(core.Message{Kind: core.Updated, Author: "anna", Note: "on it", Incident: &core.Incident{}})
	if err != nil || !strings.Contains(string(body), `},"author":"anna","note":"on it"}}`) {
		t.Errorf("body %s, %v; want the author and the note beside the incident", body, err)
	}
}

func TestAPublishedVectorVerifies(t *testing.T) {
	const (
		secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		id     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
		want   = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	)
	body := []byte(`{"test": 2432232314}`)
	s, err := newSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Sign(id, time.Unix(1614265330, 0), body)
	if err != nil || got != want {
		t.Errorf("signature %q, %v; want %q", got, err, want)
	}
	if !verify(secret, id, "1614265330", want, body) {
		t.Error("the test's own verifier refuses the vector")
	}
}

func TestEverySecretSigns(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{
		"whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 24)),
		"whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 64)),
		"whsk_" + base64.StdEncoding.EncodeToString(private.Seed()),
	}
	var header http.Header
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	if a := send(t, newSender(t, Settings{URL: server.URL, SigningSecrets: secrets})); a.Status != 200 {
		t.Fatalf("answer %+v", a)
	}
	id, at, signature := header.Get("webhook-id"), header.Get("webhook-timestamp"), header.Get("webhook-signature")
	for _, secret := range secrets[:2] {
		if !verify(secret, id, at, signature, body) {
			t.Errorf("%q isn't signed with every secret", signature)
		}
	}
	_, v1a, _ := strings.Cut(signature, "v1a,")
	raw, err := base64.StdEncoding.DecodeString(v1a)
	if err != nil || !ed25519.Verify(public, append([]byte(id+"."+at+"."), body...), raw) {
		t.Errorf("%q doesn't verify with the public key (%v)", signature, err)
	}
	if seconds, err := strconv.ParseInt(at, 10, 64); err != nil || time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
		t.Errorf("timestamp %q isn't now", at)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	tests := map[string]Settings{
		"no url":              {},
		"relative url":        {URL: "/hook"},
		"other scheme":        {URL: "ftp://example.com"},
		"user in url":         {URL: "https://me:pw@example.com"},
		"short secret":        {URL: "https://example.com", SigningSecrets: []string{"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))}},
		"long secret":         {URL: "https://example.com", SigningSecrets: []string{"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))}},
		"empty secret":        {URL: "https://example.com", SigningSecrets: []string{"whsec_"}},
		"secret not base64":   {URL: "https://example.com", SigningSecrets: []string{"whsec_%%%"}},
		"secret without kind": {URL: "https://example.com", SigningSecrets: []string{"hunter2hunter2hunter2hunter2"}},
		"short signing key":   {URL: "https://example.com", SigningSecrets: []string{"whsk_AAAA"}},
		"line break in value": {URL: "https://example.com", Headers: map[string]string{"X-A": "b\r\nX-Evil: 1"}},
		"line break in name":  {URL: "https://example.com", Headers: map[string]string{"X-A\r\nX-Evil": "b"}},
		"header of our own":   {URL: "https://example.com", Headers: map[string]string{"webhook-ID": "b"}},
		"ca without PEM":      {URL: "https://example.com", Connection: transport.Connection{CA: "trust me"}},
	}
	for name, settings := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{Settings: encode(t, settings)})
			if err == nil {
				t.Fatal("taken, want an error")
			}
			for _, secret := range settings.SigningSecrets {
				if text := strings.TrimPrefix(secret, "whsec_"); text != "" && strings.Contains(err.Error(), text) {
					t.Errorf("error %q repeats the secret", err)
				}
			}
		})
	}
}

func TestStatusesArriveAsTheyAre(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "why")
	}))
	defer server.Close()
	for _, status := range []int{200, 201, 202, 204, 301, 302, 307, 308, 400, 401, 403, 404, 408, 410, 413, 425, 429, 500, 502, 503, 504} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			a := send(t, newSender(t, Settings{URL: server.URL + "/?status=" + strconv.Itoa(status)}))
			if a.Status != status || a.RetryAfter != "7" || a.Err != nil {
				t.Errorf("answer %+v, want %d and Retry-After 7", a, status)
			}
			if status != 204 && a.Snippet != "why" {
				t.Errorf("snippet %q, want %q", a.Snippet, "why")
			}
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere.Add(1)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	if a := send(t, newSender(t, Settings{URL: server.URL})); a.Status != 307 || elsewhere.Load() != 0 {
		t.Errorf("answer %+v and %d requests elsewhere, want 307 and none", a, elsewhere.Load())
	}
}

// raw serves each connection with fn, after it has read a request's beginning.
func raw(t *testing.T, fn func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			fn(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return "http://" + listener.Addr().String()
}

func TestHostileAnswersCostLittle(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	tests := map[string]struct {
		serve  func(net.Conn)
		status int
	}{
		"closed before headers": {serve: func(net.Conn) {}},
		"not HTTP":              {serve: func(c net.Conn) { _, _ = io.WriteString(c, "hello\r\n\r\n") }},
		"header drips": {serve: func(c net.Conn) {
			drip(c, head)
		}},
		"header of 10 MB": {serve: func(c net.Conn) {
			_, _ = io.WriteString(c, head+"X-Big: "+strings.Repeat("a", 10<<20)+"\r\n\r\n")
		}},
		"body drips": {status: 200, serve: func(c net.Conn) {
			_, _ = io.WriteString(c, head+"Content-Length: 1000\r\n\r\n")
			drip(c, strings.Repeat("a", 1000))
		}},
		"body cut short": {status: 200, serve: func(c net.Conn) {
			_, _ = io.WriteString(c, head+"Content-Length: 1000\r\n\r\nabc")
		}},
		"body of 1 GiB": {status: 200, serve: func(c net.Conn) {
			_, _ = io.WriteString(c, head+"Content-Length: 1073741824\r\n\r\n")
			chunk := make([]byte, 1<<20)
			for range 1024 {
				if _, err := c.Write(chunk); err != nil {
					return
				}
			}
		}},
		"body said to be gzip": {status: 200, serve: func(c net.Conn) {
			_, _ = io.WriteString(c, head+"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
		}},
		"a flood of 1xx": {serve: func(c net.Conn) {
			for range 100_000 {
				if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
					return
				}
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			a := send(t, newSender(t, Settings{URL: raw(t, tt.serve)}))
			if a.Status != tt.status || (a.Err == nil) != (tt.status != 0) {
				t.Errorf("answer %d, %v; want %d", a.Status, a.Err, tt.status)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v, want about the deadline", took)
			}
			if len(a.Snippet) > 4<<10 {
				t.Errorf("%d bytes kept, want at most %d", len(a.Snippet), 4<<10)
			}
		})
	}
}

// drip writes ten bytes a second until the other side is gone.
func drip(c net.Conn, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	port := server.Listener.Addr().(*net.TCPAddr).Port
	at := func(host string) string { return "http://" + net.JoinHostPort(host, strconv.Itoa(port)) }
	tests := map[string]struct {
		url     string
		allowed []netip.Prefix
		status  int
	}{
		"loopback":                   {url: at("127.0.0.1")},
		"by name":                    {url: at("localhost")},
		"IPv4 in IPv6":               {url: at("::ffff:127.0.0.1")},
		"loopback of IPv6":           {url: at("::1")},
		"unspecified":                {url: at("0.0.0.0")},
		"private":                    {url: at("10.1.2.3")},
		"metadata service":           {url: at("169.254.169.254")},
		"unique local":               {url: at("fd00::1")},
		"IPv4 behind NAT64":          {url: at("64:ff9b::7f00:1")},
		"IPv4 in 6to4":               {url: at("2002:7f00:1::1")},
		"allowed":                    {url: at("127.0.0.1"), allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, status: 200},
		"allowed, mapped":            {url: at("::ffff:127.0.0.1"), allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, status: 200},
		"another network is allowed": {url: at("127.0.0.1"), allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests.Store(0)
			s, err := New(Config{Settings: encode(t, Settings{URL: tt.url}), AllowedCIDRs: tt.allowed})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			a := send(t, s)
			if a.Status != tt.status || int(requests.Load()) != tt.status/200 {
				t.Errorf("answer %d, %v and %d requests; want %d", a.Status, a.Err, requests.Load(), tt.status)
			}
		})
	}
}

func TestTLSIsVerified(t *testing.T) {
	tests := map[string]struct {
		expires time.Duration
		version uint16 // the newest that the server speaks
		trusted bool
		status  int
	}{
		"trusted":     {expires: time.Hour, version: tls.VersionTLS13, trusted: true, status: 200},
		"self-signed": {expires: time.Hour, version: tls.VersionTLS13},
		"expired":     {expires: -time.Hour, version: tls.VersionTLS13, trusted: true},
		"TLS 1.1":     {expires: time.Hour, version: tls.VersionTLS11, trusted: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pair := destinationtest.NewPair(t, time.Now().Add(tt.expires))
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{pair.TLS}, MinVersion: tls.VersionTLS10, MaxVersion: tt.version}
			server.StartTLS()
			defer server.Close()
			settings := Settings{URL: server.URL}
			if tt.trusted {
				settings.CA = pair.Certificate
			}
			a := send(t, newSender(t, settings))
			if a.Status != tt.status {
				t.Errorf("answer %d, %v; want %d", a.Status, a.Err, tt.status)
			}
		})
	}
}

func TestErrorsDoNotRepeatTheURL(t *testing.T) {
	s := newSender(t, Settings{URL: "http://127.0.0.1:1/hook/s3cr3t?token=t0k3n"})
	a := send(t, s)
	if a.Err == nil || strings.Contains(a.Err.Error(), "s3cr3t") || strings.Contains(a.Err.Error(), "t0k3n") {
		t.Errorf("error %v, want one without the URL", a.Err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s := newSender(t, Settings{URL: server.URL})
	for range 20 {
		send(t, s)
	}
	if got := conns.Load(); got != 1 {
		t.Errorf("%d connections for 20 messages, want 1", got)
	}
}
