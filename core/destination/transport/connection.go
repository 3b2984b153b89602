package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"bellcrank.example/core"
)

// Connection are the settings of how a destination is reached, for embedding
// in a type's own.
type Connection struct {
	CA                string `json:"ca" doc:"PEM certificates of the authorities to trust instead of the system's."`
	ClientCertificate string `json:"client_certificate" doc:"A PEM certificate, with those between it and its authority, that is shown to who asks for one; with client_key."`
	ClientKey         string `json:"client_key" secret:"true" doc:"The PEM private key of client_certificate."`
	ProxyURL          string `json:"proxy_url" secret:"true" doc:"An HTTP proxy through which all goes: http or https, with a user if it wants one."`
	ConnectTimeout    string `json:"connect_timeout" default:"5s" doc:"How long a connection may take, and its TLS handshake again."`
	HeaderTimeout     string `json:"header_timeout" default:"10s" doc:"How long the beginning of an answer may take once the request is sent."`
}

// transport returns what makes connections as the settings say. It dials
// nothing.
func (c Connection) transport(g *guard) (*http.Transport, error) {
	connect, err := limit("connect_timeout", c.ConnectTimeout, connectTimeout)
	if err != nil {
		return nil, err
	}
	header, err := limit("header_timeout", c.HeaderTimeout, headerTimeout)
	if err != nil {
		return nil, err
	}
	secure, err := c.tls()
	if err != nil {
		return nil, err
	}
	proxy, err := c.proxy(g)
	if err != nil {
		return nil, err
	}
	dialer := g.dialer()
	dialer.Timeout = connect
	return &http.Transport{
		DialContext:            dialer.DialContext,
		Proxy:                  proxy,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    connect,
		ResponseHeaderTimeout:  header,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        idleTimeout,
	}, nil
}

// route is what others need to know to go the same way.
func (c Connection) route() core.Route {
	return core.Route{Proxy: c.ProxyURL, OwnCA: c.CA != "", ClientCertificate: c.ClientCertificate != ""}
}

func (c Connection) tls() (*tls.Config, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM([]byte(c.CA)) {
			return nil, errors.New("ca holds no PEM certificate")
		}
	}
	switch {
	case c.ClientCertificate == "" && c.ClientKey == "":
		return secure, nil
	case c.ClientKey == "":
		return nil, errors.New("client_certificate needs client_key")
	case c.ClientCertificate == "":
		return nil, errors.New("client_key needs client_certificate")
	}
	pair, err := tls.X509KeyPair([]byte(c.ClientCertificate), []byte(c.ClientKey))
	if err != nil {
		return nil, errors.New("client_certificate and client_key aren't a PEM certificate and the private key that belongs to it")
	}
	secure.Certificates = []tls.Certificate{pair}
	return secure, nil
}

// proxy returns what chooses the proxy of a request, nil without one. Errors
// don't repeat the proxy's URL, which may carry a password.
func (c Connection) proxy(g *guard) (func(*http.Request) (*url.URL, error), error) {
	if c.ProxyURL == "" {
		return nil, nil
	}
	proxy, err := url.Parse(c.ProxyURL)
	switch {
	case err != nil:
		return nil, errors.New("proxy_url can't be parsed")
	case proxy.Scheme != "http" && proxy.Scheme != "https", proxy.Hostname() == "":
		return nil, errors.New("proxy_url must be an absolute http or https URL")
	case proxy.Path != "" && proxy.Path != "/", proxy.RawQuery != "":
		return nil, errors.New("proxy_url must not have a path")
	}
	return func(r *http.Request) (*url.URL, error) { return proxy, g.name(r.URL.Hostname()) }, nil
}

// limit reads a time that something may take: at most as long as an attempt.
func limit(name, text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > core.DefaultAttemptTimeout {
		return 0, fmt.Errorf("%s must be a time such as %q, %v at most", name, otherwise.String(), core.DefaultAttemptTimeout)
	}
	return d, nil
}
