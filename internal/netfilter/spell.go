package netfilter

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/plan"
)

// PassMark is the one bit of the packet mark by which our rules tell other
// people's chains to let a packet pass.
const PassMark = "0x10000000"

// SetMark spells nft's statement that sets one bit of the packet mark.
func SetMark(bit string) string { return " meta mark set meta mark or " + bit }

// MarkTarget spells the same as a target of iptables.
func MarkTarget(bit string) string { return "MARK --set-xmark " + bit + "/" + bit }

// Family is nft's name of an IP version.
func Family(six bool) string {
	if six {
		return "ip6"
	}
	return "ip"
}

// Anywhere spells any address.
func Anywhere(six bool) string {
	if six {
		return "::/0"
	}
	return "0.0.0.0/0"
}

// SpellSources spells who may connect.
func SpellSources(sources []netip.Prefix, six bool) []string {
	if len(sources) == 0 {
		return []string{Anywhere(six)}
	}
	out := make([]string, 0, len(sources))
	for _, p := range sources {
		out = append(out, p.String())
	}
	return out
}

// IptablesComment spells the match of iptables that carries a comment, if
// there is any.
func IptablesComment(comment string) string {
	if comment == "" {
		return ""
	}
	return " -m comment --comment " + iptables.Quote(comment)
}

// Packets spells iptables' matches of some packets: from and to are an address
// or a prefix, or empty; state is options of conntrack, or empty; side is
// --dport or --sport.
func Packets(from, to string, protocol plan.Protocol, state, side, ports string) string {
	if state != "" {
		state = " -m conntrack " + state
	}
	return fmt.Sprintf("%s%s -p %s%s -m %s %s %s", Address("-s", from), Address("-d", to), protocol, state, protocol, side, Colon(ports))
}

// Address spells the match of an address, which is none for any address.
func Address(option, addr string) string {
	switch {
	case addr == "", addr == Anywhere(false), addr == Anywhere(true):
		return ""
	case !strings.Contains(addr, "/"):
		addr = netip.PrefixFrom(netip.MustParseAddr(addr), netip.MustParseAddr(addr).BitLen()).String()
	}
	return " " + option + " " + addr
}

// Colon spells a range of ports as iptables does.
func Colon(ports string) string { return strings.Replace(ports, "-", ":", 1) }

// ParseColon reads 6881 or 6881:6889. (A range without an end, 6881:, is
// printed with its end.)
func ParseColon(s string) (plan.PortRange, error) {
	if strings.Contains(s, "-") {
		return plan.PortRange{}, fmt.Errorf("%q is not a range of ports", s)
	}
	return plan.ParsePortRange(strings.Replace(s, ":", "-", 1))
}

// MustParse reads a rule of iptables that we have spelled ourselves.
func MustParse(line string) iptables.Rule {
	r, err := iptables.ParseRule(line)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", line, err))
	}
	return r
}
