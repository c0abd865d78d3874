package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
)

// check looks at the configuration as a whole.
func (l *loader) check() {
	for _, p := range l.cfg.PortRanges {
		l.checkMark(p.Addr, p.DeclRange)
	}
	for _, m := range l.cfg.Machines {
		if m.Firewall != nil && len(m.Trackers) > 0 {
			l.checkMark(m.Addr, m.DeclRange)
		}
	}
	l.checkClaims()
	// A mistake elsewhere may be the reason why something seems to have no use.
	if !l.diags.HasErrors() {
		l.checkUse()
	}
}

// checkMark sees that devices can hold the mark of an owner of rules.
func (l *loader) checkMark(owner plan.Addr, at hcl.Range) {
	if n := len(plan.Mark(l.cfg.Project, owner)); n > plan.MaxMark {
		l.fail(at, "Name too long", "The mark that %s leaves on devices would take %d bytes; at most %d fit. Shorten the project's name, the block's name or the key by %d bytes. (Anything but letters, digits, -, . and _ takes three bytes.)",
			owner, n, plan.MaxMark, n-plan.MaxMark)
	}
}

// claim is a port_range's hold on a run of ports on one device.
type claim struct {
	device plan.Addr
	rule   plan.Rule
	owner  *PortRange
}

// checkClaims finds ports that two port_ranges claim on one device.
func (l *loader) checkClaims() {
	var claims []claim
	for _, p := range l.cfg.PortRanges {
		if _, clear := l.written[p.Addr]; !clear || p.Machine == nil || !p.Machine.Address.IsValid() {
			continue
		}
		for _, g := range p.Gateways {
			for _, r := range p.forwards() {
				claims = append(claims, claim{g.Addr, r, p})
			}
		}
		if p.Machine.Firewall != nil {
			for _, r := range p.allows() {
				claims = append(claims, claim{p.Machine.Addr, r, p})
			}
		}
	}
	slices.SortStableFunc(claims, func(a, b claim) int {
		return cmp.Or(a.place(b), cmp.Compare(a.rule.Ports.First, b.rule.Ports.First))
	})
	var found collisions
	// Of those before a claim in its place, the one that reaches furthest is
	// the one to meet.
	furthest := 0
	for i := 1; i < len(claims); i++ {
		a, b := claims[furthest], claims[i]
		if a.place(b) == 0 && a.rule.Ports.Overlaps(b.rule.Ports) && a.owner != b.owner {
			found.add(a, b)
		}
		if a.place(b) != 0 || b.rule.Ports.Last > a.rule.Ports.Last {
			furthest = i
		}
	}
	found.tell(l)
}

// place compares where claims are made: only in one place can they collide.
func (a claim) place(b claim) int {
	version := func(c claim) int { return c.rule.To.Addr().BitLen() }
	return cmp.Or(
		a.device.Compare(b.device),
		cmp.Compare(a.rule.Protocol, b.rule.Protocol),
		cmp.Compare(version(a), version(b)),
	)
}

// collisions are the claims that collide, by the blocks that make them: one
// slip in a block with for_each makes hundreds.
type collisions struct {
	pairs []collision
	index map[[3]plan.Addr]int
}

type collision struct {
	first, second claim
	protocols     []string
	more          int // between other instances, or on other ports
}

func (c *collisions) add(a, b claim) {
	if b.owner.Addr.Compare(a.owner.Addr) < 0 {
		a, b = b, a
	}
	key := [3]plan.Addr{a.device.Base(), a.owner.Addr.Base(), b.owner.Addr.Base()}
	i, known := c.index[key]
	if !known {
		if c.index == nil {
			c.index = map[[3]plan.Addr]int{}
		}
		c.index[key] = len(c.pairs)
		c.pairs = append(c.pairs, collision{first: a, second: b, protocols: []string{string(b.rule.Protocol)}})
		return
	}
	pair := &c.pairs[i]
	same := pair.first.owner == a.owner && pair.second.owner == b.owner && pair.first.device == a.device
	if protocol := string(b.rule.Protocol); same && !slices.Contains(pair.protocols, protocol) {
		pair.protocols = append(pair.protocols, protocol)
	} else if !same {
		pair.more++
	}
}

