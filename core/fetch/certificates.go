package fetch

import (
	"container/list"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
)

// CertificatesConfig holds what Certificates need. Client is required.
type CertificatesConfig struct {
	Client  *Client
	Roots   *x509.CertPool // that chains must lead to; the system's if nil
	Max     int            // certificates that are remembered; 64 if zero
	Fetches int            // at a time; 4 if zero
	Now     func() time.Time
	Logger  *slog.Logger // slog.Default if nil
}

// How long is remembered what became of a URL.
const (
	keepGood    = 24 * time.Hour
	keepRefused = 5 * time.Minute
	firstWait   = time.Second // after a failure, doubled each time
	longestWait = time.Minute
)

// Certificates remembers the certificates that vendors sign with, and fetches
// those that it is asked for. Each is fetched once at a time, however many ask.
type Certificates struct {
	cfg  CertificatesConfig
	todo chan *known

	mu     sync.Mutex
	byURL  map[string]*list.Element // of known
	recent *list.List               // the one asked for last is first
}

var _ keyring.Certificates = (*Certificates)(nil)

// known is what is known of one URL. Its fields are guarded by the mutex of
// Certificates.
type known struct {
	url      string
	cert     *x509.Certificate
	err      error // of the last fetch
	failures int
	again    time.Time // when it is to be fetched, zero while it is being fetched
}

// NewCertificates returns an empty store. Its Run fetches.
func NewCertificates(cfg CertificatesConfig) *Certificates {
	if cfg.Max == 0 {
		cfg.Max = 64
	}
	if cfg.Fetches == 0 {
		cfg.Fetches = 4
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Certificates{
		cfg: cfg, todo: make(chan *known, cfg.Max), byURL: map[string]*list.Element{}, recent: list.New(),
	}
}

// Certificate returns what is known of the certificate at a URL, as
// keyring.Certificates says.
func (c *Certificates) Certificate(url string) (*x509.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.find(url)
	if !ok {
		return nil, fmt.Errorf("%w: too many are being fetched", keyring.ErrNoCertificateYet)
	}
	now := c.cfg.Now()
	if !k.again.IsZero() && !now.Before(k.again) {
		select {
		case c.todo <- k:
			k.again = time.Time{}
		default: // the next one who asks tries again
		}
	}
	refusal, refused := errors.AsType[*core.Error](k.err)
	switch {
	case k.cert != nil:
		return k.cert, nil
	case refused:
		return nil, refusal
	case k.err != nil:
		return nil, fmt.Errorf("%w: %w", keyring.ErrNoCertificateYet, k.err)
	}
	return nil, keyring.ErrNoCertificateYet
}

// find returns what is known of a URL. For a new one it makes room by
// forgetting who wasn't asked for longest, unless that is just being fetched.
func (c *Certificates) find(url string) (*known, bool) {
	if e, ok := c.byURL[url]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*known), true
	}
	if c.recent.Len() >= c.cfg.Max {
		last := c.recent.Back()
		if last.Value.(*known).again.IsZero() {
			return nil, false
		}
		delete(c.byURL, c.recent.Remove(last).(*known).url)
	}
	k := &known{url: url, again: c.cfg.Now()}
	c.byURL[url] = c.recent.PushFront(k)
	return k, true
}

// Run fetches until ctx ends.
func (c *Certificates) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range c.cfg.Fetches {
		workers.Go(func() {
			for {
				select {
				case k := <-c.todo:
					c.fetch(ctx, k)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return nil
}

// fetch asks for one certificate and notes what became of it. A certificate
// that was good stays in use while its host can't be reached.
func (c *Certificates) fetch(ctx context.Context, k *known) {
	cert, err := c.ask(ctx, k.url)
	_, refused := errors.AsType[*core.Error](err)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	k.err = err
	switch {
	case err == nil:
		k.cert, k.failures, k.again = cert, 0, now.Add(keepGood)
	case refused:
		k.cert, k.failures, k.again = nil, 0, now.Add(keepRefused)
	default:
		k.again = now.Add(min(firstWait<<min(k.failures, 10), longestWait))
		k.failures++
	}
	if err != nil && ctx.Err() == nil {
		c.cfg.Logger.Warn("fetch a signing certificate", "url", k.url, "err", err)
	}
}

// ask fetches a certificate and checks it. What no retry cures is a
// *core.Error.
func (c *Certificates) ask(ctx context.Context, url string) (*x509.Certificate, error) {
	a, err := c.cfg.Client.get(ctx, url)
	switch {
	case err != nil:
		return nil, err
	case a.status != http.StatusOK && final(a.status):
		return nil, untrusted("The signing certificate isn't there")
	case a.status != http.StatusOK:
		return nil, fmt.Errorf("its host answered %d %s", a.status, http.StatusText(a.status))
	}
	return c.check(ctx, a)
}

func untrusted(message string) error {
	return &core.Error{Code: core.SignatureInvalid, Message: message}
}
