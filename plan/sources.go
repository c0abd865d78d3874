package plan

import (
	"net/netip"
	"slices"
)

// CanonicalSources gives sources the one form in which they can be compared:
// masked, sorted, none inside another, no two that make up a wider one, IPv4
// as IPv4 even where it was written as ::ffff:0:0/96. No sources means anyone;
// so do sources of one IP version that take in all of it. Beside sources of
// the other version, though, 0.0.0.0/0 and ::/0 stay: they say nothing of it.
// Invalid prefixes are left out.
func CanonicalSources(sources []netip.Prefix) []netip.Prefix {
	var sorted []netip.Prefix
	for _, p := range sources {
		if p.IsValid() {
			sorted = append(sorted, unmapped(p).Masked())
		}
	}
	// This order puts every prefix behind any that contains it, and the two
	// halves of one next to each other.
	slices.SortFunc(sorted, netip.Prefix.Compare)
	var out []netip.Prefix
	for _, p := range sorted {
		if n := len(out); n > 0 && out[n-1].Overlaps(p) {
			continue
		}
		out = append(out, p)
		for n := len(out); n > 1; n-- {
			wider, ok := joined(out[n-2], out[n-1])
			if !ok {
				break
			}
			out = append(out[:n-2], wider)
		}
	}
	if !slices.ContainsFunc(out, func(p netip.Prefix) bool { return p.Bits() != 0 }) {
		return nil
	}
	return out
}

// unmapped gives a prefix of IPv4-mapped IPv6 addresses (RFC 4291, section
// 2.5.5.2) as the IPv4 one that it means: no packet carries them.
func unmapped(p netip.Prefix) netip.Prefix {
	const mapped = 96
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p
}

// joined gives the prefix of which a and b are the two halves, if there is one.
func joined(a, b netip.Prefix) (netip.Prefix, bool) {
	if a.Bits() != b.Bits() || a.Addr().Is4() != b.Addr().Is4() {
		return netip.Prefix{}, false
	}
	wider := netip.PrefixFrom(a.Addr(), a.Bits()-1).Masked()
	return wider, wider.Contains(b.Addr())
}
