package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/plan"
)

// want gives what the tables have to hold for these entries.
func (c *ownChains) want(entries []entry, generation string) map[tableID]chainSet {
	if len(entries) == 0 {
		return nil
	}
	want := map[tableID]chainSet{}
	for _, k := range kinds {
		rules, needed := c.rules(k, ofVersion(entries, k.table.six))
		if !needed {
			continue
		}
		set := want[k.table]
		if set.rules == nil {
			set = chainSet{exists: true, generation: generation, rules: map[string][]string{}}
		}
		set.rules[k.name] = rules
		want[k.table] = set
	}
	return want
}

// rules gives what a chain has to hold for these entries, all of the IP
// version of its table, and whether it has to be there.
func (c *ownChains) rules(k kind, entries []entry) (rules []string, needed bool) {
	six, some := k.table.six, len(entries) > 0
	switch k.name {
	case fwdChain:
		// Whatever there is, the first table says which writing it is.
		return throughRules(entries, "ACCEPT"), some || k.table == builtIn[0]
	case markChain:
		return markRules(entries), some && c.hooks.needed(six)
	case preChain:
		return c.preRules(), some
	case dnatChain:
		translated := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return !isTranslated(e.rule) })
		return dnatRules(translated), len(translated) > 0
	case postChain:
		return hairpinRules(entries), some
	}
	panic("there is no chain " + k.name)
}

// preRules lead the packets that are for the gateway to the DNAT: those from
// the WAN interface, and those that come from inside for an address that isn't
// of the side where they came in, that is, for the WAN address (hairpin).
func (c *ownChains) preRules() []string {
	dnat := " -j " + chainName(dnatChain, c.project)
	hairpin := fmt.Sprintf(" ! -i %s -m addrtype --dst-type LOCAL -m addrtype ! --dst-type LOCAL --limit-iface-in", c.wan)
	return []string{
		fmt.Sprintf(" -i %s -m addrtype --dst-type LOCAL", c.wan) + dnat,
		hairpin + " -j MARK --set-xmark " + hairpinMark + "/" + hairpinMark,
		hairpin + dnat,
	}
}

// dnatRules lead entries to their machines. iptables would send every port of
// a shifted range to the first one, unless both it and the kernel are recent
// enough for an offset, so shifted ports have a rule each.
func dnatRules(entries []entry) []string {
	var out []string
	for _, e := range entries {
		addr, at := e.rule.To.Addr(), ""
		if addr.Is6() { // packets come for the machine
			at = addr.String()
		}
		for _, source := range spellSources(e.rule.Sources, addr.Is6()) {
			rule := func(ports, to string) {
				out = append(out, packets(source, at, e.rule.Protocol, "", "--dport", ports)+e.spellComment()+" -j DNAT --to-destination "+to)
			}
			if !isShifted(e.rule) {
				rule(e.rule.Ports.String(), addr.String())
				continue
			}
			for i := range e.rule.Ports.Count() {
				to := netip.AddrPortFrom(addr, e.rule.To.Port()+uint16(i))
				rule(fmt.Sprint(int(e.rule.Ports.First)+i), to.String())
			}
		}
	}
	return out
}

// Which way packets go. Those that a DNAT has led to a machine are known by
// that: its ports stay shut otherwise.
const (
	original     = "--ctdir ORIGINAL"
	reply        = "--ctdir REPLY"
	isDNAT       = "--ctstate DNAT "
	dnatOriginal = isDNAT + original
	dnatReply    = isDNAT + reply
)

// throughRules let the packets of entries through, to the machine and back.
// Entries that aren't translated are held by these rules alone, and so have
// their comment here.
func throughRules(entries []entry, target string) []string {
	var out []string
	add := func(p pass, there, back, comment string) {
		machine, ports := p.machine.String(), p.ports.String()
		out = append(out,
			packets(p.source, machine, p.protocol, there, "--dport", ports)+comment+" -j "+target,
			packets(machine, p.source, p.protocol, back, "--sport", ports)+" -j "+target)
	}
	var translated []entry
	for _, e := range entries {
		if isTranslated(e.rule) {
			translated = append(translated, e)
			continue
		}
		for _, source := range spellSources(e.rule.Sources, true) {
			add(pass{e.rule.To.Addr(), e.rule.Protocol, e.rule.Ports, source}, original, reply, e.spellComment())
		}
	}
	for _, p := range passesOf(translated) {
		add(p, dnatOriginal, dnatReply, "")
	}
	return out
}

