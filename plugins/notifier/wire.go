package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"

	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	commoncfg "github.com/prometheus/common/config"

	"bellcrank.example/sdk"
)

// maxBody is the largest body that the gateway takes, in bytes.
const maxBody = 1 << 20

// wire is the other end of a notifier's HTTP client, in this process: it
// answers as the vendor did before, and keeps the first request to which there
// is no answer yet.
type wire struct {
	serving sync.WaitGroup

	mu      sync.Mutex
	secure  bool // requests are meant to go by https
	open    []io.Closer
	answers []sdk.HTTPAnswer
	asked   *sdk.HTTPRequest
}

func newWire(answers []sdk.HTTPAnswer) *wire { return &wire{answers: answers} }

// url returns what a notifier shall be told of a URL that has been checked. It
// needn't encrypt what never leaves the process: the request that is kept has
// the scheme that is wanted.
func (w *wire) url(raw string) *amcommoncfg.URL {
	u, err := url.Parse(raw)
	if err != nil {
		return &amcommoncfg.URL{URL: &url.URL{}}
	}
	w.secure = u.Scheme == "https"
	u.Scheme = "http"
	return &amcommoncfg.URL{URL: u}
}

// options make a notifier's client speak over the wire.
func (w *wire) options() []commoncfg.HTTPClientOption {
	return []commoncfg.HTTPClientOption{
		commoncfg.WithDialContextFunc(w.dial),
		commoncfg.WithKeepAlivesDisabled(), // so that a request is a connection
		commoncfg.WithNewTLSConfigFunc(func(context.Context, *commoncfg.TLSConfig, ...commoncfg.TLSConfigOption) (*tls.Config, error) {
			return &tls.Config{InsecureSkipVerify: true}, nil // both ends are here
		}),
	}
}

func (w *wire) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = append(w.open, ours)
	w.serving.Go(func() {
		w.serve(ours)
		_ = ours.Close() // a pipe's end: it can't fail
	})
	return theirs, nil
}

// serve takes one request.
func (w *wire) serve(c net.Conn) {
	reader := bufio.NewReader(c)
	secure := false
	const handshake = 22 // a TLS record's type
	if first, err := reader.Peek(1); err == nil && first[0] == handshake {
		secure = true
		c = tls.Server(peeked{c, reader}, &tls.Config{Certificates: []tls.Certificate{certificate()}, SessionTicketsDisabled: true})
		reader = bufio.NewReader(c)
	}
	request, err := http.ReadRequest(reader)
	if err != nil {
		return // the notifier gave up
	}
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err != nil {
		return
	}
	if answer := w.exchange(request, body, secure); answer != nil {
		_ = answer.Write(c) // an answer that doesn't arrive is an error of the notifier's
		_ = answer.Body.Close()
	}
}

// exchange returns the answer to a request, nil if it is yet to be asked for.
func (w *wire) exchange(r *http.Request, body []byte, secure bool) *http.Response {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.answers) > 0 {
		a := w.answers[0]
		w.answers = w.answers[1:]
		return responseOf(a)
	}
	if w.asked == nil {
		w.asked = requestOf(r, body, secure || w.secure)
	}
	return nil
}

// responseOf is an answer without its headers: no notifier reads any.
func responseOf(a sdk.HTTPAnswer) *http.Response {
	if a.Status == http.StatusNoContent {
		a.Body = nil
	}
	return &http.Response{
		StatusCode: a.Status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		ContentLength: int64(len(a.Body)), Body: io.NopCloser(bytes.NewReader(a.Body)),
	}
}

// requestOf is what the gateway shall ask. The headers of the connection are
// its own business, and so is who it says that it is.
func requestOf(r *http.Request, body []byte, secure bool) *sdk.HTTPRequest {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	header := r.Header.Clone()
	for _, name := range []string{"Connection", "Content-Length", "User-Agent", "Accept-Encoding"} {
		header.Del(name)
	}
	return &sdk.HTTPRequest{Method: r.Method, URL: scheme + "://" + r.Host + r.URL.RequestURI(), Header: header, Body: slices.Clip(body)}
}

// hangUp returns the request that is to be asked for, if there is one. Not all
// notifiers read an answer to its end.
func (w *wire) hangUp() *sdk.HTTPRequest {
	w.mu.Lock()
	for _, c := range w.open {
		_ = c.Close() // a pipe's end: it can't fail
	}
	w.mu.Unlock()
	w.serving.Wait()
	return w.asked
}

// peeked is a connection of which something has been read ahead.
type peeked struct {
	net.Conn
	reader io.Reader
}

// Read returns what was read ahead first.
func (p peeked) Read(b []byte) (int, error) { return p.reader.Read(b) }

// certificate is that of the wire's end, for a notifier whose URL can't be
// chosen. Nobody verifies it.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // it can't: rand.Reader never fails
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})
