package netfilter

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// Version is the IP version of packets, as far as it can be told.
type Version int

// The versions.
const (
	AnyIP Version = iota
	IPv4
	IPv6
)

// Of says whether packets to addr are of that version.
func (v Version) Of(addr netip.Addr) bool {
	return v == AnyIP || addr.Is6() == (v == IPv6)
}

// VersionOf gives the version of packets by a name that nftables has for it, as
// a family, a header or an nfproto.
func VersionOf(name string) Version {
	switch name {
	case "ip", "ipv4":
		return IPv4
	case "ip6", "ipv6":
		return IPv6
	}
	return AnyIP
}

// Match is what can be told of the packets that a rule is for. Where not all
// can be told it is wider than the rule, never narrower.
type Match struct {
	Version   Version
	Protocols []plan.Protocol
	Ports     []plan.PortRange // to which they go; none: all, or not known
	From      []netip.Prefix   // where they come from; none: anywhere
	In        []string         // interfaces by which they come; none: any
}

// MatchIn is all packets that come by a chain of nftables of this family.
func MatchIn(family string) Match {
	return Match{Version: VersionOf(family), Protocols: []plan.Protocol{plan.TCP, plan.UDP}}
}

// MatchOf tells of which packets a rule of iptables is. whole says that all of
// it was understood.
func MatchOf(r iptables.Rule, six bool) (m Match, whole bool) {
	m, whole = MatchIn(Family(six)), true
	for _, o := range r.Options {
		known := false
		switch value := r.Value(o.Name); o.Name {
		case "-i":
			if known = !strings.HasSuffix(value, "+"); known && value != "" {
				m.In = []string{value}
			}
		case "-p":
			known = m.SetProtocol(value)
		case "-s":
			p, err := netip.ParsePrefix(value)
			if known = err == nil; known {
				m.From = []netip.Prefix{p}
			}
		case "--dport", "--dports":
			if !o.Not && len(o.Values) == 1 {
				known = m.addPorts(o.Values[0])
			}
		case "-m":
			known = slices.Contains([]string{"tcp", "udp", "multiport", "comment"}, strings.Join(o.Values, " "))
		case "-j", "--comment", "--reject-with":
			known = true
		}
		whole = whole && known && !o.Not
	}
	return m, whole
}

// addPorts reads 80,443,6881:6889, and says whether it understood all of it.
func (m *Match) addPorts(list string) bool {
	all := true
	for s := range strings.SplitSeq(list, ",") {
		ports, err := ParseColon(s)
		if err != nil {
			all = false
			continue
		}
		m.Ports = append(m.Ports, ports)
	}
	return all
}

// Selector is the left side of a match of nftables, or the key of a map.
type Selector struct {
	Payload *struct{ Protocol, Field string }
	Meta    *struct{ Key string }
}

// IsDport says whether it is the port that packets go to.
func (s Selector) IsDport() bool {
	return s.Payload != nil && s.Payload.Field == "dport" && slices.Contains([]string{"tcp", "udp", "th"}, s.Payload.Protocol)
}

// isPayload says whether it is this field of one of these headers.
func (s Selector) isPayload(field string, headers ...string) bool {
	return s.Payload != nil && s.Payload.Field == field && slices.Contains(headers, s.Payload.Protocol)
}

// isMeta says whether it is one of these.
func (s Selector) isMeta(keys ...string) bool {
	return s.Meta != nil && slices.Contains(keys, s.Meta.Key)
}

// Narrow takes in one match statement of nftables, and says whether it
// understood it.
func (m *Match) Narrow(body json.RawMessage) bool {
	var s struct {
		Op    string
		Left  Selector
		Right json.RawMessage
	}
	if json.Unmarshal(body, &s) != nil || s.Op != "==" && s.Op != "in" {
		return false
	}
	values := parseValues(s.Right)
	if p := s.Left.Payload; p != nil && m.Version == AnyIP {
		m.Version = VersionOf(p.Protocol)
	}
	switch left := s.Left; {
	case left.IsDport():
		m.SetProtocol(left.Payload.Protocol)
		m.Ports = PortsOf(values)
		return len(m.Ports) > 0
	case left.isMeta("l4proto"), left.isPayload("protocol", "ip"):
		if len(values) == 1 {
			m.SetProtocol(values[0].String())
		}
		return len(values) == 1 && len(m.Protocols) == 1
	case left.isMeta("nfproto"):
		if len(values) == 1 {
			m.Version = VersionOf(values[0].String())
		}
		return m.Version != AnyIP
	case left.isMeta("iifname", "iif"):
		return m.narrowIn(values)
	case left.isPayload("saddr", "ip", "ip6"):
		return m.narrowFrom(values)
	}
	return false
}

func (m *Match) narrowIn(values []nft.Datum) bool {
	for _, d := range values {
		if strings.ContainsAny(d.From, "*@") {
			m.In = nil
			return false
		}
		m.In = append(m.In, d.From)
	}
	return len(values) > 0
}

func (m *Match) narrowFrom(values []nft.Datum) bool {
	for _, d := range values {
		p, err := d.Prefix()
		if err != nil {
			m.From = nil
			return false
		}
		m.From = append(m.From, p)
	}
	return len(values) > 0
}

// SetProtocol takes in the name of a protocol, and says whether it is one that
// rules of ours may have.
func (m *Match) SetProtocol(name string) bool {
	switch p := plan.Protocol(name); p {
	case plan.TCP, plan.UDP:
		m.Protocols = []plan.Protocol{p}
		return true
	}
	return false
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
		d, err := nft.ParseDatum(r)
		if err != nil {
			return nil
		}
		out = append(out, d)
	}
	return out
}

// PortsOf gives those values that are ports.
func PortsOf(data []nft.Datum) []plan.PortRange {
	var out []plan.PortRange
	for _, d := range data {
		if ports, err := d.Ports(); err == nil {
			out = append(out, ports)
		}
	}
	return out
}
