package linuxgw

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// version is the IP version of packets, as far as it can be told.
type version int

const (
	anyIP version = iota
	ipv4
	ipv6
)

// of says whether packets to addr are of that version.
func (v version) of(addr netip.Addr) bool {
	return v == anyIP || addr.Is6() == (v == ipv6)
}

// versionOf gives the version of packets by a name that nftables has for it, as
// a family, a header or an nfproto.
func versionOf(name string) version {
	switch name {
	case "ip", "ipv4":
		return ipv4
	case "ip6", "ipv6":
		return ipv6
	}
	return anyIP
}

// match is what can be told of the packets that a foreign rule translates.
type match struct {
	version   version
	protocols []plan.Protocol
	ports     []plan.PortRange // none: all, or not known
	elsewhere bool             // not for packets from the WAN interface
	to        netip.Addr
	toPort    uint16
}

// forwards gives the rules that stand for m.
func (m *match) forwards(handle string) []plan.Live {
	if m.to.IsValid() {
		m.version = ipv4
		if m.to.Is6() {
			m.version = ipv6
		}
	}
	// The zero address stands for one that can't be told.
	var out []plan.Live
	for _, zero := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if !m.version.of(zero) {
			continue
		}
		to := m.to
		if !to.IsValid() {
			to = zero
		}
		live := plan.Live{Rule: plan.Rule{Kind: plan.Forward, To: netip.AddrPortFrom(to, m.toPort)}, Handle: handle}
		if m.elsewhere || len(m.ports) == 0 {
			return []plan.Live{live}
		}
		for _, protocol := range m.protocols {
			for _, ports := range m.ports {
				one := live
				one.Protocol, one.Ports = protocol, ports
				if m.toPort == 0 {
					one.To = netip.AddrPortFrom(to, ports.First)
				}
				out = append(out, one)
			}
		}
	}
	return out
}

// selector is the left side of a match, or the key of a map.
type selector struct {
	Payload *struct{ Protocol, Field string }
	Meta    *struct{ Key string }
}

func (s selector) isDport() bool {
	return s.Payload != nil && s.Payload.Field == "dport" && slices.Contains([]string{"tcp", "udp", "th"}, s.Payload.Protocol)
}

// narrow takes in one match statement, and says whether it understood it. What
// it doesn't understand leaves m wider than the rule is, never narrower.
func (m *match) narrow(body json.RawMessage, wan string) bool {
	var s struct {
		Op    string
		Left  selector
		Right json.RawMessage
	}
	if json.Unmarshal(body, &s) != nil || s.Op != "==" && s.Op != "in" {
		return false
	}
	values := parseValues(s.Right)
	if p := s.Left.Payload; p != nil && m.version == anyIP {
		m.version = versionOf(p.Protocol)
	}
	switch {
	case s.Left.isDport():
		m.setProtocol(s.Left.Payload.Protocol)
		m.ports = portsOf(values)
		return len(m.ports) > 0
	case s.Left.Meta != nil && s.Left.Meta.Key == "l4proto",
		s.Left.Payload != nil && s.Left.Payload.Protocol == "ip" && s.Left.Payload.Field == "protocol":
		if len(values) == 1 {
			m.setProtocol(values[0].String())
		}
		return len(values) == 1 && len(m.protocols) == 1
	case s.Left.Meta != nil && s.Left.Meta.Key == "nfproto":
		if len(values) == 1 {
			m.version = versionOf(values[0].String())
		}
		return m.version != anyIP
	case s.Left.Meta != nil && (s.Left.Meta.Key == "iifname" || s.Left.Meta.Key == "iif"):
		plain := len(values) > 0 && !slices.ContainsFunc(values, func(d nft.Datum) bool { return strings.ContainsAny(d.From, "*@") })
		m.elsewhere = plain && wan != "" && !slices.ContainsFunc(values, func(d nft.Datum) bool { return d.From == wan })
		return plain
	}
	return false
}

func (m *match) setProtocol(name string) {
	switch p := plan.Protocol(name); p {
	case plan.TCP, plan.UDP:
		m.protocols = []plan.Protocol{p}
	}
}

// dnat takes in where a dnat statement leads: an address, with or without a
// port, or a map from ports.
func (m *match) dnat(maps *nft.Ruleset, in nft.Table, body json.RawMessage) {
	var s struct {
		Family     string
		Addr, Port json.RawMessage
	}
	if json.Unmarshal(body, &s) != nil {
		return
	}
	if m.version == anyIP {
		m.version = versionOf(s.Family)
	}
	var addr string
	if json.Unmarshal(s.Addr, &addr) == nil {
		m.to, _ = netip.ParseAddr(addr)
	}
	if d, err := nft.ParseDatum(s.Port); err == nil {
		if ports, err := d.Ports(); err == nil {
			m.toPort = ports.First
		}
	}
	var lookup struct {
		Map *struct {
			Key  selector
			Data json.RawMessage
		}
	}
	if json.Unmarshal(s.Addr, &lookup) != nil || lookup.Map == nil || !lookup.Map.Key.isDport() {
		return
	}
	m.setProtocol(lookup.Map.Key.Payload.Protocol)
	set := nft.Set{IsMap: true}
	var name string
	if json.Unmarshal(lookup.Map.Data, &name) == nil {
		set, _ = maps.Set(in, strings.TrimPrefix(name, "@"))
	} else {
		var anonymous struct{ Set json.RawMessage }
		if json.Unmarshal(lookup.Map.Data, &anonymous) == nil {
			set.Elem = anonymous.Set
		}
	}
	elements, err := set.Elements()
	if err != nil {
		return
	}
	for _, e := range elements {
		m.ports = append(m.ports, portsOf(e.Key)...)
	}
}

// parseValues reads the right side of a match: one value or a set of them;
// none if it is neither.
func parseValues(raw json.RawMessage) []nft.Datum {
	var set struct{ Set []json.RawMessage }
	if json.Unmarshal(raw, &set) != nil || set.Set == nil {
		set.Set = []json.RawMessage{raw}
	}
	var out []nft.Datum
	for _, r := range set.Set {
		if d, err := nft.ParseDatum(r); err == nil {
			out = append(out, d)
		}
	}
	return out
}

func portsOf(data []nft.Datum) []plan.PortRange {
	var out []plan.PortRange
	for _, d := range data {
		if ports, err := d.Ports(); err == nil {
			out = append(out, ports)
		}
	}
	return out
}
