package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// findProblems tells of what keeps packets from passing however right the
// rules are. Each is a fact that was seen on the gateway.
func (s *state) findProblems(g *gateway, f *facts) []providers.Problem {
	var out []providers.Problem
	if !f.forwarding {
		out = append(out, providers.Problem{
			Summary: "IP forwarding is off",
			Detail:  "net.ipv4.ip_forward is 0, so the kernel passes no packet from one interface to another. Turn it on with sysctl -w net.ipv4.ip_forward=1, and for the next boot in a file of /etc/sysctl.d.",
		})
	}
	targets := s.targets()
	if i := slices.IndexFunc(targets, netip.Addr.Is6); i >= 0 && !f.forwarding6 {
		out = append(out, providers.Problem{
			Summary: "IPv6 forwarding is off",
			Detail:  fmt.Sprintf("net.ipv6.conf.all.forwarding is 0, so no packet gets to %s. Turn it on with sysctl -w net.ipv6.conf.all.forwarding=1, and for the next boot in a file of /etc/sysctl.d.", targets[i]),
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
			})
		case r.iface == s.wan:
			out = append(out, providers.Problem{
				Summary: fmt.Sprintf("%s is on the wrong side", target),
				Detail:  fmt.Sprintf("The gateway's route to %s leads out by %s, the WAN interface, so it is on none of the gateway's own networks. Is the machine's address right, and wan_interface?", target, s.wan),
			})
		}
	}
	if f.ruleset != nil {
		out = append(out, s.earlyDrops(f.ruleset)...)
	}
	if g.wan != "" && !slices.Contains(f.interfaces, g.wan) {
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There is no interface %s", g.wan),
			Detail:  fmt.Sprintf("The rules are for packets that come in on wan_interface, but the gateway has only %s. If %s comes up later, all is well.", strings.Join(f.interfaces, ", "), g.wan),
		})
	}
	if _, there := f.commands[legacy]; !there && slices.Contains(f.legacyTables, "filter") {
		out = append(out, providers.Problem{
			Summary: "There are rules of iptables-legacy that can't be read",
			Detail:  "The kernel has tables of iptables-legacy, but the gateway has no iptables-legacy to list them with. If they drop forwarded packets, a port that btplan opens stays closed. Install the package iptables there.",
		})
	}
	return append(out, bootProblem(f.boot)...)
}

// targets are the machines that our rules lead to.
func (s *state) targets() []netip.Addr {
	var out []netip.Addr
	for _, l := range s.rules {
		if !l.Owner.IsZero() {
			out = append(out, l.To.Addr())
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// earlyDrops tells of rules that drop the packets of ours before anything can
// mark them or translate them.
func (s *state) earlyDrops(rs *nft.Ruleset) []providers.Problem {
	var out []providers.Problem
	for _, c := range rs.Chains {
		if c.Type != "filter" || c.Hook != "prerouting" || c.Family == "ip6" || isOurs(c.In()) {
			continue
		}
		for _, r := range rs.RulesOf(c) {
			i := slices.IndexFunc(s.rules, func(l plan.Live) bool { return !l.Owner.IsZero() && dropsAll(r, l.Rule, s.wan) })
			if i >= 0 {
				out = append(out, providers.Problem{
					Summary: fmt.Sprintf("%s ports are dropped early", strings.ToUpper(string(s.rules[i].Protocol))),
					Detail:  fmt.Sprintf("A rule of %s (%s) drops packets for %s %s before they can be forwarded. Nothing that btplan does can let them pass: remove that rule.", c, r, s.rules[i].Protocol, s.rules[i].Ports),
				})
			}
		}
	}
	return out
}

// dropsAll says whether a foreign rule surely drops some packets of ours: it
// drops, and what it asks of a packet is its interface, protocol and port only.
func dropsAll(r nft.Rule, ours plan.Rule, wan string) bool {
	m := match{protocols: []plan.Protocol{plan.TCP, plan.UDP}}
	drops := false
	for _, s := range r.Statements {
		switch s.Name {
		case "counter", "log":
		case "match":
			if !m.narrow(s.Body, wan) {
				return false
			}
		case "drop":
			drops = true
		default:
			return false
		}
	}
	hits := func(p plan.PortRange) bool { return p.Overlaps(ours.Ports) }
	return drops && !m.elsewhere && slices.Contains(m.protocols, ours.Protocol) &&
		(len(m.ports) == 0 || slices.ContainsFunc(m.ports, hits))
}
