package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"bellcrank.example/core"
)

// Bounds of the wait for a sender that was answered before it had sent all.
const (
	lingerBytes = 1 << 20
	lingerTime  = time.Second
)

// acceptPause is the wait after an accept that failed for want of resources.
const acceptPause = 50 * time.Millisecond

// listener hands out connections within the limits and remembers them, so
// that none outlives the server.
type listener struct {
	net.Listener
	cfg  *Config
	once sync.Once
	gone chan struct{} // closed by Close

	mu    sync.Mutex
	conns map[*conn]struct{} // guarded by mu
	from  map[netip.Addr]int // guarded by mu
}

func newListener(ln net.Listener, cfg *Config) *listener {
	return &listener{
		Listener: ln, cfg: cfg, gone: make(chan struct{}),
		conns: map[*conn]struct{}{}, from: map[netip.Addr]int{},
	}
}

// Accept returns the next connection within the limits. Past the limit of one
// address a connection is closed; past the limit of all it is told so first.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if transient(err) {
			select {
			case <-time.After(acceptPause):
				continue
			case <-l.gone:
			}
		}
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, listener: l, peer: peerOf(raw)}
		switch l.admit(c) {
		case admitted:
			return c, nil
		case crowded:
			c.refuse()
		}
		_ = raw.Close() // it was never ours
	}
}

// transient reports whether an accept can succeed later: a gateway that stops
// listening because it ran out of descriptors for a second loses alerts.
func transient(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

type admission int

const (
	admitted admission = iota
	tooMany            // of this address
	crowded            // of all
)

func (l *listener) admit(c *conn) admission {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.cfg.Connections {
		return crowded
	}
	if c.peer.IsValid() && l.from[c.peer] >= l.cfg.PerAddress && !trusted(l.cfg.TrustedProxies, c.peer) {
		return tooMany
	}
	l.conns[c] = struct{}{}
	l.from[c.peer]++
	return admitted
}

func (l *listener) release(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.conns[c]; !ok {
		return
	}
	delete(l.conns, c)
	if l.from[c.peer]--; l.from[c.peer] == 0 {
		delete(l.from, c.peer)
	}
}

// Close stops accepting.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.gone)
		err = l.Listener.Close()
	})
	return err
}

// closeAll ends the connections that are left.
func (l *listener) closeAll() {
	_ = l.Close() // it may be closed already
	l.mu.Lock()
	left := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		left = append(left, c)
	}
	l.mu.Unlock()
	for _, c := range left {
		c.linger.Store(false)
		_ = c.Close() // nobody is left to hear of it
	}
}

// conn is a connection that remembers how it ended.
type conn struct {
	net.Conn
	listener *listener
	peer     netip.Addr
	ended    atomic.Bool // the peer has sent its last byte
	linger   atomic.Bool // the peer may still be sending what nobody reads
	closed   atomic.Bool
}

// Read notes the end of the stream. The chunked reader takes some cut bodies
// for whole ones; a whole body never needs a read that meets the end.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		c.ended.Store(true)
	}
	return n, err
}

// Close closes the connection. If the peer may still be sending, it is first
// told that we have finished, and listened to for a moment: closing a socket
// with unread bytes in it resets the connection, and the peer never sees the
// answer that explains why.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	defer c.listener.release(c)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger.Load() && !c.ended.Load() {
		if half.CloseWrite() == nil && c.SetReadDeadline(c.listener.cfg.Now().Add(lingerTime)) == nil {
			_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes) // best effort: the answer is sent
		}
	}
	return c.Conn.Close()
}

// refuse answers without having read anything. Nothing is in the socket's
// buffer yet, so writing can't block for long.
func (c *conn) refuse() {
	st := statuses[core.Overloaded]
	body := envelope(core.Overloaded, messages[core.Overloaded], "", "")
	answer := fmt.Appendf(nil, "HTTP/1.1 %d Service Unavailable\r\nContent-Type: application/json\r\n"+
		"Connection: close\r\nRetry-After: %d\r\nContent-Length: %d\r\n\r\n%s",
		st.http, jittered(st.retryAfter), len(body), body)
	if c.SetWriteDeadline(c.listener.cfg.Now().Add(lingerTime)) == nil {
		_, _ = c.Write(answer) // the peer is turned away whether it hears why or not
	}
}

func peerOf(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return clean(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

// clean makes addresses comparable: IPv4 in IPv6 clothes is IPv4, and a zone
// is no part of an address.
func clean(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
