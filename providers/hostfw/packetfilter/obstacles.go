package packetfilter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// markPriority is where the chains of iptables are that lead to those of ours
// which mark packets: INPUT and OUTPUT of the table mangle (NF_IP_PRI_MANGLE of
// linux/netfilter_ipv4.h).
const markPriority = -150

// problems tells of what keeps packets from the ports of these rules, or else
// is not as it should be.
func (u *packetFilter) problems(rules []plan.Rule) []providers.Problem {
	out := u.Obstacles(rules)
	for _, command := range u.facts.Unlisted() {
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There are rules of %s that can't be read", command),
			Detail:  fmt.Sprintf("The kernel has tables of %[1]s, but the machine has no %[1]s to list them with. If they drop packets, a port that btplan opens stays closed. Install the package iptables there.", command),
			OfRules: true,
		})
	}
	return append(out, u.boot.Problems(host.Noun)...)
}

// Obstacles are what keeps packets from the ports of these rules however right
// the rules are.
func (u *packetFilter) Obstacles(rules []plan.Rule) []providers.Problem {
	out := u.earlyDrops(rules)
	c, is := u.home.(chains)
	if !is {
		return out
	}
	if c.NoIPv6 != "" && len(rules) > 0 {
		out = append(out, providers.Problem{
			Summary: "IPv6 is left out",
			Detail:  fmt.Sprintf("The ports are opened over IPv4 alone: %s.", c.NoIPv6),
			OfRules: true,
		})
	}
	return append(out, c.unmarkedDrops(rules)...)
}

// earlyDrops tells of rules that drop the packets of these, whoever sends them,
// before anything can mark them.
func (u *packetFilter) earlyDrops(rules []plan.Rule) []providers.Problem {
	var out []providers.Problem
	for v := range u.facts.EarlyDrops() {
		i := slices.IndexFunc(rules, func(r plan.Rule) bool { return r.Kind == plan.Allow && len(v.From) == 0 && isFor(v.Match, r) })
		if i >= 0 {
			out = append(out, providers.Problem{
				Summary: fmt.Sprintf("%s ports are dropped early", strings.ToUpper(string(rules[i].Protocol))),
				Detail:  fmt.Sprintf("Rule %s drops packets for %s %s before they get to the machine. Nothing that btplan does can let them pass: remove that rule.", v, rules[i].Protocol, rules[i].Ports),
				OfRules: true,
			})
		}
	}
	return out
}

// unmarkedDrops tells of chains of nftables that may drop packets of these
// rules, or the answers to them, before our chains of iptables mark them.
func (c chains) unmarkedDrops(rules []plan.Rule) []providers.Problem {
	var list []opening
	for _, r := range rules {
		list = append(list, opening{rule: r})
	}
	var out []providers.Problem
	for _, way := range []netfilter.Way{netfilter.Input, netfilter.Output} {
		for _, chain := range c.Hooks.Before(way, markPriority, versionsOf(list)) {
			out = append(out, providers.Problem{
				Summary: "A chain of nftables comes too early",
				Detail:  fmt.Sprintf("The %s may drop packets of the machine, and with its priority of %d it comes before iptables, where btplan marks those that are to pass. Give it a priority above %d; or have nftables hold btplan's rules, which marks them earlier: run btplan destroy, write firewall \"nftables\" in the machine's block, and apply.", chain, chain.Priority, markPriority),
				OfRules: true,
			})
		}
	}
	return out
}
