package fetch

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/core/keyring/snstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is moved by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// run makes a store of certificates that fetches from sns.
func run(t *testing.T, sns *snstest.SNS, change func(*CertificatesConfig)) (*Certificates, *clock) {
	t.Helper()
	clock := &clock{now: time.Now()}
	cfg := CertificatesConfig{Client: New(Config{Dial: sns.Dial, Roots: sns.Roots}), Roots: sns.Roots, Now: clock.Now}
	if change != nil {
		change(&cfg)
	}
	c := NewCertificates(cfg)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return c, clock
}

// settled asks until there is an answer.
func settled(t *testing.T, c *Certificates, url string) (*x509.Certificate, error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		cert, err := c.Certificate(url)
		if !errors.Is(err, keyring.ErrNoCertificateYet) || err.Error() != keyring.ErrNoCertificateYet.Error() {
			return cert, err
		}
	}
	t.Fatal("nothing is known after 20 s")
	return nil, nil
}

func TestCertificateIsFetchedOnceForAll(t *testing.T) {
	sns := snstest.New(t)
	c, _ := run(t, sns, nil)
	if _, err := c.Certificate(sns.CertURL); !errors.Is(err, keyring.ErrNoCertificateYet) {
		t.Fatalf("the first question: %v, want that it isn't there yet", err)
	}
	var askers sync.WaitGroup
	for range 50 {
		askers.Go(func() {
			if cert, err := settled(t, c, sns.CertURL); err != nil || !cert.Equal(sns.Certificate()) {
				t.Errorf("certificate: %v", err)
			}
		})
	}
	askers.Wait()
	if asked := sns.Asked(); len(asked) != 1 {
		t.Errorf("the host was asked %d times, want once: %v", len(asked), asked)
	}
}

func TestCertificatesThatWillNotDo(t *testing.T) {
	sns := snstest.New(t)
	now := time.Now()
	template := func(name string, until time.Time) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: until}
	}
	sns.ShowPage("/junk.pem", []byte("<html>"))
	sns.ShowPage("/long.pem", []byte(strings.Repeat("x", maxAnswer+1)))
	tests := map[string]struct {
		url    string
		reason string
	}{
		"of nobody that is trusted": {sns.Show(t, "/self.pem", true, template("sns.amazonaws.com", now.Add(time.Hour))), "isn't from an authority"},
		"of somebody else":          {sns.Show(t, "/else.pem", false, template("s3.amazonaws.com", now.Add(time.Hour))), "isn't Amazon SNS's"},
		"of a name that ends alike": {sns.Show(t, "/alike.pem", false, template("notsns.amazonaws.com", now.Add(time.Hour))), "isn't Amazon SNS's"},
		"expired":                   {sns.Show(t, "/old.pem", false, template("sns.amazonaws.com", now.Add(-time.Minute))), "has expired"},
		"no certificate":            {"https://" + snstest.Host + "/junk.pem", "can't be read"},
		"not there":                 {"https://" + snstest.Host + "/none.pem", "isn't there"},
	}
	c, _ := run(t, sns, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := settled(t, c, tt.url)
			e, ok := errors.AsType[*core.Error](err)
			if !ok || e.Code != core.SignatureInvalid || !strings.Contains(e.Message, tt.reason) {
				t.Errorf("certificate: %v, want a refusal that says %q", err, tt.reason)
			}
		})
	}
	if _, err := settled(t, c, "https://"+snstest.Host+"/long.pem"); !errors.Is(err, keyring.ErrNoCertificateYet) {
		t.Errorf("an answer without end: %v, want that it isn't there yet", err)
	}
}

// Amazon's certificate comes alone, and its issuer needn't be that of the host.
func TestIssuerIsFetchedFromAmazonsAuthorityOnly(t *testing.T) {
	for at, trusted := range map[string]bool{"http://crt.r2m01.amazontrust.com/r2m01.cer": true, "http://evil.example/r2m01.cer": false} {
		sns := snstest.New(t)
		url, issuer := sns.ShowOfAnother(t, "/alone.pem", at)
		authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(issuer) }))
		t.Cleanup(authority.Close)
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasSuffix(address, ":80") {
				return (&net.Dialer{}).DialContext(ctx, network, authority.Listener.Addr().String())
			}
			return sns.Dial(ctx, network, address)
		}
		c, _ := run(t, sns, func(cfg *CertificatesConfig) { cfg.Client = New(Config{Dial: dial, Roots: sns.Roots}) })
		cert, err := settled(t, c, url)
		if _, refused := errors.AsType[*core.Error](err); (cert != nil) != trusted || refused == trusted {
			t.Errorf("issuer at %s: %v; want trusted %v", at, err, trusted)
		}
	}
}

func TestNamesOfSigners(t *testing.T) {
	for name, want := range map[string]bool{
		"sns.amazonaws.com": true, "sns.eu-west-1.amazonaws.com": true, "sns-cn-north-1.amazonaws.com.cn": true,
		"sns-us-gov-west-1.amazonaws.com": true, "sns-signing.eu-south-1.amazonaws.com": true,
		"s3.amazonaws.com": false, "snsx.amazonaws.com": false, "sns.amazonaws.com.evil.org": false, "amazonaws.com": false,
	} {
		if got := signer.MatchString(name); got != want {
			t.Errorf("signer %q: %v, want %v", name, got, want)
		}
	}
}

