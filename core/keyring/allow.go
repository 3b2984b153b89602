package keyring

import (
	"net/netip"

	"bellcrank.example/core"
)

// LetIn says which rule lets the address in, for people who ask later.
func LetIn(in *core.Integration, addr netip.Addr) string {
	if len(in.AllowedCIDRs) == 0 {
		return "every address is allowed"
	}
	addr = addr.Unmap().WithZone("")
	for _, cidr := range in.AllowedCIDRs {
		if unmap(cidr).Contains(addr) {
			return "allowed_cidrs: " + cidr.String()
		}
	}
	return ""
}

// Allowed reports whether the integration takes requests from the address. An
// IPv4 address in IPv6 clothes counts as IPv4, and a zone is no part of an
// address. An address that isn't valid is allowed only where every one is.
func Allowed(in *core.Integration, addr netip.Addr) bool { return LetIn(in, addr) != "" }

// unmap turns ::ffff:192.0.2.0/120 into 192.0.2.0/24.
func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}
