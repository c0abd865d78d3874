package windows

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// rule is one rule as windows.ps1 prints it, in the words of the
// NetSecurity module (MSFT_NetFirewallRule and its filters). "Any" stands for no
// restriction.
type rule struct {
	Name          string   `json:"name"` // its InstanceID: unique, and never changes
	Display       string   `json:"display"`
	Description   string   `json:"description"`
	Source        string   `json:"source"` // Local; GroupPolicy and MDM: policy
	Direction     string   `json:"direction"`
	Enabled       string   `json:"enabled"`
	Action        string   `json:"action"`
	Profile       string   `json:"profile"`
	Protocol      string   `json:"protocol"`
	LocalPort     []string `json:"localPort"`
	RemotePort    []string `json:"remotePort"`
	LocalAddress  []string `json:"localAddress"`
	RemoteAddress []string `json:"remoteAddress"`
	Program       string   `json:"program"`
	Package       string   `json:"package"`
	Service       string   `json:"service"`
	InterfaceType string   `json:"interfaceType"`
}

const anything = "Any"

// The directions of rules: of what comes to the machine, and of what it sends.
const (
	dirIn  = "Inbound"
	dirOut = "Outbound"
)

func direction(k plan.Kind) string {
	if k == plan.Outbound {
		return dirOut
	}
	return dirIn
}

func (r rule) kind() plan.Kind {
	if strings.EqualFold(r.Direction, dirOut) {
		return plan.Outbound
	}
	return plan.Allow
}

// listed are the ports that a rule is for: those of the machine that packets
// come to, be that this one or another.
func (r rule) listed() []string {
	if r.kind() == plan.Outbound {
		return r.RemotePort
	}
	return r.LocalPort
}

// narrowing is what else a rule says of packets that no rule of ours does.
func (r rule) narrowing() []string {
	if r.kind() == plan.Outbound {
		return slices.Concat(r.LocalPort, r.LocalAddress, r.RemoteAddress)
	}
	return slices.Concat(r.RemotePort, r.LocalAddress)
}

func isAny(values ...string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return v != "" && !strings.EqualFold(v, anything) })
}

// protocols are those that a rule is for, of those that we know.
func (r rule) protocols() []plan.Protocol {
	switch strings.ToUpper(r.Protocol) {
	case "TCP", "6":
		return []plan.Protocol{plan.TCP}
	case "UDP", "17":
		return []plan.Protocol{plan.UDP}
	case "ANY", "":
		return []plan.Protocol{plan.TCP, plan.UDP}
	}
	return nil
}

// ports are those that a rule is for. The error is about a word for ports, such
// as RPC, that only Windows knows.
func (r rule) ports() ([]plan.PortRange, error) {
	if isAny(r.listed()...) {
		return []plan.PortRange{{First: 1, Last: 65535}}, nil
	}
	var out []plan.PortRange
	for _, text := range r.listed() {
		p, err := plan.ParsePortRange(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// sources are where an inbound rule's packets come from. Windows gives back a
// subnet of IPv4 with its mask, whatever was written; and has words for more,
// such as LocalSubnet, which are an error here.
func (r rule) sources() ([]netip.Prefix, error) {
	if r.kind() == plan.Outbound || isAny(r.RemoteAddress...) {
		return nil, nil
	}
	var out []netip.Prefix
	for _, text := range r.RemoteAddress {
		p, err := parseWindowsAddress(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return plan.CanonicalSources(out), nil
}

// parseWindowsAddress reads an address, an address with its prefix length or
// mask, or a range that is a subnet.
func parseWindowsAddress(text string) (netip.Prefix, error) {
	failed := fmt.Errorf("%q is no address or subnet", text)
	if first, last, isRange := strings.Cut(text, "-"); isRange {
		return parseAddressRange(first, last, failed)
	}
	host, length, hasLength := strings.Cut(text, "/")
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Prefix{}, failed
	}
	if !hasLength {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	if mask, err := netip.ParseAddr(length); err == nil && mask.Is4() && a.Is4() {
		for bits := range 33 {
			if netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), bits).Masked().Addr() == mask {
				return netip.PrefixFrom(a, bits).Masked(), nil
			}
		}
		return netip.Prefix{}, failed
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, failed
	}
	return p.Masked(), nil
}

func parseAddressRange(first, last string, failed error) (netip.Prefix, error) {
	a, errA := netip.ParseAddr(first)
	b, errB := netip.ParseAddr(last)
	if errA != nil || errB != nil || a.Zone() != "" || a.BitLen() != b.BitLen() || a.Is4In6() || b.Less(a) {
		return netip.Prefix{}, failed
	}
	for bits := a.BitLen(); bits >= 0; bits-- {
		if p := netip.PrefixFrom(a, bits); p.Masked().Addr() == a && p.Contains(b) {
			// It is the smallest that holds both: a subnet if b is its end.
			if next := b.Next(); !next.IsValid() || !p.Contains(next) {
				return p, nil
			}
			break
		}
	}
	return netip.Prefix{}, failed
}

// spelledAddresses spells sources as New-NetFirewallRule and netsh take them,
// neither of which takes a prefix of length 0: that becomes its two halves.
func spelledAddresses(sources []netip.Prefix) []string {
	if len(sources) == 0 {
		return []string{anything}
	}
	var out []string
	for _, p := range sources {
		switch {
		case p.Bits() > 0:
			out = append(out, p.String())
		case p.Addr().Is4():
			out = append(out, "0.0.0.0/1", "128.0.0.0/1")
		default:
			out = append(out, "::/1", "8000::/1")
		}
	}
	return out
}

// rules gives what a rule lets in or out, one for each protocol and range of ports.
func (r rule) rules() ([]plan.Rule, error) {
	ports, err := r.ports()
	if err != nil {
		return nil, err
	}
	sources, err := r.sources()
	if err != nil {
		return nil, err
	}
	protocols := r.protocols()
	if protocols == nil {
		return nil, fmt.Errorf("its protocol is %q", r.Protocol)
	}
	var out []plan.Rule
	for _, protocol := range protocols {
		for _, p := range ports {
			out = append(out, plan.Rule{Kind: r.kind(), Protocol: protocol, Ports: p, Sources: sources})
		}
	}
	return out, nil
}

// flaw says why a rule doesn't let pass what it says; empty: it does.
func (r rule) flaw() string {
	switch {
	case !strings.EqualFold(r.Enabled, "True"):
		return "it is turned off"
	case !strings.EqualFold(r.Action, "Allow"):
		return "it keeps packets out"
	case !isAny(r.Profile):
		return "it counts in some networks only"
	case !isAny(r.narrowing()...) || !isAny(r.Package, r.Service, r.InterfaceType):
		return "it was made to count for some connections only"
	}
	return ""
}

// block is a rule that drops packets. In Windows it wins over all rules
// that let them in or out.
type block struct {
	name  string // for people
	rules []plan.Rule
	vague bool // it is not for just what rules say
}

// meets says whether b drops some packets of r.
func (b block) meets(r plan.Rule) bool {
	return slices.ContainsFunc(b.rules, func(x plan.Rule) bool {
		return x.Collides(r) && host.SourcesMeet(x.Sources, r.Sources)
	})
}

// isFor says whether b is for nothing but ports of r, and for all their packets.
func (b block) isFor(r plan.Rule) bool {
	return !b.vague && !slices.ContainsFunc(b.rules, func(x plan.Rule) bool {
		return x.Sources != nil || x.Protocol != r.Protocol || x.Ports.First < r.Ports.First || x.Ports.Last > r.Ports.Last
	})
}
