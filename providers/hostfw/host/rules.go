package host

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
)

// Everywhere is all addresses of an IP version.
func Everywhere(six bool) netip.Prefix {
	if six {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// AllPorts is what "any" stands for.
var AllPorts = plan.PortRange{First: 1, Last: 65535}

// SourcesOf gives the sources of an IP version from which packets of a rule
// come; none: it is for the other version only.
func SourcesOf(r plan.Rule, six bool) []netip.Prefix {
	if len(r.Sources) == 0 {
		return []netip.Prefix{Everywhere(six)}
	}
	return slices.DeleteFunc(slices.Clone(r.Sources), func(p netip.Prefix) bool { return p.Addr().Is6() != six })
}

// SourcesMeet says whether some packet comes from both of these sources; none:
// anywhere.
func SourcesMeet(a, b []netip.Prefix) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(p netip.Prefix) bool { return slices.ContainsFunc(b, p.Overlaps) })
}

// SpelledPorts is a range as ufw and iptables write it: "6881:6889".
func SpelledPorts(r plan.PortRange) string { return strings.Replace(r.String(), "-", ":", 1) }

// JoinSources joins rules of one owner that differ in nothing but where packets
// come from, however their ports are cut up.
func JoinSources(pieces []plan.Rule) []plan.Rule {
	var out []plan.Rule
	for _, kind := range []plan.Kind{plan.Allow, plan.Outbound} {
		for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
			alike := slices.DeleteFunc(slices.Clone(pieces), func(r plan.Rule) bool { return r.Kind != kind || r.Protocol != protocol })
			out = append(out, joinAlike(alike)...)
		}
	}
	return plan.Coalesce(out)
}

// joinAlike joins rules of one kind and protocol.
func joinAlike(pieces []plan.Rule) []plan.Rule {
	var out []plan.Rule
	var cuts []int // first ports of what differs from the port before
	for _, p := range pieces {
		cuts = append(cuts, int(p.Ports.First), int(p.Ports.Last)+1)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i := range len(cuts) - 1 {
		ports := plan.PortRange{First: uint16(cuts[i]), Last: uint16(cuts[i+1] - 1)}
		var sources []netip.Prefix
		for _, p := range pieces {
			if p.Ports.Overlaps(ports) {
				sources = append(sources, p.Sources...)
			}
		}
		if sources != nil {
			out = append(out, plan.Rule{Kind: pieces[0].Kind, Protocol: pieces[0].Protocol, Ports: ports, Sources: SourcesIn(pieces[0].Kind, sources)})
		}
	}
	return out
}

// SourcesIn gives the sources of a rule in their canonical form: an outbound
// rule has none.
func SourcesIn(k plan.Kind, sources []netip.Prefix) []netip.Prefix {
	if k == plan.Outbound {
		return nil
	}
	return plan.CanonicalSources(sources)
}
