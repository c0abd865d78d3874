package macos

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// What becomes of packets is judged here by the rules of others alone, and for
// all packets that a plan.Rule is about: of pf's rules the last one that is for a
// packet decides, or the first such with quick (pf.conf(5)). Ours have quick.

// portsOf gives the ports that r is for.
func (r pfRule) portsOf() plan.PortRange {
	if r.ports == nil {
		return host.AllPorts
	}
	return *r.ports
}

// rules gives what r is for.
func (r pfRule) rules(kind plan.Kind) []plan.Rule {
	if kind == plan.Allow && !r.in || kind == plan.Outbound && !r.out {
		return nil
	}
	var out []plan.Rule
	for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
		if r.protocol == "" || r.protocol == protocol {
			out = append(out, plan.Rule{Kind: kind, Protocol: protocol, Ports: r.portsOf(), Sources: r.sources})
		}
	}
	return out
}

// meets says whether r may be for packets that w is for too.
func (r pfRule) meets(w plan.Rule) bool {
	way := r.in
	if w.Kind == plan.Outbound {
		way = r.out
	}
	return way && (r.protocol == "" || r.protocol == w.Protocol) && r.portsOf().Overlaps(w.Ports) && host.SourcesMeet(r.sources, w.Sources)
}

// covers says whether r is for all packets that w is for. Those are of one IP
// version.
func (r pfRule) covers(w plan.Rule) bool {
	if !r.meets(w) || r.narrow || r.vague {
		return false
	}
	ports := r.portsOf()
	return ports.First <= w.Ports.First && w.Ports.Last <= ports.Last && sourcesHold(r.sources, w.Sources)
}

// sourcesHold says whether all of these are among others; no others: anyone.
func sourcesHold(others, these []netip.Prefix) bool {
	return len(others) == 0 || !slices.ContainsFunc(these, func(p netip.Prefix) bool {
		return !slices.ContainsFunc(others, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
	})
}

// byVersion parts what w is for by IP version.
func byVersion(w plan.Rule) []plan.Rule {
	var out []plan.Rule
	for _, six := range []bool{false, true} {
		part := w
		part.Sources = host.SourcesOf(w, six)
		if len(part.Sources) > 0 {
			out = append(out, part)
		}
	}
	return out
}

// passes says whether all packets of w pass for sure.
func (m *macos) passes(w plan.Rule) bool {
	return !slices.ContainsFunc(byVersion(w), func(w plan.Rule) bool {
		blocked := false
		for _, r := range m.main {
			switch {
			case r.block && r.meets(w):
				blocked = true
			case !r.block && r.covers(w):
				blocked = false
			default:
				continue
			}
			if r.quick {
				break
			}
		}
		return blocked
	})
}

// dropsOutbound says whether packets that the machine sends are dropped that no
// rule is about: of a protocol and an IP version, those to all ports.
func (m *macos) dropsOutbound() bool {
	for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
		for _, w := range byVersion(plan.Rule{Kind: plan.Outbound, Protocol: protocol, Ports: host.AllPorts}) {
			dropped := false
			for _, r := range m.main {
				if r.covers(w) {
					dropped = r.block
				}
				if r.covers(w) && r.quick {
					break
				}
			}
			if dropped {
				return m.active
			}
		}
	}
	return false
}

// foreign gives the rules of others that let packets in to some ports, or out;
// not those for one IP version, which a plan.Rule without sources can't be.
func (m *macos) foreign() []plan.Live {
	var out []plan.Live
	for _, r := range m.main {
		if r.block || r.narrow || r.vague || r.sources != nil && r.anyone() {
			continue
		}
		var rules []plan.Rule
		if r.ports != nil {
			rules = r.rules(plan.Allow)
		}
		// One for whatever the machine sends is no rule about ports.
		if r.ports != nil || r.protocol != "" {
			rules = append(rules, slices.DeleteFunc(r.rules(plan.Outbound), func(w plan.Rule) bool { return !m.passes(w) })...)
		}
		for _, rule := range rules {
			out = append(out, plan.Live{Rule: rule, Handle: fmt.Sprintf("pf: %q", r.text)})
		}
	}
	return append(out, m.otherProjects()...)
}

func (m *macos) Overridden(rules []plan.Rule) []string {
	var names []string
	for _, b := range m.main {
		if b.block && (!b.quick || !b.early) && slices.ContainsFunc(rules, func(w plan.Rule) bool { return m.shuts(b, w) }) {
			names = append(names, fmt.Sprintf("%q", b.text))
		}
	}
	return names
}

// shuts says whether a rule that blocks is for packets of w, and some of these
// are blocked indeed.
func (m *macos) shuts(b pfRule, w plan.Rule) bool {
	if !b.meets(w) {
		return false
	}
	ports := b.portsOf()
	w.Ports = plan.PortRange{First: max(ports.First, w.Ports.First), Last: min(ports.Last, w.Ports.Last)}
	if len(w.Sources) == 0 {
		w.Sources = b.sources
	}
	return !m.passes(w)
}

// Refuse keeps off ports that someone has shut on purpose, and those that pf
// shuts before it comes to our rules.
func (m *macos) Refuse(rules []plan.Rule) *providers.Problem {
	for _, b := range m.main {
		for _, w := range rules {
			switch {
			case !b.block || !m.shuts(b, w):
			case b.isFor(w):
				return &providers.Problem{
					Summary: "A rule shuts these ports",
					Detail:  fmt.Sprintf("pf has the rule %q, which is for these very ports (%s). btplan does not open what someone has shut on purpose: take that rule out of /etc/pf.conf, or choose other ports.", b.text, w),
				}
			case b.quick && b.early && b.isForAll(w):
				return &providers.Problem{
					Summary: "A rule stands before btplan's",
					Detail:  fmt.Sprintf("pf has the rule %q, which shuts ports of %s before pf comes to the anchors of com.apple, in which btplan's rules are. Move it behind that anchor in /etc/pf.conf, or take quick off it.", b.text, w),
				}
			}
		}
	}
	if m.program != "" && m.app.blocks(m.program) && slices.ContainsFunc(rules, func(w plan.Rule) bool { return w.Kind == plan.Allow }) {
		return &providers.Problem{
			Summary: "The program is blocked",
			Detail:  fmt.Sprintf("macOS's application firewall has %s in its list as one to block. btplan does not open what someone has shut on purpose: let it in by System Settings, or take it off the list.", m.program),
		}
	}
	return nil
}

// isFor says whether r is for nothing but ports of w, whoever sends.
func (r pfRule) isFor(w plan.Rule) bool {
	return r.ports != nil && !r.narrow && r.anyone() && r.protocol == w.Protocol && r.ports.First >= w.Ports.First && r.ports.Last <= w.Ports.Last
}

// isForAll says whether r is for everyone of an IP version for whom w is.
func (r pfRule) isForAll(w plan.Rule) bool {
	return !r.narrow && !r.vague && slices.ContainsFunc(byVersion(w), func(w plan.Rule) bool { return sourcesHold(r.sources, w.Sources) })
}
