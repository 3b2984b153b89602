// Package transport makes one HTTP exchange with a stranger: what every
// destination type that speaks HTTP shares.
//
// Only addresses that are public or allowed are dialled, no redirect is
// followed, nothing is tried twice, and no answer costs more than 16 KiB. What
// is sent and what an answer means is the types' own business.
package transport

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

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
)

// Config holds what a Client needs. Its zero value is a client that trusts the
// system's authorities and dials public addresses.
type Config struct {
	AllowedCIDRs []netip.Prefix // networks that aren't public and may be dialled all the same
	Connection   Connection
	Login        Login
	// Patience is how long the rest of an answer is waited for once its status
	// is known; 200 ms if zero. A type whose answers say in the body how it
	// went waits longer than one for which it only informs people.
	Patience time.Duration
}

// Client exchanges requests for answers. It keeps connections.
type Client struct {
	http          *http.Client
	authorization string  // of every request, unless it is empty
	tokens        *tokens // nil without OAuth 2
	patience      time.Duration
	route         core.Route
}

// New checks the configuration. It dials nothing. An error begins with the name
// of the setting that is wrong, and repeats no secret.
func New(cfg Config) (*Client, error) {
	if err := cfg.Login.check(); err != nil {
		return nil, err
	}
	transport, err := cfg.Connection.transport(newGuard(cfg.AllowedCIDRs))
	if err != nil {
		return nil, err
	}
	return &Client{
		http:          &http.Client{Transport: transport, CheckRedirect: stay},
		route:         cfg.Connection.route(),
		authorization: cfg.Login.fixed(),
		tokens:        newTokens(cfg.Login, transport),
		patience:      cmp.Or(cfg.Patience, 200*time.Millisecond),
	}, nil
}

// stay follows no redirect.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// NewDialer returns a dialer that refuses addresses which are neither public
// nor allowed.
func NewDialer(allowed []netip.Prefix) *net.Dialer {
	return newGuard(allowed).dialer()
}

// Reply is an answer with as much of its body as was read: 16 KiB at most.
type Reply struct {
	core.Answer
	Body []byte
}

// NewPost returns a request that posts the body. Its errors don't repeat the
// URL.
func NewPost(ctx context.Context, url string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", withoutURL(err))
	}
	return request, nil
}

// Post posts the value as JSON, with further headers if there are any.
func (c *Client) Post(ctx context.Context, url string, header http.Header, value any) Reply {
	return c.Send(ctx, http.MethodPost, url, header, value)
}

// Send is Post with another method.
func (c *Client) Send(ctx context.Context, method, url string, header http.Header, value any) Reply {
	body, err := json.Marshal(value)
	if err != nil {
		return Reply{Answer: core.Answer{Err: fmt.Errorf("encode body: %w", err)}}
	}
	request, err := NewPost(ctx, url, body)
	if err != nil {
		return Reply{Answer: core.Answer{Err: err}}
	}
	request.Method = method
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "bellcrank")
	return c.Do(request)
}

// Do sends the request once, or twice if an access token was refused that had
// been good before. Errors don't repeat its URL, which may carry a secret.
func (c *Client) Do(request *http.Request) Reply {
	token, kept, err := c.authorize(request, nil)
	if err != nil {
		return Reply{Answer: core.Answer{Sent: sent(request), Err: err}}
	}
	reply := c.once(request)
	if !kept || reply.Status != http.StatusUnauthorized {
		return reply
	}
	again := request.Clone(request.Context())
	if request.GetBody != nil {
		again.Body, _ = request.GetBody() // of what is in memory: it can't fail
	}
	if _, _, err := c.authorize(again, token); err != nil {
		reply.Err = err
		return reply
	}
	return c.once(again)
}

// authorize returns the access token that it used, if it is by one, and whether
// that was an old one.
func (c *Client) authorize(request *http.Request, refused *oauth2.Token) (token *oauth2.Token, kept bool, err error) {
	if c.authorization != "" {
		request.Header.Set("Authorization", c.authorization)
	}
	if c.tokens == nil {
		return nil, false, nil
	}
	if token, kept, err = c.tokens.get(request.Context(), refused); err == nil {
		token.SetAuthHeader(request)
	}
	return token, kept, err
}

func sent(request *http.Request) core.Sent {
	return core.Sent{Method: request.Method, URL: request.URL.Scheme + "://" + request.URL.Host, Header: shown(request.Header)}
}

func (c *Client) once(request *http.Request) Reply {
	var reply Reply
	reply.Sent = sent(request)
	if r := core.RehearsalOf(request.Context()); r != nil {
		if r.Request == nil {
			r.Request, r.Route = request, c.route
		}
		reply.Err = core.ErrRehearsed
		return reply
	}
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { reply.Address = Peer(info.Conn) },
	}))
	response, err := c.http.Do(request)
	if err != nil {
		reply.Err = withoutURL(err)
		return reply
	}
	defer response.Body.Close()
	reply.Status, reply.RetryAfter = response.StatusCode, response.Header.Get("Retry-After")
	reply.Header = shown(response.Header)
	reply.Body = c.read(response.Body)
	reply.Snippet = snippet(reply.Body)
	return reply
}

// snippet returns the beginning of a body as text, whatever it is.
func snippet(body []byte) string {
	text := strings.ToValidUTF8(string(body[:min(len(body), maxSnippet)]), "\uFFFD")
	return strings.ToValidUTF8(text[:min(len(text), maxSnippet)], "") // what replaces a byte is longer
}

// read returns the beginning of the body. A body that drips isn't waited for;
// one that is read to its end lets the connection be used again.
func (c *Client) read(body io.ReadCloser) []byte {
	impatient := time.AfterFunc(c.patience, func() { body.Close() })
	defer impatient.Stop()
	read, _ := io.ReadAll(io.LimitReader(body, maxAnswer)) // what has come so far is all that is wanted
	return read
}

// Peer returns the address of the other side, zero if it isn't known.
func Peer(c net.Conn) netip.AddrPort {
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

// CheckURL reports what keeps a URL from being posted to. It doesn't repeat
// the URL: it may carry a secret.
func CheckURL(raw string) error {
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

// Close closes the connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }
