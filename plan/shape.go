package plan

import (
	"fmt"
	"net/netip"
	"slices"
)

// Coalesce sorts rules and joins those that differ in nothing but that their
// ports, outside and on the machine, follow each other: the form for a device
// that takes ranges. The rules must not collide.
func Coalesce(rules []Rule) []Rule {
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, Rule.Compare)
	var out []Rule
	for _, r := range sorted {
		if n := len(out); n > 0 && follows(out[n-1], r) {
			out[n-1].Ports.Last = r.Ports.Last
			continue
		}
		out = append(out, r)
	}
	return out
}

// follows says whether b goes on where a ends.
func follows(a, b Rule) bool {
	if a.Kind != b.Kind || a.Protocol != b.Protocol || int(b.Ports.First) != int(a.Ports.Last)+1 {
		return false
	}
	sameTarget := a.To.Addr() == b.To.Addr() &&
		(a.Kind != Forward || int(b.To.Port()) == int(a.To.Port())+a.Ports.Count())
	return sameTarget && slices.Equal(a.Sources, b.Sources)
}

// Split cuts rules into rules of one port each, in order: the form for a
// device that maps single ports. It panics if a rule leads to ports above
// 65535, which [Rule.Check] finds: cut, they would be other ports.
func Split(rules []Rule) []Rule {
	var out []Rule
	for _, r := range rules {
		if r.Kind == Forward && int(r.To.Port())+r.Ports.Count()-1 > maxPort {
			panic(fmt.Sprintf("plan: Split of %s, which leads to ports above %d", r, maxPort))
		}
		out = slices.Grow(out, max(r.Ports.Count(), 0))
		for i := range r.Ports.Count() {
			one := r
			port := r.Ports.First + uint16(i)
			one.Ports = PortRange{port, port}
			if r.Kind == Forward {
				one.To = netip.AddrPortFrom(r.To.Addr(), r.To.Port()+uint16(i))
			}
			out = append(out, one)
		}
	}
	slices.SortFunc(out, Rule.Compare)
	return out
}
