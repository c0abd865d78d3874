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
	if s.on.wan != "" && !slices.Contains(f.interfaces, s.on.wan) {
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There is no interface %s", s.on.wan),
			Detail:  fmt.Sprintf("The rules are for packets that come in on wan_interface, but the gateway has only %s. If %s comes up later, all is well.", strings.Join(f.interfaces, ", "), s.on.wan),
		})
	}
	for _, command := range f.Unlisted() {
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There are rules of %s that can't be read", command),
			Detail:  fmt.Sprintf("The kernel has tables of %[1]s, but the gateway has no %[1]s to list them with. If they drop forwarded packets, a port that btplan opens stays closed. Install the package iptables there.", command),
		})
	}
	return append(out, f.boot.Problems(noun)...)
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
	for v := range f.EarlyDrops() {
		i := slices.IndexFunc(s.rules, func(l plan.Live) bool { return !l.Owner.IsZero() && hits(v.Match, l.Rule, s.wan) })
		if i >= 0 {
			out = append(out, providers.Problem{
				Summary: fmt.Sprintf("%s ports are dropped early", strings.ToUpper(string(s.rules[i].Protocol))),
				Detail:  fmt.Sprintf("A rule of %s (%s) drops packets for %s %s before they can be forwarded. Nothing that btplan does can let them pass: remove that rule.", v.Chain, v.Rule, s.rules[i].Protocol, s.rules[i].Ports),
			})
		}
	}
	return out
}

// hits says whether some packets for a rule's ports are surely among those of m.
func hits(m netfilter.Match, ours plan.Rule, wan string) bool {
	return !elsewhere(m, wan) && len(m.From) == 0 && m.Version.Of(ours.To.Addr()) && slices.Contains(m.Protocols, ours.Protocol) &&
		(len(m.Ports) == 0 || slices.ContainsFunc(m.Ports, ours.Ports.Overlaps))
}