// spellComment spells the match that carries the comment of an entry.
func (e entry) spellComment() string {
	if e.comment == "" {
		return ""
	}
	return " -m comment --comment " + iptables.Quote(e.comment)
}

// markRules mark what throughRules let through.
func markRules(entries []entry) []string {
	bare := slices.Clone(entries)
	for i := range bare {
		bare[i].comment = ""
	}
	return throughRules(bare, "MARK --set-xmark "+passMark+"/"+passMark)
}

// hairpinRules make the gateway stand in as the source of connections from
// inside, or the machine would answer its neighbour directly, past the NAT.
func hairpinRules(entries []entry) []string {
	var out []string
	for _, p := range passesOf(entries) {
		out = append(out, fmt.Sprintf("%s%s -p %s -m mark --mark %s/%s -m conntrack --ctstate DNAT -m %s --dport %s -j MASQUERADE",
			address("-s", p.source), address("-d", p.machine.String()), p.protocol, hairpinMark, hairpinMark, p.protocol, colon(p.ports.String())))
	}
	return out
}

// packets spells the matches of some packets: from and to are an address or a
// prefix, or empty; state is options of conntrack, or empty; side is --dport or
// --sport.
func packets(from, to string, protocol plan.Protocol, state, side, ports string) string {
	if state != "" {
		state = " -m conntrack " + state
	}
	return fmt.Sprintf("%s%s -p %s%s -m %s %s %s", address("-s", from), address("-d", to), protocol, state, protocol, side, colon(ports))
}

// address spells the match of an address, which is none for any address.
func address(option, addr string) string {
	switch {
	case addr == "", addr == anywhere(false), addr == anywhere(true):
		return ""
	case !strings.Contains(addr, "/"):
		addr = netip.PrefixFrom(netip.MustParseAddr(addr), netip.MustParseAddr(addr).BitLen()).String()
	}
	return " " + option + " " + addr
}

// colon spells a range of ports as iptables does.
func colon(ports string) string { return strings.Replace(ports, "-", ":", 1) }

// write spells the command that leads one table from what it holds of ours to
// what it has to hold, with the jumps to our chains at the top. It fails if
// the table does not hold what is assumed: another generation, or anything at
// all where there should be nothing.
func (c *ownChains) write(table tableID, has, wants chainSet) string {
	on := c.program(table.six)
	var b strings.Builder
	fmt.Fprintf(&b, "{\necho '*%s'\n", table.name)
	skip := ""
	if has.generation != "" {
		fmt.Fprintf(&b, "echo '-X %s'\n", generationChain(c.project, has.generation))
		skip = fmt.Sprintf("-e '/^:%s /d' ", generationChain(c.project, has.generation))
	}
	fmt.Fprintf(&b, "%s-save -t %s | sed -n %s-e 's/^:\\(%s[^ ]*\\) .*/-X \\1/p' -e 's/^-A \\(.* -[gj] %s\\)$/-D \\1/p'\ncat <<'END'\n",
		on.command, table.name, skip, generationChain(c.project, ""), anyChain(c.project))
	declare := ":%s - [0:0]\n" // makes or empties a chain
	if !has.exists {
		declare = "-N %s\n"
	}
	var rules, jumps, removals strings.Builder
	for _, k := range kinds {
		if k.table != table {
			continue
		}
		name := chainName(k.name, c.project)
		fmt.Fprintf(&b, declare, name)
		if !wants.exists {
			fmt.Fprintf(&removals, "-X %s\n", name)
			continue
		}
		for _, r := range wants.rules[k.name] {
			fmt.Fprintf(&rules, "-A %s%s\n", name, r)
		}
		if k.from != "" {
			fmt.Fprintf(&jumps, "-I %s 1%s\n", k.from, c.jump(k))
		}
	}
	if wants.generation != "" {
		fmt.Fprintf(&b, ":%s - [0:0]\n", generationChain(c.project, wants.generation))
	}
	b.WriteString(rules.String() + jumps.String() + removals.String())
	fmt.Fprintf(&b, "COMMIT\nEND\n} | %s", on.restore())
	return b.String()
}

// jump spells what leads from a built-in chain to ours, without the chain, and
// with a blank in front.
func (c *ownChains) jump(k kind) string {
	return fmt.Sprintf(" -m comment --comment %s -j %s", iptables.Quote(hookComment(c.project)), chainName(k.name, c.project))
}
