package linuxgw

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// foreignForwards gives the port forwards of others: those of other projects,
// and every rule that translates the destination of packets that come in. One
// whose ports can't be told, or that does not concern packets from the WAN
// interface, is counted with ports that collide with nobody's.
func foreignForwards(f *facts, home *holding, wan string) ([]plan.Live, error) {
	var out []plan.Live
	for _, v := range []variant{viaNft, legacy} {
		if save := f.saves[v]; save != nil {
			out = append(out, foreignDNAT(f.commands[v], save.Table("nat"), home, wan)...)
		}
	}
	if f.ruleset == nil {
		return out, nil
	}
	for _, t := range f.maps.Sets {
		if !isOurs(t.In()) || slices.ContainsFunc(out, func(l plan.Live) bool { return l.Handle == t.In().String() }) {
			continue
		}
		if f.own.HasTable(t.In()) {
			continue
		}
		entries, err := readEntries(f.maps, t.In())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.In(), err)
		}
		for _, r := range joined(entries) {
			out = append(out, plan.Live{Rule: r, Handle: t.In().String()})
		}
	}
	for _, c := range fromPrerouting(f.ruleset) {
		if f.saves[viaNft] != nil && c.In() == (nft.Table{Family: "ip", Name: "nat"}) && !slices.Contains(f.saves[viaNft].Incompatible, "nat") {
			continue // which iptables tells better
		}
		for _, r := range f.ruleset.RulesOf(c) {
			out = append(out, foreignRule(f.maps, r, wan)...)
		}
	}
	return out, nil
}

// fromPrerouting gives the chains that packets go through before they are
// routed, and that may translate: those of type nat and where they lead.
func fromPrerouting(rs *nft.Ruleset) []nft.Chain {
	var out, todo []nft.Chain
	for _, c := range rs.Chains {
		if c.Type == "nat" && c.Hook == "prerouting" && !isOurs(c.In()) && c.Family != "ip6" {
			todo = append(todo, c)
		}
	}
	for len(todo) > 0 {
		c := todo[0]
		todo = todo[1:]
		if slices.Contains(out, c) {
			continue
		}
		out = append(out, c)
		for _, r := range rs.RulesOf(c) {
			for _, s := range r.Statements {
				if s.Name != "jump" && s.Name != "goto" {
					continue
				}
				var to struct{ Target string }
				if json.Unmarshal(s.Body, &to) != nil {
					continue
				}
				for _, next := range rs.Chains {
					if next.In() == c.In() && next.Name == to.Target {
						todo = append(todo, next)
					}
				}
			}
		}
	}
	return out
}

// foreignRule gives the forwards that one rule makes: none if it translates
// nothing.
func foreignRule(maps *nft.Ruleset, r nft.Rule, wan string) []plan.Live {
	m := match{protocols: []plan.Protocol{plan.TCP, plan.UDP}}
	translates := false
	for _, s := range r.Statements {
		switch s.Name {
		case "match":
			m.narrow(s.Body, wan)
		case "dnat":
			translates = true
			m.dnat(maps, r.In(), s.Body)
		case "redirect":
			translates = true
		case "xt": // a target of iptables, of which nft shows only the name
			var xt struct{ Type, Name string }
			if json.Unmarshal(s.Body, &xt) == nil && (xt.Name == "DNAT" || xt.Name == "REDIRECT") {
				translates = true
			}
		}
	}
	if !translates {
		return nil
	}
	return m.forwards(r.String())
}

// match is what can be told of the packets that a foreign rule translates.
type match struct {
	protocols []plan.Protocol
	ports     []plan.PortRange // none: all, or not known
	elsewhere bool             // not for packets from the WAN interface
	to        netip.Addr
	toPort    uint16
}

// forwards gives the rules that stand for m.
func (m *match) forwards(handle string) []plan.Live {
	// The zero address stands for one that can't be told.
	to := m.to
	if !to.Is4() {
		to = netip.IPv4Unspecified()
	}
	live := plan.Live{Rule: plan.Rule{Kind: plan.Forward, To: netip.AddrPortFrom(to, m.toPort)}, Handle: handle}
	if m.elsewhere || len(m.ports) == 0 {
		return []plan.Live{live}
	}
	var out []plan.Live
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
	var s struct{ Addr, Port json.RawMessage }
	if json.Unmarshal(body, &s) != nil {
		return
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
