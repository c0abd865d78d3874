package config

import (
	"net/netip"
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
)

// Wanted gives the rules that the configuration asks of its devices: of each
// gateway to forward a port_range's ports to its machine, and of each managed
// firewall to let them in, and its machine out to trackers. They are in order
// of owner, device and rule.
func (c *Config) Wanted() []plan.Wanted {
	var out []plan.Wanted
	add := func(device, owner plan.Addr, rules []plan.Rule, at hcl.Range) {
		// Neighbouring ranges may have been written one by one.
		for _, r := range plan.Coalesce(rules) {
			out = append(out, plan.Wanted{Rule: r, Device: device, Owner: owner, DeclRange: at})
		}
	}
	for _, m := range c.Machines {
		if m.Firewall != nil {
			add(m.Addr, m.Addr, m.outbound(), m.TrackersRange)
		}
	}
	for _, p := range c.PortRanges {
		for _, g := range p.Gateways {
			add(g.Addr, p.Addr, p.forwards(), p.DeclRange)
		}
		if p.Machine.Firewall != nil {
			add(p.Machine.Addr, p.Addr, p.allows(), p.DeclRange)
		}
	}
	return out
}

// forwards are the rules for each of p's gateways, to each of the machine's
// addresses that some source can reach.
func (p *PortRange) forwards() []plan.Rule {
	var out []plan.Rule
	for _, address := range p.Machine.addresses() {
		var sources []netip.Prefix
		for _, s := range p.Sources {
			if s.Addr().Is4() == address.Is4() {
				sources = append(sources, s)
			}
		}
		if len(p.Sources) > 0 && len(sources) == 0 {
			continue
		}
		for _, protocol := range p.Protocols {
			for _, m := range mappings(p.Ports, p.WANPorts) {
				out = append(out, plan.Rule{
					Kind:     plan.Forward,
					Protocol: protocol,
					Ports:    m.outside,
					To:       netip.AddrPortFrom(address, m.inside),
					Sources:  plan.CanonicalSources(sources),
				})
			}
		}
	}
	return out
}

// ofVersion are those of the addresses that are IPv4, or else IPv6.
func ofVersion(addrs []netip.Addr, is4 bool) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return a.Is4() != is4 })
}

// allows are the rules for the firewall of p's machine.
func (p *PortRange) allows() []plan.Rule {
	var out []plan.Rule
	for _, protocol := range p.Protocols {
		for _, r := range p.Ports {
			out = append(out, plan.Rule{Kind: plan.Allow, Protocol: protocol, Ports: r, Sources: p.Sources})
		}
	}
	return out
}

// mapping is a run of ports outside, and the first of as many on the machine.
type mapping struct {
	outside plan.PortRange
	inside  uint16
}

// mappings pairs the ports on the machine with those outside, in the order
// given, in the fewest runs. None outside: they are the same.
func mappings(inside, outside []plan.PortRange) []mapping {
	if outside == nil {
		outside = inside
	}
	var out []mapping
	// How many ports of the first range in each list are taken already.
	var in, ex int
	for len(inside) > 0 && len(outside) > 0 {
		run := min(inside[0].Count()-in, outside[0].Count()-ex)
		first := int(outside[0].First) + ex
		out = append(out, mapping{
			outside: plan.PortRange{First: uint16(first), Last: uint16(first + run - 1)},
			inside:  inside[0].First + uint16(in),
		})
		if in += run; in == inside[0].Count() {
			inside, in = inside[1:], 0
		}
		if ex += run; ex == outside[0].Count() {
			outside, ex = outside[1:], 0
		}
	}
	return out
}
