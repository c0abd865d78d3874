package linuxgw

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// route is one line of the main routing table of IPv4.
type route struct {
	iface  string
	to     netip.Prefix
	metric int
}

// routes is the routing table. Longest prefix first is not its order.
type routes []route

// parseRoutes reads /proc/net/route (proc(5)). What it can't read it passes
// over: routes serve to guess and to warn, not to act on.
func parseRoutes(text string) routes {
	var lines [][]string
	littleEndian := true
	for line := range strings.Lines(text) {
		col := strings.Fields(line)
		const columns = 11
		if len(col) < columns || !interfaceName.MatchString(col[0]) {
			continue
		}
		lines = append(lines, col)
		// Addresses are printed as numbers of the machine's byte order. In
		// the right order a mask is a run of ones.
		const mask = 7
		if m, ok := parseHex(col[mask], true); ok && !isMask(m) {
			littleEndian = false
		}
	}
	var out routes
	for _, col := range lines {
		const iface, destination, flags, metric, mask = 0, 1, 3, 6, 7
		const up, reject = 0x1, 0x200 // RTF_UP and RTF_REJECT of linux/route.h
		f, err := strconv.ParseUint(col[flags], 16, 32)
		if err != nil || f&up == 0 || f&reject != 0 {
			continue
		}
		to, okTo := parseHex(col[destination], littleEndian)
		m, okMask := parseHex(col[mask], littleEndian)
		n, err := strconv.Atoi(col[metric])
		if !okTo || !okMask || !isMask(m) || err != nil {
			continue
		}
		addr := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, to)))
		out = append(out, route{col[iface], netip.PrefixFrom(addr, bits.OnesCount32(m)), n})
	}
	return out
}

// parseHex reads eight hexadecimal digits as an address in network order.
func parseHex(s string, littleEndian bool) (uint32, bool) {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || len(s) != 8 {
		return 0, false
	}
	if littleEndian {
		return bits.ReverseBytes32(uint32(n)), true
	}
	return uint32(n), true
}

// isMask says whether m is a run of ones and then zeros.
func isMask(m uint32) bool { return bits.LeadingZeros32(^m) == bits.OnesCount32(m) }

// lookup gives the route that packets to addr take.
func (rs routes) lookup(addr netip.Addr) (best route, found bool) {
	for _, r := range rs {
		if !r.to.Contains(addr) {
			continue
		}
		longer := r.to.Bits() - best.to.Bits()
		if !found || longer > 0 || longer == 0 && r.metric < best.metric {
			best, found = r, true
		}
	}
	return best, found
}

// defaultInterface is the interface of the default route; empty: there is
// none.
func (rs routes) defaultInterface() string {
	best, found := route{}, false
	for _, r := range rs {
		if r.to.Bits() == 0 && (!found || r.metric < best.metric) {
			best, found = r, true
		}
	}
	return best.iface
}
