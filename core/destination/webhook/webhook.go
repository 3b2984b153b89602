// Package webhook sends incident changes as signed JSON over HTTP, as the
// Standard Webhooks specification has it.
//
// Its receivers are strangers: what that asks for is package transport's
// business.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpguts"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/wording"
)

// Settings are what an operator writes in a webhook destination's settings.
type Settings struct {
	URL            string            `json:"url" required:"true" secret:"true" doc:"Where changes are posted: an absolute http or https URL."`
	SigningSecrets []string          `json:"signing_secrets" secret:"true" doc:"Standard Webhooks secrets (whsec_, or whsk_ for ed25519); each signs, so that they can be rotated."`
	Headers        map[string]string `json:"headers" secret:"true" doc:"Further request headers, such as Authorization."`
	Body           string            `json:"body" type:"template" doc:"What is posted instead of the published body; sent as application/json if it is JSON, else as text/plain."`
	transport.Connection
	transport.Login
}

// Config holds what a Sender needs.
type Config struct {
	Settings     json.RawMessage // an object as Settings
	AllowedCIDRs []netip.Prefix  // networks that aren't public and may be dialled all the same
	Templates    map[string]core.Template
}

// Sender posts to one URL.
type Sender struct {
	url     string
	header  http.Header
	signers []signer
	client  *transport.Client
	words   wording.Wording
}

// New checks the settings and returns a Sender.
func New(cfg Config) (*Sender, error) {
	var settings Settings
	if err := json.Unmarshal(cfg.Settings, &settings); err != nil {
		return nil, fmt.Errorf("webhook settings: %w", err)
	}
	if err := transport.CheckURL(settings.URL); err != nil {
		return nil, err
	}
	header, err := newHeader(settings.Headers)
	if err != nil {
		return nil, err
	}
	if header.Get("Authorization") != "" && settings.Any() {
		return nil, errors.New("headers: Authorization can't be set beside another way to log in")
	}
	client, err := transport.New(transport.Config{
		AllowedCIDRs: cfg.AllowedCIDRs, Connection: settings.Connection, Login: settings.Login,
	})
	if err != nil {
		return nil, err
	}
	s := &Sender{url: settings.URL, header: header, client: client, words: wording.New(cfg.Templates)}
	for _, secret := range settings.SigningSecrets {
		signer, err := newSigner(secret)
		if err != nil {
			return nil, fmt.Errorf("signing_secrets: %w", err)
		}
		s.signers = append(s.signers, signer)
	}
	return s, nil
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

// Send posts the message once.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	request, err := s.request(ctx, m)
	if err != nil {
		return core.Answer{Err: err}
	}
	return s.client.Do(request).Answer
}

// body is the operator's own if there is one, else the published one.
func (s *Sender) body(m core.Message) (body []byte, own bool, err error) {
	if text := s.words.Render("body", m, func(core.Message) string { return "" }); text != "" {
		return []byte(text), true, nil
	}
	body, err = render(m)
	return body, false, err
}

func (s *Sender) request(ctx context.Context, m core.Message) (*http.Request, error) {
	body, own, err := s.body(m)
	if err != nil {
		return nil, fmt.Errorf("render body: %w", err)
	}
	request, err := transport.NewPost(ctx, s.url, body)
	if err != nil {
		return nil, err
	}
	request.Header = s.header.Clone()
	if own && !json.Valid(body) {
		request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
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

// Close closes the connections that are kept.
func (s *Sender) Close() { s.client.Close() }
