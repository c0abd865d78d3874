package ufw

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

func (u *ufw) Overridden(rules []plan.Rule) []string {
	var names []string
	for _, r := range rules {
		for _, t := range u.shutting(r) {
			names = append(names, fmt.Sprintf("%q", t))
		}
	}
	return names
}

func (u *ufw) Refuse(rules []plan.Rule) *providers.Problem {
	for _, r := range rules {
		for _, t := range u.shutting(r) {
			if t.isFor(r) {
				return &providers.Problem{
					Summary: "A rule shuts these ports",
					Detail:  fmt.Sprintf("ufw has the rule %q, which is for these very ports (%s). btplan does not open what someone has shut on purpose: delete that rule, with ufw delete, or choose other ports.", t, r),
				}
			}
		}
	}
	return u.inTheWay(rules)
}

// shutting gives the rules of others that drop some of r's packets.
func (u *ufw) shutting(r plan.Rule) []tuple {
	var out []tuple
	direction := directionOf(r.Kind)
	ports := ourTuple(direction, string(r.Protocol), host.SpelledPorts(r.Ports), anywhere)
	for _, list := range u.rules {
		for _, t := range list {
			shuts := func(peer string) bool { return t.shuts(direction, r.Protocol, peer) }
			if t.meets(ports) && slices.ContainsFunc(spelledSources(r.Sources), shuts) {
				out = append(out, t)
			}
		}
	}
	return out
}

// isFor says whether a deny is for nothing but ports of r, with whomever.
func (t tuple) isFor(r plan.Rule) bool {
	ports, err := t.portRanges()
	return err == nil && t.peer() == anywhere && t.direction == directionOf(r.Kind) &&
		!slices.ContainsFunc(ports, func(p plan.PortRange) bool { return p.First < r.Ports.First || p.Last > r.Ports.Last })
}

// inTheWay says what keeps rules from being made at all.
func (u *ufw) inTheWay(rules []plan.Rule) *providers.Problem {
	for _, r := range rules {
		if i := slices.IndexFunc(r.Sources, func(p netip.Prefix) bool { return p.Addr().Is6() }); i >= 0 && !u.ipv6 {
			return &providers.Problem{
				Summary: "ufw does not do IPv6",
				Detail:  fmt.Sprintf("The source %s is of IPv6, and /etc/default/ufw says IPV6=no: ufw takes no rule for it. Set IPV6=yes there and run ufw reload, or leave the source out.", r.Sources[i]),
			}
		}
	}
	for _, t := range tuples(rules) {
		for _, list := range u.rules {
			i := slices.IndexFunc(list, func(x tuple) bool { return !u.isOurs(x) && x.same(t.asListed()) })
			if i >= 0 && !u.hasEqual(rules) {
				return &providers.Problem{
					Summary: "A rule is in the way",
					Detail:  fmt.Sprintf("ufw has the rule %q, which btplan did not make, and keeps no second one for the same ports and sources. Delete it, with ufw delete, or choose other ports.", list[i]),
				}
			}
		}
	}
	return nil
}

// hasEqual says whether a foreign rule is equal to one of these, which the plan
// tells of.
func (u *ufw) hasEqual(rules []plan.Rule) bool {
	return slices.ContainsFunc(u.foreign(), func(l plan.Live) bool {
		return slices.ContainsFunc(rules, l.Rule.Equal)
	})
}

// isBehind says whether o, standing before t, shuts some ports of t's. A deny
// for one peer, such as a ban, is not meant.
func (t tuple) isBehind(o tuple) bool {
	return o.direction == t.direction && o.peer() == anywhere &&
		slices.ContainsFunc(t.protocols(), func(p plan.Protocol) bool { return o.shuts(o.direction, p, anywhere) }) && o.meets(t)
}

// meets says whether t and o have ports in common.
func (t tuple) meets(o tuple) bool {
	a, errA := t.portRanges()
	b, errB := o.portRanges()
	return errA == nil && errB == nil && slices.ContainsFunc(a, func(r plan.PortRange) bool {
		return slices.ContainsFunc(b, r.Overlaps)
	})
}

// shuts says whether t drops packets of a protocol in a direction, those with a
// peer, on whatever ports.
func (t tuple) shuts(direction string, protocol plan.Protocol, peer string) bool {
	return (t.verb() == "deny" || t.verb() == "reject") && t.goes(direction) && slices.Contains(t.protocols(), protocol) &&
		(t.peer() == anywhere || peer == anywhere || overlap(t.peer(), peer))
}

// overlap says whether two peers have addresses in common; if one of them
// can't be read, they may.
func overlap(a, b string) bool {
	var p [2]netip.Prefix
	for i, s := range []string{a, b} {
		addr, err := netip.ParseAddr(s)
		if err == nil {
			p[i] = netip.PrefixFrom(addr.WithZone(""), addr.BitLen())
			continue
		}
		if p[i], err = netip.ParsePrefix(s); err != nil {
			return true
		}
	}
	return p[0].Overlaps(p[1])
}
