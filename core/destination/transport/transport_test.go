package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func here() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func newClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// post posts within a limit that only a failure reaches.
func post(t *testing.T, c *Client, url string) Reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.Post(ctx, url, nil, map[string]string{"a": "b"})
}

// secure starts a server with TLS that answers 200 with what it was posted.
func secure(t *testing.T, pair destinationtest.Pair, clients *x509.CertPool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair.TLS}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// proxy is an HTTP proxy that leads every name to one address, and remembers
// what it was asked.
type proxy struct {
	*httptest.Server
	to string

	mu    sync.Mutex
	asked []string // method, host and Proxy-Authorization
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	p := &proxy{to: to}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, strings.TrimSpace(r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization")))
	p.mu.Unlock()
	if p.to == "" {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		_, _ = io.WriteString(w, "in clear")
		return
	}
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(there, buffered); there.Close() })
	both.Go(func() { _, _ = io.Copy(conn, there); conn.Close() })
	both.Wait()
}

func TestAProxyIsAskedForEverything(t *testing.T) {
	pair := destinationtest.NewPair(t, time.Now().Add(time.Hour), "hooks.test")
	server := secure(t, pair, nil)
	tests := map[string]struct {
		url, user, answer, asked string
	}{
		"https, by CONNECT": {url: "https://hooks.test/x", answer: `{"a":"b"}`, asked: "CONNECT hooks.test:443"},
		"http, in clear":    {url: "http://hooks.test/x", answer: "in clear", asked: "POST hooks.test"},
		"with a user": {
			url: "https://hooks.test/x", user: "me:s3cr3t@", answer: `{"a":"b"}`,
			asked: "CONNECT hooks.test:443 Basic bWU6czNjcjN0",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, server.Listener.Addr().String())
			c := newClient(t, Config{AllowedCIDRs: here(), Connection: Connection{
				CA: pair.Certificate, ProxyURL: "http://" + tt.user + p.Listener.Addr().String(),
			}})
			reply := post(t, c, tt.url)
			if reply.Status != 200 || string(reply.Body) != tt.answer {
				t.Errorf("answer %d %q, %v; want 200 %q", reply.Status, reply.Body, reply.Err, tt.answer)
			}
			if reply.Address.String() != p.Listener.Addr().String() {
				t.Errorf("dialled %v, want the proxy", reply.Address)
			}
			if asked := p.requests(); len(asked) != 1 || asked[0] != tt.asked {
				t.Errorf("the proxy was asked %q, want %q", asked, tt.asked)
			}
			c.Close()
		})
	}
}

func TestAProxyThatRefusesIsAnErrorWithoutItsPassword(t *testing.T) {
	p := newProxy(t, "")
	c := newClient(t, Config{AllowedCIDRs: here(), Connection: Connection{
		ProxyURL: "http://me:s3cr3t@" + p.Listener.Addr().String(),
	}})
	if reply := post(t, c, "https://hooks.test/x"); reply.Err == nil || strings.Contains(reply.Err.Error(), "s3cr3t") {
		t.Errorf("answer %+v, want an error without the password", reply.Answer)
	}
}

func TestAProxyIsNoWayAroundTheGuard(t *testing.T) {
	for name, url := range map[string]string{
		"private": "https://10.0.0.1/x", "metadata": "http://169.254.169.254/latest", "mapped": "https://[::ffff:10.0.0.1]/x",
		"link-local": "https://[fe80::1]/x", "decimal": "https://2852039166/x", "octal": "https://0251.0376.0251.0376/x",
		"hexadecimal": "https://0xa9fea9fe/x", "in part": "https://10.1/x", "with a dot": "https://10.0.0.1./x",
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, "127.0.0.1:1")
			c := newClient(t, Config{AllowedCIDRs: here(), Connection: Connection{ProxyURL: p.URL}})
			if reply := post(t, c, url); reply.Err == nil || len(p.requests()) != 0 {
				t.Errorf("answer %+v, and the proxy was asked %q; want a refusal before", reply.Answer, p.requests())
			}
		})
	}
	t.Run("this machine", func(t *testing.T) {
		g := newGuard(nil)
		for _, host := range []string{"localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "::1"} {
			if g.name(host) == nil {
				t.Errorf("%s may be asked for", host)
			}
		}
		if err := g.name("hooks.example.com"); err != nil {
			t.Errorf("a name may not be asked for: %v", err)
		}
	})
	t.Run("the proxy itself", func(t *testing.T) {
		p := newProxy(t, "127.0.0.1:1")
		c := newClient(t, Config{Connection: Connection{ProxyURL: p.URL}})
		if reply := post(t, c, "https://hooks.test/x"); reply.Err == nil || len(p.requests()) != 0 {
			t.Errorf("answer %+v, want a proxy on a private address refused", reply.Answer)
		}
	})
}

