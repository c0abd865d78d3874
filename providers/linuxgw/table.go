package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// wanSet is a set of our table: the interface towards the Internet.
const wanSet = "wan"

// hairpinMark is the bit by which packets that have come from inside are known
// again when they go out: the interface that a packet came in by is forgotten
// by then on kernels before 5.7.
const hairpinMark = "0x20000000"

// store is a set or map of our table that holds entries: those of one IP
// version whose ports stay the same, or don't. Its keys end with the source
// address. Over IPv4 a port is the gateway's own and leads to a machine. Over
// IPv6 packets come for the machine itself, so its address is in the key, and
// as long as the port stays the same nothing has to be translated.
type store struct {
	name    string
	six     bool
	shifted bool // one element for each port: nft would send a range to its first
}

var stores = []store{
	{name: "forward4"},
	{name: "shift4", shifted: true},
	{name: "accept6", six: true},
	{name: "shift6", six: true, shifted: true},
}

// isMap says whether the store's elements lead somewhere.
func (s store) isMap() bool { return s.shifted || !s.six }

// key is what of a packet is looked up in the store.
func (s store) key() string {
	if s.six {
		return passKey(true)
	}
	return "meta l4proto . th dport . ip saddr"
}

// header declares the store.
func (s store) header() string {
	switch {
	case !s.isMap():
		return "typeof " + s.key()
	case s.shifted:
		return "typeof " + s.key() + " : " + netfilter.Family(s.six) + " daddr . th dport"
	}
	return "typeof " + s.key() + " : " + netfilter.Family(s.six) + " daddr"
}

// storeOf is where an entry belongs.
func storeOf(r plan.Rule) store {
	for _, s := range stores {
		if s.six == r.To.Addr().Is6() && s.shifted == (r.To.Port() != r.Ports.First) {
			return s
		}
	}
	panic("there is a store for every rule")
}

// What lets packets pass behind a translation: the same entries as they look
// there. passSet is named after the IP version.
func passSet(six bool) string {
	if six {
		return "pass6"
	}
	return "pass4"
}

func passKey(six bool) string {
	return netfilter.Family(six) + " daddr . meta l4proto . th dport . " + netfilter.Family(six) + " saddr"
}

func passReply(six bool) string {
	return netfilter.Family(six) + " saddr . meta l4proto . th sport . " + netfilter.Family(six) + " daddr"
}

// machinery is the chains of our table, with or without those rules that are
// for IPv6, which not every kernel takes. What else differs from one gateway to
// the next is in the sets and maps.
//
// Packets from the WAN interface to an address of the gateway are forwarded;
// so are those that come from inside for an address that isn't of the side
// where they came in, that is, for the WAN address (hairpin). For the latter
// the gateway stands in as the source, or the machine would answer its
// neighbour directly and past the NAT.
func machinery(six bool) []netfilter.Chain {
	mark := netfilter.SetMark(netfilter.PassMark)
	chains := []netfilter.Chain{
		{
			// dstnat - 5: of two chains with the same priority the one that
			// registered last would win.
			Chain: nft.Chain{Name: "prerouting", Type: "nat", Hook: "prerouting", Priority: -105, Policy: "accept"},
			Rules: []netfilter.Rule{
				{Name: "from-wan", Text: "iifname @" + wanSet + " fib daddr type local jump to_machine"},
				{Name: "hairpin", Text: "iifname != @" + wanSet + " fib daddr type local fib daddr . iif type != local jump to_machine"},
			},
		}, {
			Chain: nft.Chain{Name: "to_machine"},
			Rules: []netfilter.Rule{
				{Name: "forward", Text: "dnat ip to " + stores[0].key() + " map @" + stores[0].name},
				{Name: "shift", Text: "meta l4proto { tcp, udp } dnat ip to " + stores[1].key() + " map @" + stores[1].name},
			},
		}, {
			// Twice: before the earliest chain that may drop, and once more
			// behind those that set the whole mark to something else
			// (mangle, -150) and before those that usually drop (filter, 0).
			Chain: nft.Chain{Name: "forward_first", Type: "filter", Hook: "forward", Priority: -1000, Policy: "accept"},
			Rules: []netfilter.Rule{{Name: "pass-first", Text: "jump pass"}},
		}, {
			Chain: nft.Chain{Name: "forward", Type: "filter", Hook: "forward", Priority: -10, Policy: "accept"},
			Rules: []netfilter.Rule{{Name: "pass-again", Text: "jump pass"}},
		}, {
			Chain: nft.Chain{Name: "pass"},
			Rules: append(passRules(false, mark), netfilter.Rule{Name: "hairpin-mark", Text: "iifname != @" + wanSet + " ct status dnat ct direction original " + passKey(false) + " @" + passSet(false) + netfilter.SetMark(hairpinMark)}),
		}, {
			Chain: nft.Chain{Name: "postrouting", Type: "nat", Hook: "postrouting", Priority: 95, Policy: "accept"},
			Rules: []netfilter.Rule{
				{Name: "masquerade-marked", Text: "meta mark and " + hairpinMark + " == " + hairpinMark + " ct status dnat " + passKey(false) + " @" + passSet(false) + " masquerade"},
			},
		},
	}
	if six {
		accept, shift := stores[2], stores[3]
		prerouting, pass := &chains[0], &chains[4]
		prerouting.Rules = append(prerouting.Rules,
			netfilter.Rule{Name: "shift-6", Text: "meta l4proto { tcp, udp } dnat ip6 to " + shift.key() + " map @" + shift.name})
		pass.Rules = append(append(pass.Rules, passRules(true, mark)...),
			netfilter.Rule{Name: "accept-6", Text: "ct direction original " + passKey(true) + " @" + accept.name + mark},
			netfilter.Rule{Name: "accept-6-reply", Text: "ct direction reply " + passReply(true) + " @" + accept.name + mark})
	}
	return chains
}

