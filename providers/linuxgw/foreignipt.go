package linuxgw

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
)

// foreignDNAT gives the port forwards of others that one variant of iptables
// holds: those of the chains that packets go through before they are routed,
// our own left out if they are there.
func foreignDNAT(on netfilter.Program, nat iptables.Table, home *holding, wan string) []plan.Live {
	own := ""
	if c, is := home.filter.(*chains); is && c.IsOn(on) {
		own = c.Chain(dnatChain)
	}
	var out []plan.Live
	for _, c := range nat.From("PREROUTING") {
		if c.Name == own {
			continue
		}
		for i, r := range c.Rules {
			handle := fmt.Sprintf("rule %d of chain %s in the nat table of %s", i+1, c.Name, on.Command)
			out = append(out, foreignIptablesRule(r, handle, wan, on.Six)...)
		}
	}
	return out
}

// foreignIptablesRule gives the forwards that one rule makes: none if it
// translates nothing.
func foreignIptablesRule(r iptables.Rule, handle, wan string, six bool) []plan.Live {
	switch r.Target() {
	case "DNAT", "REDIRECT", "NETMAP":
	default:
		return nil
	}
	m := translation{}
	m.Match, _ = netfilter.MatchOf(r, six)
	m.to, m.toPort = destination(r.Value("--to-destination"))
	return m.forwards(handle, wan)
}

// destination reads the value of --to-destination: an address or a range of
// them, and a port or a range of ports, each of which may be missing. It gives
// the first of each.
func destination(to string) (addr netip.Addr, port uint16) {
	host := to
	if at, found := strings.CutPrefix(to, "["); found { // IPv6 with a port
		host, to, _ = strings.Cut(at, "]")
	} else if strings.Count(to, ":") == 1 {
		host, to, _ = strings.Cut(to, ":")
	} else {
		to = ""
	}
	host, _, _ = strings.Cut(host, "-")
	addr, _ = netip.ParseAddr(host)
	ports, _, _ := strings.Cut(strings.TrimPrefix(to, ":"), "/")
	if ports, err := plan.ParsePortRange(ports); err == nil {
		port = ports.First
	}
	return addr, port
}
