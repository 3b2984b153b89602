package keyring

import (
	"net/netip"

	"bellcrank.example/core"
)

// Allowed reports whether the integration takes requests from the address. An
// IPv4 address in IPv6 clothes counts as IPv4, and a zone is no part of an
// address. An address that isn't valid is allowed only where every one is.
func Allowed(in *core.Integration, addr netip.Addr) bool {
	if len(in.AllowedCIDRs) == 0 {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, cidr := range in.AllowedCIDRs {
		if unmap(cidr).Contains(addr) {
			return true
		}
	}
	return false
}

// unmap turns ::ffff:192.0.2.0/120 into 192.0.2.0/24.
func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}
