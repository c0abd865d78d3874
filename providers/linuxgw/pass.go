package linuxgw

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
)

// pass is packets that may pass: to ports of one machine from one source.
type pass struct {
	machine  netip.Addr
	protocol plan.Protocol
	ports    plan.PortRange // on the machine
	source   string         // a prefix; netfilter.Anywhere for anyone
}

// passesOf gives what these entries let through, as seen behind the DNAT. Two
// entries may lead to the same port, and an nft set takes no elements that
// overlap, so the ports are cut where an entry begins or ends, and each piece
// gets all of its sources.
func passesOf(entries []entry) []pass {
	type target struct {
		machine  netip.Addr
		protocol plan.Protocol
	}
	byTarget := map[target][]plan.Rule{}
	for _, e := range entries {
		t := target{e.rule.To.Addr(), e.rule.Protocol}
		byTarget[t] = append(byTarget[t], e.rule)
	}
	var out []pass
	for t, rules := range byTarget {
		for _, piece := range cut(rules) {
			for _, source := range netfilter.SpellSources(piece.Sources, t.machine.Is6()) {
				out = append(out, pass{t.machine, t.protocol, piece.Ports, source})
			}
		}
	}
	slices.SortFunc(out, func(a, b pass) int { return strings.Compare(a.element(), b.element()) })
	return out
}

// cut gives rules that lead to the same machine as pieces that don't overlap
// on it. Their Ports are those on the machine.
func cut(rules []plan.Rule) []plan.Rule {
	var bounds []int // where a piece begins
	for _, r := range rules {
		bounds = append(bounds, int(r.ToPorts().First), int(r.ToPorts().Last)+1)
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	sources := make([][]netip.Prefix, len(bounds))
	for _, r := range rules {
		from, _ := slices.BinarySearch(bounds, int(r.ToPorts().First))
		to, _ := slices.BinarySearch(bounds, int(r.ToPorts().Last)+1)
		for i := from; i < to; i++ {
			if len(r.Sources) == 0 {
				sources[i] = append(sources[i], netip.PrefixFrom(r.To.Addr(), 0).Masked())
			}
			sources[i] = append(sources[i], r.Sources...)
		}
	}
	var out []plan.Rule
	for i, s := range sources {
		if len(s) == 0 {
			continue // a gap
		}
		piece := plan.Rule{
			Kind:     plan.Allow,
			Protocol: rules[0].Protocol,
			Ports:    plan.PortRange{First: uint16(bounds[i]), Last: uint16(bounds[i+1] - 1)}, // #nosec G115 -- made from uint16s
			Sources:  plan.CanonicalSources(s),
		}
		out = append(out, piece)
	}
	return plan.Coalesce(out)
}
