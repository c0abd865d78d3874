package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
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
	out = append(out, s.earlyDrops(f)...)
	if g.wan != "" && !slices.Contains(f.interfaces, g.wan) {
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There is no interface %s", g.wan),
			Detail:  fmt.Sprintf("The rules are for packets that come in on wan_interface, but the gateway has only %s. If %s comes up later, all is well.", strings.Join(f.interfaces, ", "), g.wan),
		})
	}
	for _, six := range []bool{false, true} {
		x := f.of(six)
		if _, there := x.commands[legacy]; there || !slices.Contains(x.legacyTables, "filter") {
			continue
		}
		command := commandOf("iptables-legacy", six)
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There are rules of %s that can't be read", command),
			Detail:  fmt.Sprintf("The kernel has tables of %[1]s, but the gateway has no %[1]s to list them with. If they drop forwarded packets, a port that btplan opens stays closed. Install the package iptables there.", command),
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
func (s *state) earlyDrops(f *facts) []providers.Problem {
	var out []providers.Problem
	report := func(chain, rule string, drops func(plan.Rule) bool) {
		i := slices.IndexFunc(s.rules, func(l plan.Live) bool { return !l.Owner.IsZero() && drops(l.Rule) })
		if i >= 0 {
			out = append(out, providers.Problem{
				Summary: fmt.Sprintf("%s ports are dropped early", strings.ToUpper(string(s.rules[i].Protocol))),
				Detail:  fmt.Sprintf("A rule of %s (%s) drops packets for %s %s before they can be forwarded. Nothing that btplan does can let them pass: remove that rule.", chain, rule, s.rules[i].Protocol, s.rules[i].Ports),
			})
		}
	}
	if f.ruleset != nil {
		for _, c := range f.ruleset.Chains {
			if c.Type != "filter" || c.Hook != "prerouting" || isOurs(c.In()) {
				continue
			}
			for _, r := range f.ruleset.RulesOf(c) {
				report(c.String(), r.String(), func(ours plan.Rule) bool { return dropsAll(r, ours, s.wan) })
			}
		}
	}
	for on, save := range f.listed() {
		if on.variant == viaNft && f.ruleset != nil {
			continue // seen already
		}
		for _, table := range []string{"raw", "mangle"} {
			c, _ := save.Table(table).Chain("PREROUTING")
			for _, r := range c.Rules {
				report(fmt.Sprintf("table %s of %s", table, on.command), r.String(), func(ours plan.Rule) bool {
					return dropsAllIptables(r, ours, s.wan, on.six)
				})
			}
		}
	}
	return out
}

// dropsAll says whether a foreign rule surely drops some packets of ours: it
// drops, and what it asks of a packet is its interface, protocol and port only.
func dropsAll(r nft.Rule, ours plan.Rule, wan string) bool {
	m := match{protocols: []plan.Protocol{plan.TCP, plan.UDP}, version: versionOf(r.Family)}
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
	return drops && m.hits(ours)
}

// dropsAllIptables is dropsAll for a rule of iptables.
func dropsAllIptables(r iptables.Rule, ours plan.Rule, wan string, six bool) bool {
	for _, o := range r.Options {
		known := false
		switch value := r.Value(o.Name); o.Name {
		case "-i":
			known = !strings.HasSuffix(value, "+")
		case "-p":
			known = value == string(ours.Protocol)
		case "-m":
			known = slices.Contains([]string{"tcp", "udp", "multiport", "comment"}, strings.Join(o.Values, " "))
		case "-j", "--dport", "--dports", "--comment":
			known = true
		}
		if o.Not || !known {
			return false
		}
	}
	m := matchOf(r, wan, six)
	_, forPorts := r.Option("--dport", "--dports")
	return r.Target() == "DROP" && forPorts == (len(m.ports) > 0) && m.hits(ours)
}

// hits says whether some packets for a rule's ports are surely among those of m.
func (m match) hits(ours plan.Rule) bool {
	return !m.elsewhere && m.version.of(ours.To.Addr()) && slices.Contains(m.protocols, ours.Protocol) &&
		(len(m.ports) == 0 || slices.ContainsFunc(m.ports, ours.Ports.Overlaps))
}