// tell notes the collisions, each at the later of its two port_ranges.
func (c *collisions) tell(l *loader) {
	for _, pair := range c.pairs {
		a, b := pair.first, pair.second
		where, way := l.written[a.owner.Addr].ports, l.written[b.owner.Addr].ports
		what, remedy := "port", "Give one of them another port, or make them one port_range."
		if a.rule.Kind == plan.Forward {
			where, way = l.written[a.owner.Addr].wanPorts, l.written[b.owner.Addr].wanPorts
			what, remedy = "outside port", "Give one of them other wan_ports."
		}
		more := ""
		if pair.more > 0 {
			more = fmt.Sprintf(" The same is the case for %d more of their instances.", pair.more)
		}
		l.fail(way, "Two port ranges on one "+what, "%s claims %s %s on %s, but %s claims %s there, at %s. %s%s",
			b.owner.Addr, strings.Join(pair.protocols, " and "), b.rule.Ports, b.device,
			a.owner.Addr, a.rule.Ports, span(where), remedy, more)
	}
}

// span names a range in the text of a diagnostic with its columns.
func span(r hcl.Range) string {
	return fmt.Sprintf("%s:%d,%d-%d", r.Filename, r.Start.Line, r.Start.Column, r.End.Column)
}

// checkUse warns of what does nothing.
func (l *loader) checkUse() {
	used := map[*Machine]bool{}
	var void, idle, mute []plan.Addr
	declared := map[plan.Addr]hcl.Range{}
	for _, p := range l.cfg.PortRanges {
		used[p.Machine] = true
		if len(p.Gateways) == 0 && p.Machine.Firewall == nil {
			void = append(void, p.Addr)
			declared[p.Addr] = p.DeclRange
		}
	}
	hops := l.hops()
	for _, m := range l.cfg.Machines {
		switch {
		case len(m.Trackers) > 0 && m.Firewall == nil:
			mute = append(mute, m.Addr)
			declared[m.Addr] = m.TrackersRange
		case len(m.Trackers) == 0 && !used[m] && !hops[m.Addr.Base()]:
			idle = append(idle, m.Addr)
			declared[m.Addr] = m.DeclRange
		}
	}
	for _, group := range byBlock(mute) {
		l.warn(declared[group[0]], "Trackers without effect", "No way out will be opened for %s: there is no firewall block. Add one, or take trackers out: where no firewall drops what a machine sends, it needs none.", some(group))
	}
	for _, group := range byBlock(void) {
		l.warn(declared[group[0]], "Port range without effect", "Nothing will be opened for %s: there are no gateways, and the machine has no firewall block. Add gateways here or a firewall there.", some(group))
	}
	for _, group := range byBlock(idle) {
		l.warn(declared[group[0]], "Unused machine", "No port_range is for %s, so nothing will be opened there.", some(group))
	}
}

// hops are the machine blocks that gateways and other machines refer to: those
// from which they are talked to.
func (l *loader) hops() map[plan.Addr]bool {
	out := map[plan.Addr]bool{}
	for _, n := range l.nodes {
		if n.block == nil || n.block.addr.Block == plan.BlockPortRange {
			continue
		}
		for _, dep := range n.deps {
			if dep.block != nil {
				out[dep.block.addr] = true
			}
		}
	}
	return out
}

// byBlock splits sorted addresses into those of one block each.
func byBlock(addrs []plan.Addr) [][]plan.Addr {
	var out [][]plan.Addr
	for i, a := range addrs {
		if i == 0 || a.Base() != addrs[i-1].Base() {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], a)
	}
	return out
}

// some names the first few of some addresses.
func some(addrs []plan.Addr) string {
	const most = 3
	var names []string
	for i, a := range addrs {
		if i == most && len(addrs) > most+1 {
			names = append(names, fmt.Sprintf("%d more", len(addrs)-most))
			break
		}
		names = append(names, a.String())
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