func TestHostThatIsDownIsAskedAgainLater(t *testing.T) {
	sns := snstest.New(t)
	sns.Answer(http.StatusServiceUnavailable)
	c, clock := run(t, sns, nil)
	_, err := settled(t, c, sns.CertURL)
	if !errors.Is(err, keyring.ErrNoCertificateYet) || !strings.Contains(err.Error(), "503") {
		t.Fatalf("certificate: %v, want that it isn't there yet, and why", err)
	}
	for range 100 { // within the second that a failure is remembered
		if _, err := c.Certificate(sns.CertURL); !errors.Is(err, keyring.ErrNoCertificateYet) {
			t.Fatal(err)
		}
	}
	if asked := sns.Asked(); len(asked) != 1 {
		t.Errorf("the host was asked %d times, want once", len(asked))
	}
	sns.Answer(0)
	clock.pass(2 * time.Second)
	eventually(t, func() bool { cert, _ := c.Certificate(sns.CertURL); return cert != nil })
	sns.Answer(http.StatusBadGateway)
	clock.pass(25 * time.Hour)
	for range 100 {
		if cert, err := c.Certificate(sns.CertURL); cert == nil {
			t.Fatalf("a certificate that was good is given up because its host is down: %v", err)
		}
	}
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("not within 20 s")
}

// Whoever has a routing key could name any number of certificates.
func TestCertificatesAreBounded(t *testing.T) {
	sns := snstest.New(t)
	c, _ := run(t, sns, func(cfg *CertificatesConfig) { cfg.Max = 4 })
	for i := range 100 {
		if _, err := settled(t, c, fmt.Sprintf("https://%s/%d.pem", snstest.Host, i)); err == nil {
			t.Fatal("a certificate that isn't there was found")
		}
	}
	c.mu.Lock()
	remembered := len(c.byURL)
	c.mu.Unlock()
	if remembered > 4 || c.recent.Len() != remembered {
		t.Errorf("%d certificates are remembered, %d in order; want 4 at most", remembered, c.recent.Len())
	}
	if cert, err := settled(t, c, sns.CertURL); err != nil || cert == nil {
		t.Errorf("a real one finds no place: %v", err)
	}
}

func TestConfirm(t *testing.T) {
	hosts := []string{"sns.*.amazonaws.com", "sns.*.amazonaws.com.cn"}
	good := "https://" + snstest.Host + "/?Action=ConfirmSubscription&Token=t"
	tests := map[string]struct {
		url    string
		status int
		want   string // part of the error, "" for none
		final  bool
	}{
		"confirmed":         {url: good},
		"token is too old":  {url: good, status: 400, want: "400 Bad Request", final: true},
		"a redirect":        {url: good, status: 302, want: "302 Found", final: true},
		"a broken host":     {url: good, status: 503, want: "503"},
		"too many requests": {url: good, status: 429, want: "429"},
		"plain http":        {url: strings.Replace(good, "https", "http", 1), want: "isn't of a host", final: true},
		"another host":      {url: "https://evil.example/?Action=ConfirmSubscription", want: "isn't of a host", final: true},
		"a longer host":     {url: "https://sns.eu-west-1.amazonaws.com.evil.example/", want: "isn't of a host", final: true},
		"a deeper host":     {url: "https://sns.a.b.amazonaws.com/", want: "isn't of a host", final: true},
		"a port":            {url: "https://sns.eu-west-1.amazonaws.com:8443/", want: "isn't of a host", final: true},
		"a user":            {url: "https://sns.eu-west-1.amazonaws.com@evil.example/", want: "isn't of a host", final: true},
		"no URL":            {url: "://", want: "isn't of a host", final: true},
	}
	sns := snstest.New(t)
	c := New(Config{Dial: sns.Dial, Roots: sns.Roots})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sns.Answer(tt.status)
			before := len(sns.Asked())
			err := c.Confirm(t.Context(), hosts, tt.url)
			_, final := errors.AsType[*core.Error](err)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || final != tt.final {
				t.Errorf("Confirm = %v, final %v; want %q, final %v", err, final, tt.want, tt.final)
			}
			if asked := len(sns.Asked()) - before; asked > 1 {
				t.Errorf("the host was asked %d times, want once at most", asked)
			}
			if err != nil && strings.Contains(err.Error(), "Token=t") {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

// The default dialler goes to no address that isn't public, whatever a name
// says, and the system's authorities don't know ours.
func TestOnlyPublicHostsOfTrustedNamesAreAsked(t *testing.T) {
	sns := snstest.New(t)
	server, err := sns.Dial(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	at := server.RemoteAddr().(*net.TCPAddr)
	server.Close()
	if _, err := New(Config{}).get(t.Context(), "https://"+at.String()+"/"); err == nil || !strings.Contains(err.Error(), "prohibited") {
		t.Errorf("loopback: %v, want that it is prohibited", err)
	}
	if _, err := New(Config{Dial: sns.Dial}).get(t.Context(), sns.CertURL); err == nil {
		t.Error("a host of an unknown authority was believed")
	}
	if asked := sns.Asked(); len(asked) > 0 {
		t.Errorf("asked for %v", asked)
	}
}
