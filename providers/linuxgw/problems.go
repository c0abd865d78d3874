package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// findProblems tells of what keeps packets from passing however right the
// rules are. Each is a fact that was seen on the gateway.
func (s *state) findProblems(f *facts) []providers.Problem {
	var out []providers.Problem
	if !f.forwarding {
		out = append(out, providers.Problem{
			Summary: "IP forwarding is off",
			Detail:  "net.ipv4.ip_forward is 0, so the kernel passes no packet from one interface to another. Turn it on with sysctl -w net.ipv4.ip_forward=1, and for the next boot in a file of /etc/sysctl.d.",
			OfRules: true,
		})
	}
	out = append(out, s.obstacles(s.ours())...)
	if s.on.wan != "" && !slices.Contains(f.interfaces, s.on.wan) {
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There is no interface %s", s.on.wan),
			Detail:  fmt.Sprintf("The rules are for packets that come in on wan_interface, but the gateway has only %s. If %s comes up later, all is well.", strings.Join(f.interfaces, ", "), s.on.wan),
			OfRules: true,
		})
	}
	for _, command := range f.Unlisted() {
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There are rules of %s that can't be read", command),
			Detail:  fmt.Sprintf("The kernel has tables of %[1]s, but the gateway has no %[1]s to list them with. If they drop forwarded packets, a port that btplan opens stays closed. Install the package iptables there.", command),
			OfRules: true,
		})
	}
	return append(append(out, s.returning()...), f.boot.Problems(noun)...)
}

// returning tells of rules that nobody sees before the next boot.
func (s *state) returning() []providers.Problem {
	if len(s.entries) > 0 {
		return nil
	}
	return s.on.boot().Returning(s.boot, noun)
}

// ours are the rules of this project.
func (s *state) ours() []plan.Rule {
	var out []plan.Rule
	for _, l := range s.rules {
		if !l.Owner.IsZero() {
			out = append(out, l.Rule)
		}
	}
	return out
}

// Advise tells beforehand of what will keep packets from passing.
func (g *gateway) Advise(changes []plan.Change) []providers.Problem {
	var rules []plan.Rule
	for _, c := range changes {
		if c.After != nil {
			rules = append(rules, *c.After)
		}
	}
	return g.last.obstacles(rules)
}

// obstacles are what stands in the way of the packets of these rules.
func (s *state) obstacles(rules []plan.Rule) []providers.Problem {
	var out []providers.Problem
	targets := targetsOf(rules)
	if i := slices.IndexFunc(targets, netip.Addr.Is6); i >= 0 && !s.forwarding6 {
		out = append(out, providers.Problem{
			Summary: "IPv6 forwarding is off",
			Detail:  fmt.Sprintf("net.ipv6.conf.all.forwarding is 0, so no packet gets to %s. Turn it on with sysctl -w net.ipv6.conf.all.forwarding=1, and for the next boot in a file of /etc/sysctl.d.", targets[i]),
			OfRules: true,
		})
	}
	for _, target := range targets {
		if !target.Is4() {
			continue
		}
		switch r, found := s.routes.lookup(target); {
		case !found:
			out = append(out, providers.Problem{
				Summary: fmt.Sprintf("No route to %s", target),
				Detail:  fmt.Sprintf("The gateway has no route to %s, so what is forwarded there is lost. Is the machine's address right?", target),
				OfRules: true,
			})
		case r.iface == s.wan:
			out = append(out, providers.Problem{
				Summary: fmt.Sprintf("%s is on the wrong side", target),
				Detail:  fmt.Sprintf("The gateway's route to %s leads out by %s, the WAN interface, so it is on none of the gateway's own networks. Is the machine's address right, and wan_interface?", target, s.wan),
				OfRules: true,
			})
		}
	}
	out = append(out, s.earlyDrops(rules)...)
	return append(out, s.unmarkedDrops(targets)...)
}

// targetsOf are the machines that rules lead to.
func targetsOf(rules []plan.Rule) []netip.Addr {
	var out []netip.Addr
	for _, r := range rules {
		out = append(out, r.To.Addr())
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// earlyDrops tells of rules that drop the packets of these before anything can
// mark them or translate them.
func (s *state) earlyDrops(rules []plan.Rule) []providers.Problem {
	var out []providers.Problem
	for _, v := range s.early {
		i := slices.IndexFunc(rules, func(r plan.Rule) bool { return hits(v.Match, r, s.wan) })
		if i >= 0 {
			out = append(out, providers.Problem{
				Summary: fmt.Sprintf("%s ports are dropped early", strings.ToUpper(string(rules[i].Protocol))),
				Detail:  fmt.Sprintf("Rule %s drops packets for %s %s before they can be forwarded. Nothing that btplan does can let them pass: remove that rule.", v, rules[i].Protocol, rules[i].Ports),
				OfRules: true,
			})
		}
	}
	return out
}

// unmarkedDrops tells of chains of nftables that may drop packets for these
// machines before our chains of iptables mark them.
func (s *state) unmarkedDrops(targets []netip.Addr) []providers.Problem {
	c, is := s.filter.(*chains)
	if !is {
		return nil
	}
	var to netfilter.Versions
	for _, t := range targets {
		to.Four, to.Six = to.Four || t.Is4(), to.Six || t.Is6()
	}
	var out []providers.Problem
	for _, chain := range c.Hooks.Before(netfilter.Forward, markPriority, to) {
		out = append(out, providers.Problem{
			Summary: "A chain of nftables comes too early",
			Detail:  fmt.Sprintf("The %s may drop forwarded packets, and with its priority of %d it comes before iptables, where btplan marks those that are to pass. Give it a priority above %d; or have nftables hold btplan's rules, which marks them earlier: run btplan destroy, set backend = \"nftables\", and apply.", chain, chain.Priority, markPriority),
			OfRules: true,
		})
	}
	return out
}

// hits says whether some packets for a rule's ports are surely among those of m.
func hits(m netfilter.Match, ours plan.Rule, wan string) bool {
	return !elsewhere(m, wan) && len(m.From) == 0 && m.Version.Of(ours.To.Addr()) && slices.Contains(m.Protocols, ours.Protocol) &&
		(len(m.Ports) == 0 || slices.ContainsFunc(m.Ports, ours.Ports.Overlaps))
}
