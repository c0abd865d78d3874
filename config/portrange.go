package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// portRangeObject is what a reference to a port_range gets, but for the type
// of the key. What another port_range could take as it is has that form.
var portRangeObject = cty.Object(map[string]cty.Type{
	"id":        cty.String,
	"name":      cty.String,
	"key":       cty.DynamicPseudoType,
	"machine":   cty.String, // its address in the configuration
	"gateways":  cty.List(cty.String),
	"address":   cty.String, // the machine's IP address
	"ports":     cty.List(cty.String),
	"wan_ports": cty.List(cty.String),
	"protocols": cty.List(cty.String),
	"sources":   cty.List(cty.String),
})

// writtenAt says where the ports of a port_range are written.
type writtenAt struct{ ports, wanPorts hcl.Range }

// portRanges works out the instances of a port_range block.
func (l *loader) portRanges(n *node) {
	list, known := l.instances(n)
	ranges := make([]*PortRange, len(list))
	for i, inst := range list {
		ranges[i] = l.portRange(n.block, inst)
		if !inst.dry {
			l.cfg.PortRanges = append(l.cfg.PortRanges, ranges[i])
		}
	}
	n.build(list, known, func(i int) map[string]cty.Value { return ranges[i].object() })
}

func (l *loader) portRange(b *block, inst instance) *PortRange {
	p := &PortRange{Addr: inst.addr, DeclRange: b.rng}
	f := newFields(l, b.attrs, inst)
	var at writtenAt
	p.Machine = f.machine()
	p.Gateways = f.gateways()
	p.Ports, at.ports = f.ports(f.need("ports"))
	p.WANPorts, at.wanPorts = f.ports(f.get("wan_ports"))
	if p.WANPorts == nil {
		at.wanPorts = at.ports
	}
	f.sameCount(p)
	p.Protocols = f.protocols()
	p.Sources = f.sources(p.Machine)
	if !f.unclear {
		l.written[p.Addr] = at
	}
	return p
}

// sameCount sees that there is one port outside for each on the machine.
func (f *fields) sameCount(p *PortRange) {
	inside, outside := countPorts(p.Ports), countPorts(p.WANPorts)
	if inside == 0 || outside == 0 || inside == outside {
		return
	}
	attr := f.attrs["wan_ports"]
	f.fail(attr, attr.Expr.Range(), "Different numbers of ports", "ports holds %s, but wan_ports %s. Each port on the machine needs one outside.", ports(inside), ports(outside))
}

func ports(n int) string {
	if n == 1 {
		return "1 port"
	}
	return fmt.Sprintf("%d ports", n)
}

func countPorts(list []plan.PortRange) int {
	n := 0
	for _, r := range list {
		n += r.Count()
	}
	return n
}

// protocols reads the attribute protocols.
func (f *fields) protocols() []plan.Protocol {
	known := []string{string(plan.TCP), string(plan.UDP)}
	list, ok := f.list("protocols")
	if !ok {
		return []plan.Protocol{plan.TCP}
	}
	var out []plan.Protocol
	for _, e := range list {
		text, is := e.text()
		switch {
		case !is:
		case !slices.Contains(known, text):
			f.fail(e.attr, e.at(), "Unknown protocol", "There is no protocol %q; there are \"tcp\" and \"udp\".%s", text, didYouMean(strings.ToLower(text), known))
		case !slices.Contains(out, plan.Protocol(text)):
			out = append(out, plan.Protocol(text))
		}
	}
	slices.Sort(out)
	return out
}

// sources reads the attribute sources, which have to be of the machine's IP
// version.
func (f *fields) sources(m *Machine) []netip.Prefix {
	list, ok := f.list("sources")
	if !ok {
		return nil
	}
	var out []netip.Prefix
	for _, e := range list {
		text, is := e.text()
		if !is {
			continue
		}
		p, mistake := parseSource(text)
		if mistake == "" && m != nil && m.Address.IsValid() && len(ofVersion(m.addresses(), p.Addr().Is4())) == 0 {
			mistake = fmt.Sprintf("%q can't be a source for %s, whose address is %s: one is IPv4, the other IPv6", text, m.Addr, m.Address)
		}
		if mistake != "" {
			f.fail(e.attr, e.at(), "Invalid source", "%s.", mistake)
			continue
		}
		out = append(out, p)
	}
	return plan.CanonicalSources(out)
}

// parseSource reads an address or a network. It says what is wrong with
// anything else.
func parseSource(s string) (netip.Prefix, string) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Sprintf("%q is neither an IP address nor a network such as 203.0.113.0/24", s)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	switch {
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Sprintf("%q is an IPv4 address in IPv6 notation. Write it as IPv4", s)
	case p != p.Masked():
		// Either could be meant, and one of them lets many more in.
		return netip.Prefix{}, fmt.Sprintf("%q names one address and a network at once. Write %s for the network, or %s for the address", s, p.Masked(), p.Addr())
	}
	return p, ""
}

// object is what a reference to p gets.
func (p *PortRange) object() map[string]cty.Value {
	wan := p.WANPorts
	if wan == nil {
		wan = p.Ports
	}
	attrs := map[string]cty.Value{
		"machine":   cty.UnknownVal(cty.String),
		"address":   cty.UnknownVal(cty.String),
		"gateways":  texts(p.Gateways, func(g *Gateway) string { return g.Addr.String() }),
		"ports":     knownTexts(p.Ports, plan.PortRange.String),
		"wan_ports": knownTexts(wan, plan.PortRange.String),
		"protocols": texts(p.Protocols, func(p plan.Protocol) string { return string(p) }),
		"sources":   texts(p.Sources, netip.Prefix.String),
	}
	if p.Machine == nil || !p.Machine.Address.IsValid() {
		return attrs
	}
	attrs["machine"] = cty.StringVal(p.Machine.Addr.String())
	attrs["address"] = cty.StringVal(p.Machine.Address.String())
	if len(p.Sources) == 0 {
		// As the author would write it: an empty list lets nobody in.
		anyone := netip.PrefixFrom(p.Machine.Address, 0).Masked()
		attrs["sources"] = texts([]netip.Prefix{anyone}, netip.Prefix.String)
	}
	return attrs
}

func texts[T any](list []T, text func(T) string) cty.Value {
	if len(list) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	out := make([]cty.Value, len(list))
	for i, e := range list {
		out[i] = cty.StringVal(text(e))
	}
	return cty.ListVal(out)
}

// knownTexts is texts for what can only be empty after a mistake.
func knownTexts[T any](list []T, text func(T) string) cty.Value {
	if len(list) == 0 {
		return cty.UnknownVal(cty.List(cty.String))
	}
	return texts(list, text)
}
