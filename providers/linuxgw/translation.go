package linuxgw

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// translation is what can be told of a foreign rule that translates where
// packets go.
type translation struct {
	netfilter.Match
	to     netip.Addr
	toPort uint16
}

// elsewhere says whether a rule is not for packets from the WAN interface.
func elsewhere(m netfilter.Match, wan string) bool {
	return wan != "" && len(m.In) > 0 && !slices.Contains(m.In, wan)
}

// forwards gives the rules that stand for m.
func (m *translation) forwards(handle, wan string) []plan.Live {
	if m.to.IsValid() {
		m.Version = netfilter.IPv4
		if m.to.Is6() {
			m.Version = netfilter.IPv6
		}
	}
	// The zero address stands for one that can't be told.
	var out []plan.Live
	for _, zero := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if !m.Version.Of(zero) {
			continue
		}
		to := m.to
		if !to.IsValid() {
			to = zero
		}
		live := plan.Live{Rule: plan.Rule{Kind: plan.Forward, To: netip.AddrPortFrom(to, m.toPort)}, Handle: handle}
		if elsewhere(m.Match, wan) || len(m.Ports) == 0 {
			return []plan.Live{live}
		}
		for _, protocol := range m.Protocols {
			for _, ports := range m.Ports {
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

// dnat takes in where a dnat statement leads: an address, with or without a
// port, or a map from ports.
func (m *translation) dnat(maps *nft.Ruleset, in nft.Table, body json.RawMessage) {
	var s struct {
		Family     string
		Addr, Port json.RawMessage
	}
	if json.Unmarshal(body, &s) != nil {
		return
	}
	if m.Version == netfilter.AnyIP {
		m.Version = netfilter.VersionOf(s.Family)
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
			Key  netfilter.Selector
			Data json.RawMessage
		}
	}
	if json.Unmarshal(s.Addr, &lookup) != nil || lookup.Map == nil || !lookup.Map.Key.IsDport() {
		return
	}
	m.SetProtocol(lookup.Map.Key.Payload.Protocol)
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
		m.Ports = append(m.Ports, netfilter.PortsOf(e.Key)...)
	}
}
