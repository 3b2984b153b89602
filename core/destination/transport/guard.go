package transport

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// guard decides on the address that is about to be dialled, after names were
// resolved: nothing that a name says can lead into the gateway's own network.
type guard struct {
	allowed []netip.Prefix
	public  *ssrf.Guardian
}

func newGuard(allowed []netip.Prefix) *guard {
	return &guard{allowed: allowed, public: ssrf.New(ssrf.WithAnyPort())}
}

// dialer returns one that asks the guard.
func (g *guard) dialer() *net.Dialer {
	return &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second, Control: g.control}
}

// control is a net.Dialer's Control. An IPv4 address in IPv6 clothes is judged
// as what it is.
func (g *guard) control(network, address string, c syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &net.AddrError{Err: "not an address", Addr: address}
	}
	return g.judge(network, at, c)
}

func (g *guard) judge(network string, at netip.AddrPort, c syscall.RawConn) error {
	at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	for _, prefix := range g.allowed {
		if prefix.Contains(at.Addr()) {
			return nil
		}
	}
	if at.Addr().Is4() {
		network = "tcp4"
	}
	return g.public.Safe(network, at.String(), c)
}

// name decides on the host of a request that a proxy makes for us. The proxy
// resolves names, so all that can be refused here is what is an address or
// could be taken for one.
func (g *guard) name(host string) error {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if at, err := netip.ParseAddr(host); err == nil {
		return g.judge("tcp6", netip.AddrPortFrom(at, 443), nil)
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "localhost" {
		return g.judge("tcp4", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 443), nil)
	}
	if last == "" || last[0] >= '0' && last[0] <= '9' { // no top-level domain begins with a digit
		return &net.AddrError{Err: "neither a name nor an address in its usual form", Addr: host}
	}
	return nil
}
