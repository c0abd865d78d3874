package linuxgw

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/plan"
)

// foreignDNAT gives the port forwards of others that one variant of iptables
// holds: those of the chains that packets go through before they are routed,
// our own left out if they are there.
func foreignDNAT(on program, nat iptables.Table, home *holding, wan string) []plan.Live {
	own := ""
	if c, is := home.filter.(*ownChains); is && c.on == on {
		own = chainName(dnatChain, c.project)
	}
	var out []plan.Live
	for _, c := range nat.From("PREROUTING") {
		if c.Name == own {
			continue
		}
		for i, r := range c.Rules {
			handle := fmt.Sprintf("rule %d of chain %s in the nat table of %s", i+1, c.Name, on.command)
			out = append(out, foreignIptablesRule(r, handle, wan)...)
		}
	}
	return out
}

// foreignIptablesRule gives the forwards that one rule makes: none if it
// translates nothing.
func foreignIptablesRule(r iptables.Rule, handle, wan string) []plan.Live {
	switch r.Target() {
	case "DNAT", "REDIRECT", "NETMAP":
	default:
		return nil
	}
	m := match{protocols: []plan.Protocol{plan.TCP, plan.UDP}}
	m.setProtocol(r.Value("-p"))
	if o, found := r.Option("--dport", "--dports"); found && !o.Not && len(o.Values) == 1 {
		for s := range strings.SplitSeq(o.Values[0], ",") {
			if ports, err := parsePorts(s); err == nil {
				m.ports = append(m.ports, ports)
			}
		}
	}
	if iface := r.Value("-i"); iface != "" && !strings.HasSuffix(iface, "+") {
		m.elsewhere = iface != wan
	}
	to := r.Value("--to-destination")
	if addr, err := netip.ParseAddr(to); err == nil {
		m.to = addr
	} else if host, port, found := strings.Cut(to, ":"); found {
		if addr, err := netip.ParseAddr(host); err == nil {
			m.to = addr
		}
		if ports, err := plan.ParsePortRange(strings.SplitN(port, "/", 2)[0]); err == nil {
			m.toPort = ports.First
		}
	}
	return m.forwards(handle)
}
