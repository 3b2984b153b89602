// Package webhook sends incident changes as signed JSON over HTTP, as the
// Standard Webhooks specification has it.
//
// Its receivers are strangers: only addresses that are public or allowed are
// dialled, no redirect is followed, and no answer costs more than 16 KiB.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"bellcrank.example/core"
)

const (
	connectTimeout = 5 * time.Second
	headerTimeout  = 10 * time.Second
	idleTimeout    = 75 * time.Second
	idleConns      = 8 // as many as there are attempts at a time
	maxAnswer      = 16 << 10
	maxHeader      = 64 << 10
	maxSnippet     = 4 << 10
	drainTime      = 200 * time.Millisecond // for the rest of an answer whose status is known
)

// Settings are what an operator writes in a webhook destination's settings.
type Settings struct {
	URL            string            `json:"url" required:"true" secret:"true" doc:"Where changes are posted: an absolute http or https URL."`
	SigningSecrets []string          `json:"signing_secrets" secret:"true" doc:"Standard Webhooks secrets (whsec_, or whsk_ for ed25519); each signs, so that they can be rotated."`
	Headers        map[string]string `json:"headers" secret:"true" doc:"Further request headers, such as Authorization."`
	CA             string            `json:"ca" doc:"PEM certificates of the authorities to trust instead of the system's."`
}

// Config holds what a Sender needs.
type Config struct {
	Settings     json.RawMessage // an object as Settings
	AllowedCIDRs []netip.Prefix  // networks that aren't public and may be dialled all the same
}

// Sender posts to one URL.
type Sender struct {
	url     string
	header  http.Header
	signers []signer
	client  *http.Client
}

// New checks the settings and returns a Sender.
func New(cfg Config) (*Sender, error) {
	var settings Settings
	if err := json.Unmarshal(cfg.Settings, &settings); err != nil {
		return nil, fmt.Errorf("webhook settings: %w", err)
	}
	if err := checkURL(settings.URL); err != nil {
		return nil, err
	}
	header, err := newHeader(settings.Headers)
	if err != nil {
		return nil, err
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if settings.CA != "" {
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM([]byte(settings.CA)) {
			return nil, errors.New("ca holds no PEM certificate")
		}
	}
	s := &Sender{url: settings.URL, header: header, client: newClient(newGuard(cfg.AllowedCIDRs), secure)}
	for _, secret := range settings.SigningSecrets {
		signer, err := newSigner(secret)
		if err != nil {
			return nil, fmt.Errorf("signing_secrets: %w", err)
		}
		s.signers = append(s.signers, signer)
	}
	return s, nil
}

// checkURL doesn't repeat the URL in its errors: it may carry a secret.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("url can't be parsed")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("url must be an absolute http or https URL")
	case u.User != nil:
		return errors.New("url must not contain a user; set an Authorization header instead")
	}
	return nil
}

// ownHeaders are written by the sender itself.
func ownHeaders() []string {
	return []string{
		"Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Host", "Accept-Encoding",
		"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature",
	}
}

func newHeader(extra map[string]string) (http.Header, error) {
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"bellcrank"}}
	for name, value := range extra {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return nil, fmt.Errorf("headers: %q is not a header name", name)
		case !httpguts.ValidHeaderFieldValue(value):
			return nil, fmt.Errorf("headers: the value of %s has characters that a header can't carry", name)
		case slices.Contains(ownHeaders(), canonical):
			return nil, fmt.Errorf("headers: %s can't be set", name)
		}
		header.Set(canonical, value)
	}
	return header, nil
}

func newClient(guard *guard, secure *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, Control: guard.control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        secure,
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    idleConns,
			IdleConnTimeout:        idleTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Send posts the message once.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	var answer core.Answer
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { answer.Address = address(info.Conn) },
	})
	request, err := s.request(ctx, m)
	if err != nil {
		answer.Err = err
		return answer
	}
	response, err := s.client.Do(request)
	if err != nil {
		answer.Err = withoutURL(err)
		return answer
	}
	defer response.Body.Close()
	answer.Status, answer.RetryAfter = response.StatusCode, response.Header.Get("Retry-After")
	answer.Snippet = readAnswer(response.Body)
	return answer
}

func (s *Sender) request(ctx context.Context, m core.Message) (*http.Request, error) {
	body, err := render(m)
	if err != nil {
		return nil, fmt.Errorf("render body: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", withoutURL(err))
	}
	request.Header = s.header.Clone()
	// Receivers refuse old timestamps, so it is the attempt's time; the id
	// stays.
	request.Header.Set("webhook-id", m.ID)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(m.Now.Unix(), 10))
	if len(s.signers) > 0 {
		value, err := signatures(s.signers, m.ID, m.Now, body)
		if err != nil {
			return nil, err
		}
		request.Header.Set("webhook-signature", value)
	}
	return request, nil
}

// address returns the peer's, zero if it isn't known.
func address(c net.Conn) netip.AddrPort {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		at := tcp.AddrPort()
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	return netip.AddrPort{}
}

// withoutURL takes the URL, which may carry a secret, out of an error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// readAnswer returns the beginning of the body, for people. The status has
// already decided, so a body that drips isn't waited for; one that is read to
// its end lets the connection be used again.
func readAnswer(body io.ReadCloser) string {
	impatient := time.AfterFunc(drainTime, func() { body.Close() })
	defer impatient.Stop()
	read, _ := io.ReadAll(io.LimitReader(body, maxAnswer)) // what has come so far is all that is wanted
	return strings.ToValidUTF8(string(read[:min(len(read), maxSnippet)]), "\uFFFD")
}

// Close closes the connections that are kept.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
