package transport

import (
	"net"
	"net/netip"
	"syscall"

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

// control is a net.Dialer's Control. An IPv4 address in IPv6 clothes is judged
// as what it is.
func (g *guard) control(network, address string, c syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &net.AddrError{Err: "not an address", Addr: address}
	}
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
