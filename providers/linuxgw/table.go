package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// Each project has a table of its own, so that none ever writes another's.
const tablePrefix = "btplan_"

// passMark is the one bit of the packet mark by which our table tells other
// people's chains to let a packet pass.
const passMark = "0x10000000"

// The sets and maps of our table. Their keys end with the source address,
// 0.0.0.0/0 for anyone.
const (
	wanSet      = "wan"      // the interface towards the Internet
	forwardMap  = "forward4" // ports that stay the same: to an address
	shiftMap    = "shift4"   // ports that don't, one element each: to an address and port
	passSet     = "pass4"    // what may pass: the same rules as seen behind the DNAT
	forwardKey  = "meta l4proto . th dport . ip saddr"
	passKey     = "ip daddr . meta l4proto . th dport . ip saddr"
	passReply   = "ip saddr . meta l4proto . th sport . ip daddr"
	anywhere    = "0.0.0.0/0"
	generations = "generation_" // an empty chain named so, and after that at random
)

// chain is one chain of our table as it has to be.
type chain struct {
	nft.Chain
	rules []rule
}

// rule is one rule of a chain. Its name is in its comment, by which a reader
// sees that it is there; when the text changes so must the name.
type rule struct{ name, text string }

func (r rule) comment() string { return "btplan:" + r.name }

// chains is our table's machinery. What differs from one gateway to the next
// is in its sets and maps.
//
// Packets from the WAN interface to an address of the gateway are forwarded;
// so are those that come from inside for an address that isn't of the side
// where they came in, that is, for the WAN address (hairpin). For the latter
// the gateway stands in as the source, or the machine would answer its
// neighbour directly and past the NAT.
var chains = []chain{
	{
		// dstnat - 5: of two chains with the same priority the one that
		// registered last would win.
		nft.Chain{Name: "prerouting", Type: "nat", Hook: "prerouting", Priority: -105, Policy: "accept"},
		[]rule{
			{"from-wan", "iifname @" + wanSet + " fib daddr type local jump to_machine"},
			{"hairpin", "iifname != @" + wanSet + " fib daddr type local fib daddr . iif type != local jump to_machine"},
		},
	}, {
		nft.Chain{Name: "to_machine"},
		[]rule{
			{"forward", "dnat ip to " + forwardKey + " map @" + forwardMap},
			{"shift", "meta l4proto { tcp, udp } dnat ip to " + forwardKey + " map @" + shiftMap},
		},
	}, {
		// Twice: before the earliest chain that may drop, and once more
		// behind those that set the whole mark to something else
		// (mangle, -150) and before those that usually drop (filter, 0).
		nft.Chain{Name: "forward_first", Type: "filter", Hook: "forward", Priority: -1000, Policy: "accept"},
		[]rule{{"pass-first", "jump pass"}},
	}, {
		nft.Chain{Name: "forward", Type: "filter", Hook: "forward", Priority: -10, Policy: "accept"},
		[]rule{{"pass-again", "jump pass"}},
	}, {
		nft.Chain{Name: "pass"},
		[]rule{
			{"pass", "ct status dnat ct direction original " + passKey + " @" + passSet + " meta mark set meta mark or " + passMark},
			{"pass-reply", "ct status dnat ct direction reply " + passReply + " @" + passSet + " meta mark set meta mark or " + passMark},
		},
	}, {
		nft.Chain{Name: "postrouting", Type: "nat", Hook: "postrouting", Priority: 95, Policy: "accept"},
		[]rule{
			{"masquerade", "iifname != @" + wanSet + " ct status dnat " + passKey + " @" + passSet + " masquerade"},
		},
	},
}

// entry is one forward of our table. Its comment holds mark and seal; one
// that someone else put there has whatever comment they gave it.
type entry struct {
	rule    plan.Rule
	comment string
}

// shifted says whether the ports on the machine differ from those outside.
func (e entry) shifted() bool { return e.rule.To.Port() != e.rule.Ports.First }

// sources spells who may connect.
func spellSources(sources []netip.Prefix) []string {
	if len(sources) == 0 {
		return []string{anywhere}
	}
	out := make([]string, 0, len(sources))
	for _, p := range sources {
		out = append(out, p.String())
	}
	return out
}

// elements spells e for its map.
func (e entry) elements() []string {
	var out []string
	comment := ""
	if e.comment != "" {
		comment = " comment " + nft.Quote(e.comment)
	}
	addr := e.rule.To.Addr().String()
	for _, source := range spellSources(e.rule.Sources) {
		if !e.shifted() {
			out = append(out, fmt.Sprintf("%s . %s . %s%s : %s", e.rule.Protocol, e.rule.Ports, source, comment, addr))
			continue
		}
		// nft would send every port of a range to the first one.
		for i := range e.rule.Ports.Count() {
			out = append(out, fmt.Sprintf("%s . %d . %s%s : %s . %d",
				e.rule.Protocol, int(e.rule.Ports.First)+i, source, comment, addr, int(e.rule.To.Port())+i))
		}
	}
	return out
}

