package server

import (
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Client returns the address of whoever sent the request: the peer, or what
// X-Forwarded-For says if the peer is a trusted proxy.
func Client(c *fiber.Ctx, proxies []netip.Prefix) netip.Addr {
	peer := peerOf(c.Context().Conn())
	if len(proxies) == 0 {
		return peer
	}
	var forwarded []string
	for _, line := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		forwarded = append(forwarded, string(line))
	}
	return ClientAddr(peer, forwarded, proxies)
}

// ClientAddr walks the values of all X-Forwarded-For lines from right to left,
// past the proxies that are trusted, and returns the first address that is
// not: what stands left of it is the client's own claim. A list that can't be
// read counts for nothing; the answer is the peer then.
func ClientAddr(peer netip.Addr, forwarded []string, proxies []netip.Prefix) netip.Addr {
	peer = clean(peer)
	client := peer
	values := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(values) - 1; i >= 0 && trusted(proxies, client); i-- {
		value := strings.TrimSpace(values[i])
		if value == "" && len(values) == 1 {
			return peer // there is no such header
		}
		addr, ok := parseAddr(value)
		if !ok {
			return peer
		}
		client = addr
	}
	return client
}

// parseAddr reads an address, which some proxies write with a port.
func parseAddr(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return clean(addr), true
	}
	if addr, err := netip.ParseAddrPort(s); err == nil {
		return clean(addr.Addr()), true
	}
	return netip.Addr{}, false
}

func trusted(proxies []netip.Prefix, addr netip.Addr) bool {
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
