package packetfilter

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// foreign gives the rules of others, and of other projects, that let packets in
// from everywhere on the machine's networks, or out over all IP versions over
// which anything is dropped. What is for one interface opens no port to the
// Internet, and is left out.
func (u *packetFilter) foreign(names netfilter.Names) []plan.Live {
	out := u.otherProjects(names)
	seen := map[string]bool{}
	shut := map[string]netfilter.Versions{} // over which an outbound rule has not been seen yet
	for kind, verdicts := range u.decide {
		for _, v := range verdicts {
			if !v.Accepts || len(v.In) > 0 || kind == plan.Outbound && len(v.From) > 0 {
				continue
			}
			for _, protocol := range v.Protocols {
				for _, ports := range v.Ports {
					l := plan.Live{Rule: plan.Rule{Kind: kind, Protocol: protocol, Ports: ports, Sources: plan.CanonicalSources(v.From)}, Handle: v.Chain + ", rule " + v.Rule}
					key := l.Rule.String()
					if kind == plan.Outbound {
						if _, known := shut[key]; !known {
							shut[key] = u.drops
						}
						shut[key] = shut[key].Less(v.Version)
					}
					// The same for the other IP version counts once.
					if !seen[key] && shut[key] == (netfilter.Versions{}) && l.Check() == nil {
						seen[key] = true
						out = append(out, l)
					}
				}
			}
		}
	}
	return out
}

// denials gives the rules of others that drop packets for ports of r, for some
// senders at least. What drops everything is no rule about r, but what the
// firewall is there for.
func (u *packetFilter) denials(r plan.Rule) []netfilter.Verdict {
	var out []netfilter.Verdict
	for _, v := range u.decide[r.Kind] {
		about := len(v.Ports) > 0 || len(v.From) > 0 || len(v.In) > 0 || len(v.Protocols) == 1
		if !v.Accepts && about && isFor(v.Match, r) {
			out = append(out, v)
		}
	}
	return out
}

// isFor says whether packets of a match may be for the ports of a rule.
func isFor(m netfilter.Match, r plan.Rule) bool {
	from := r.Kind != plan.Allow || len(m.From) == 0 || len(r.Sources) == 0 ||
		slices.ContainsFunc(m.From, func(p netip.Prefix) bool { return slices.ContainsFunc(r.Sources, p.Overlaps) })
	version := m.Version == netfilter.AnyIP || len(host.SourcesOf(r, m.Version == netfilter.IPv6)) > 0
	return from && version && slices.Contains(m.Protocols, r.Protocol) &&
		(len(m.Ports) == 0 || slices.ContainsFunc(m.Ports, r.Ports.Overlaps))
}

func (u *packetFilter) Overridden(rules []plan.Rule) []string {
	var names []string
	for _, r := range rules {
		for _, v := range u.denials(r) {
			names = append(names, "rule "+v.String())
		}
	}
	return names
}

func (u *packetFilter) Refuse(rules []plan.Rule) *providers.Problem {
	for _, r := range rules {
		if c, is := u.home.(chains); is && c.NoIPv6 != "" && len(r.Sources) > 0 && len(host.SourcesOf(r, true)) > 0 {
			return &providers.Problem{
				Summary: "iptables does not do IPv6 here",
				Detail:  fmt.Sprintf("The source %s is of IPv6, but %s. Or leave the source out.", host.SourcesOf(r, true)[0], c.NoIPv6),
			}
		}
		for _, v := range u.denials(r) {
			within := func(p plan.PortRange) bool { return p.First >= r.Ports.First && p.Last <= r.Ports.Last }
			if len(v.Ports) == 0 || len(v.From) > 0 || len(v.In) > 0 || slices.ContainsFunc(v.Ports, func(p plan.PortRange) bool { return !within(p) }) {
				continue
			}
			return &providers.Problem{
				Summary: "A rule shuts these ports",
				Detail:  fmt.Sprintf("Rule %s is for these very ports (%s). btplan does not open what someone has shut on purpose: delete that rule, or choose other ports.", v, r),
			}
		}
	}
	return nil
}

// otherProjects gives the rules of other projects of btplan.
func (u *packetFilter) otherProjects(names netfilter.Names) []plan.Live {
	var list []opening
	for _, peer := range u.facts.Peers {
		for _, t := range peer.Tables {
			if openings, err := readOpenings(peer, t); err == nil {
				list = append(list, openings...)
			}
		}
	}
	for on, save := range u.facts.Listed() {
		var pieces []opening
		for _, k := range chainKinds {
			if k.Table.Name != "filter" || k.Table.Six != on.Six {
				continue
			}
			for _, c := range save.Table("filter").Chains {
				if !names.IsOther(c.Name, k.Name) {
					continue
				}
				for _, r := range c.Rules {
					if o, err := readOpening(r, k); err == nil && r.Value("--ctdir") == "" {
						pieces = append(pieces, o)
					}
				}
			}
		}
		list = append(list, joinOpenings(pieces)...)
	}
	var out []plan.Live
	for _, o := range list {
		mark, _ := cutSeal(o.comment)
		project, _, _ := plan.ParseMark(mark)
		l := plan.Live{Rule: o.rule, Project: project, Handle: fmt.Sprintf("a rule of btplan's project %q", project)}
		if !slices.ContainsFunc(out, func(x plan.Live) bool { return x.Rule.Equal(l.Rule) && x.Project == project }) {
			out = append(out, l)
		}
	}
	return out
}
