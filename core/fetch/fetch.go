// Package fetch makes the few GET requests that vendors' handshakes ask for:
// the certificates that they sign with, and the URLs that complete a
// subscription.
//
// Where it may go is decided by fixed hosts or by what an adapter declares,
// never by a request alone. Only public addresses are dialled, no redirect is
// followed, and every answer has a limit.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"bellcrank.example/core/destination/transport"
)

// Config holds what a Client needs. Its zero value trusts the system's
// authorities and dials public addresses.
type Config struct {
	// Dial makes connections. Tests lead names to a server of their own with
	// it.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Roots   *x509.CertPool // the system's if nil
	Timeout time.Duration  // of one exchange; 10 seconds if zero
}

// Client makes GET requests. It keeps no connections.
type Client struct{ http *http.Client }

// New returns a Client. It dials nothing.
func New(cfg Config) *Client {
	if cfg.Dial == nil {
		cfg.Dial = transport.NewDialer(nil).DialContext
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	return &Client{http: &http.Client{
		Timeout: cfg.Timeout,
		Transport: &http.Transport{
			DialContext:            cfg.Dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots},
			TLSHandshakeTimeout:    cfg.Timeout,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is what a server said.
type answer struct {
	status int
	body   []byte
	peers  []*x509.Certificate // that the server showed, its own first
}

// maxAnswer bounds a body. Certificates have a few kilobytes.
const maxAnswer = 64 << 10

// get makes one request. Its errors don't repeat the URL, which may carry a
// token.
func (c *Client) get(ctx context.Context, target string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return answer{}, errors.New("the URL can't be requested")
	}
	request.Header.Set("User-Agent", "bellcrank")
	response, err := c.http.Do(request)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode}
	if response.TLS != nil {
		a.peers = response.TLS.PeerCertificates
	}
	a.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if len(a.body) > maxAnswer {
		return answer{}, errors.New("the answer is too long")
	}
	return a, nil
}

// final reports whether asking again gives the same answer.
func final(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 300 && status < 500
}