// passElements spells the elements of passSet for these entries: what they
// let through, as seen behind the DNAT. Two entries may lead to the same port,
// and a kernel takes no elements that overlap, so the ports are cut where an
// entry begins or ends, and each piece gets all of its sources.
func passElements(entries []entry) []string {
	byTarget := map[string][]plan.Rule{}
	for _, e := range entries {
		t := passTarget(e.rule)
		byTarget[t] = append(byTarget[t], e.rule)
	}
	var out []string
	for t, rules := range byTarget {
		for _, piece := range cut(rules) {
			for _, source := range spellSources(piece.Sources) {
				out = append(out, t+" . "+piece.Ports.String()+" . "+source)
			}
		}
	}
	slices.Sort(out)
	return out
}

// passTarget is the beginning of the elements of passSet that r needs.
func passTarget(r plan.Rule) string {
	return r.To.Addr().String() + " . " + string(r.Protocol)
}

// cut gives rules that lead to the same machine as pieces that don't overlap
// on it. Their Ports are those on the machine.
func cut(rules []plan.Rule) []plan.Rule {
	var bounds []int // where a piece begins
	for _, r := range rules {
		bounds = append(bounds, int(r.ToPorts().First), int(r.ToPorts().Last)+1)
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	sources := make([][]netip.Prefix, len(bounds))
	for _, r := range rules {
		from, _ := slices.BinarySearch(bounds, int(r.ToPorts().First))
		to, _ := slices.BinarySearch(bounds, int(r.ToPorts().Last)+1)
		for i := from; i < to; i++ {
			if len(r.Sources) == 0 {
				sources[i] = append(sources[i], netip.MustParsePrefix(anywhere))
			}
			sources[i] = append(sources[i], r.Sources...)
		}
	}
	var out []plan.Rule
	for i, s := range sources {
		if len(s) == 0 {
			continue // a gap
		}
		piece := plan.Rule{
			Kind:     plan.Allow,
			Protocol: rules[0].Protocol,
			Ports:    plan.PortRange{First: uint16(bounds[i]), Last: uint16(bounds[i+1] - 1)}, // #nosec G115 -- made from uint16s
			Sources:  plan.CanonicalSources(s),
		}
		out = append(out, piece)
	}
	return plan.Coalesce(out)
}

// renderTable spells our table.
func renderTable(t nft.Table, wan, generation string, entries []entry) string {
	var forward, shift []string
	for _, e := range entries {
		if e.shifted() {
			shift = append(shift, e.elements()...)
		} else {
			forward = append(forward, e.elements()...)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s {\n", t)
	fmt.Fprintf(&b, " chain %s%s { }\n", generations, generation)
	renderSet(&b, "set", wanSet, "type ifname", []string{nft.Quote(wan)})
	renderSet(&b, "map", forwardMap, "typeof "+forwardKey+" : ip daddr; flags interval", forward)
	renderSet(&b, "map", shiftMap, "typeof "+forwardKey+" : ip daddr . th dport; flags interval", shift)
	renderSet(&b, "set", passSet, "typeof "+passKey+"; flags interval", passElements(entries))
	// A jump needs its target declared before it.
	for _, c := range chains {
		fmt.Fprintf(&b, " chain %s {", c.Name)
		if c.Hook != "" {
			fmt.Fprintf(&b, " type %s hook %s priority %d; policy %s;", c.Type, c.Hook, c.Priority, c.Policy)
		}
		b.WriteString(" }\n")
	}
	for _, c := range chains {
		fmt.Fprintf(&b, " chain %s {\n", c.Name)
		for _, r := range c.rules {
			fmt.Fprintf(&b, "  %s comment %s\n", r.text, nft.Quote(r.comment()))
		}
		b.WriteString(" }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func renderSet(b *strings.Builder, keyword, name, header string, elements []string) {
	fmt.Fprintf(b, " %s %s { %s;", keyword, name, header)
	if len(elements) > 0 {
		b.WriteString(" elements = {\n  " + strings.Join(elements, ",\n  ") + "\n };")
	}
	b.WriteString(" }\n")
}

// transaction spells the commands that make our table hold these entries and
// nothing else, and set or remove the hooks accordingly. It begins with one
// that fails, and all the rest with it, when the table was written by someone
// else since base was read: that is how two applies at once exclude each
// other, with no lock that could be left behind.
func transaction(base *state, entries []entry, generation string) string {
	var b strings.Builder
	if base.generation != "" {
		fmt.Fprintf(&b, "delete chain %s %s %s%s\n", base.table.Family, base.table.Name, generations, base.generation)
	}
	switch {
	case base.exists:
		fmt.Fprintf(&b, "delete %s\n", base.table)
	case len(entries) > 0:
		fmt.Fprintf(&b, "create %s\n", base.table)
	}
	if len(entries) > 0 {
		b.WriteString(renderTable(base.table, base.wan, generation, entries))
	}
	for _, h := range base.hooks {
		h.render(&b, base.hookComment, len(entries) > 0)
	}
	return b.String()
}