// passRules mark what has been translated by us, and the answers to it.
func passRules(six bool, mark string) []netfilter.Rule {
	suffix := ""
	if six {
		suffix = "-6"
	}
	return []netfilter.Rule{
		{Name: "pass" + suffix, Text: "ct status dnat ct direction original " + passKey(six) + " @" + passSet(six) + mark},
		{Name: "pass-reply" + suffix, Text: "ct status dnat ct direction reply " + passReply(six) + " @" + passSet(six) + mark},
	}
}

// elements gives what of e is in its store.
func (e entry) elements() []netfilter.Element {
	s := storeOf(e.rule)
	addr := e.rule.To.Addr().String()
	head, value := string(e.rule.Protocol)+" . ", ""
	if s.six {
		head = addr + " . " + head
	}
	if s.isMap() {
		value = addr
	}
	var out []netfilter.Element
	for _, source := range netfilter.SpellSources(e.rule.Sources, s.six) {
		if !s.shifted {
			out = append(out, netfilter.Element{Key: head + e.rule.Ports.String() + " . " + source, Value: value, Comment: e.comment})
			continue
		}
		for i := range e.rule.Ports.Count() {
			out = append(out, netfilter.Element{
				Key:     fmt.Sprintf("%s%d . %s", head, int(e.rule.Ports.First)+i, source),
				Value:   fmt.Sprintf("%s . %d", value, int(e.rule.To.Port())+i),
				Comment: e.comment,
			})
		}
	}
	return out
}

// element spells p for a passSet.
func (p pass) element() string {
	return passTarget(p.machine, p.protocol) + " . " + p.ports.String() + " . " + p.source
}

// passTarget is the beginning of the elements of passSet for one machine and
// protocol.
func passTarget(machine netip.Addr, protocol plan.Protocol) string {
	return machine.String() + " . " + string(protocol)
}

// passElements spells the elements of one passSet for these entries.
func passElements(entries []entry, six bool) []string {
	translated := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool {
		s := storeOf(e.rule)
		return s.six != six || !s.isMap()
	})
	var out []string
	for _, p := range passesOf(translated) {
		out = append(out, p.element())
	}
	return out
}

// content is what our table has to hold for these entries.
func content(wan, generation string, entries []entry) *netfilter.Content {
	if len(entries) == 0 {
		return nil
	}
	six := hasIPv6(entries)
	elements := map[string][]netfilter.Element{}
	for _, e := range entries {
		name := storeOf(e.rule).name
		elements[name] = append(elements[name], e.elements()...)
	}
	sets := []netfilter.Set{{Name: wanSet, Header: "type ifname", Elements: []netfilter.Element{{Key: nft.Quote(wan)}}}}
	for _, s := range stores {
		if six || !s.six {
			sets = append(sets, netfilter.Set{Name: s.name, IsMap: s.isMap(), Header: s.header() + "; flags interval", Elements: elements[s.name]})
		}
	}
	for _, v6 := range []bool{false, true} {
		if six || !v6 {
			passing := netfilter.Set{Name: passSet(v6), Header: "typeof " + passKey(v6) + "; flags interval"}
			for _, key := range passElements(entries, v6) {
				passing.Elements = append(passing.Elements, netfilter.Element{Key: key})
			}
			sets = append(sets, passing)
		}
	}
	return &netfilter.Content{Generation: generation, Sets: sets, Chains: machinery(six), Hooked: versionsOf(entries)}
}