func TestAClientCertificateIsShown(t *testing.T) {
	pair := destinationtest.NewPair(t, time.Now().Add(time.Hour))
	client := destinationtest.NewPair(t, time.Now().Add(time.Hour))
	known := x509.NewCertPool()
	known.AppendCertsFromPEM([]byte(client.Certificate))
	server := secure(t, pair, known)
	tests := map[string]struct {
		shown  destinationtest.Pair
		status int
	}{
		"the right one": {shown: client, status: 200},
		"a stranger's":  {shown: pair},
		"none":          {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Config{AllowedCIDRs: here(), Connection: Connection{
				CA: pair.Certificate, ClientCertificate: tt.shown.Certificate, ClientKey: tt.shown.Key,
			}})
			if reply := post(t, c, server.URL); reply.Status != tt.status || (reply.Err == nil) != (tt.status == 200) {
				t.Errorf("answer %d, %v; want %d", reply.Status, reply.Err, tt.status)
			}
		})
	}
}

func TestASilentDestinationIsLeftInTime(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts by the kernel, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	held := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	defer slow.Close()
	defer close(held)
	for name, tt := range map[string]struct {
		url        string
		connection Connection
	}{
		"in the handshake":  {"https://" + silent.Addr().String(), Connection{ConnectTimeout: "50ms", HeaderTimeout: "15s"}},
		"before its header": {slow.URL, Connection{ConnectTimeout: "15s", HeaderTimeout: "50ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			reply := post(t, newClient(t, Config{AllowedCIDRs: here(), Connection: tt.connection}), tt.url)
			if took := time.Since(start); reply.Err == nil || took > 14*time.Second {
				t.Errorf("%v after %v, want an error within 50 ms", reply.Err, took)
			}
		})
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	pair, other := destinationtest.NewPair(t, time.Now().Add(time.Hour)), destinationtest.NewPair(t, time.Now().Add(time.Hour))
	oauth := Login{OAuth2TokenURL: "https://id.test/token", OAuth2ClientID: "me", OAuth2ClientSecret: "s3cr3t"}
	without := func(change func(*Login)) Config {
		l := oauth
		change(&l)
		return Config{Login: l}
	}
	tests := map[string]Config{
		"ca":                          {Connection: Connection{CA: "s3cr3t"}},
		"client_certificate needs":    {Connection: Connection{ClientCertificate: pair.Certificate}},
		"client_key needs":            {Connection: Connection{ClientKey: pair.Key}},
		"client_certificate and":      {Connection: Connection{ClientCertificate: pair.Certificate, ClientKey: other.Key}},
		"proxy_url can't":             {Connection: Connection{ProxyURL: "http://s3cr3t\x00"}},
		"proxy_url must be":           {Connection: Connection{ProxyURL: "socks5://s3cr3t:1"}},
		"proxy_url must not":          {Connection: Connection{ProxyURL: "http://proxy/s3cr3t"}},
		"connect_timeout":             {Connection: Connection{ConnectTimeout: "soon"}},
		"header_timeout":              {Connection: Connection{HeaderTimeout: "16s"}},
		"bearer_token can't":          {Login: Login{BearerToken: "s3cr3t", Username: "me"}},
		"bearer_token has":            {Login: Login{BearerToken: "s3cr3t\r\n"}},
		"password":                    {Login: Login{Password: "s3cr3t"}},
		"username must":               {Login: Login{Username: "a:s3cr3t"}},
		"username can't":              without(func(l *Login) { l.Username = "me" }),
		"oauth2_token_url is":         without(func(l *Login) { l.OAuth2TokenURL = "" }),
		"oauth2_token_url must":       without(func(l *Login) { l.OAuth2TokenURL = "https://me:s3cr3t@id.test" }),
		"oauth2_client_id is missing": without(func(l *Login) { l.OAuth2ClientID = "" }),
		"oauth2_client_secret is":     without(func(l *Login) { l.OAuth2ClientSecret = "" }),
	}
	for want, cfg := range tests {
		t.Run(want, func(t *testing.T) {
			_, err := New(cfg)
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error %v, want one that begins with %q and repeats no secret", err, want)
			}
		})
	}
}
