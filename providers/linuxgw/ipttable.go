package linuxgw

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
)

// hairpinMark is the bit of the packet mark by which the first packet of a
// connection from inside is known again when it goes out: the interface that
// a packet came in by is forgotten by then on kernels before 5.7.
const hairpinMark = "0x20000000"

// want gives what the tables have to hold for these entries.
func (c *ownChains) want(entries []entry, generation string) map[string]chainSet {
	if len(entries) == 0 {
		return nil
	}
	want := map[string]chainSet{}
	add := func(k kind, rules []string) {
		set := want[k.table]
		if set.rules == nil {
			set = chainSet{exists: true, generation: generation, rules: map[string][]string{}}
		}
		set.rules[k.name] = rules
		want[k.table] = set
	}
	for _, k := range kinds {
		switch k.name {
		case fwdChain:
			add(k, acceptRules(entries, "ACCEPT"))
		case markChain:
			if c.hooks.needed() {
				add(k, acceptRules(entries, "MARK --set-xmark "+passMark+"/"+passMark))
			}
		case preChain:
			add(k, c.preRules())
		case dnatChain:
			add(k, dnatRules(entries))
		case postChain:
			add(k, hairpinRules(entries))
		}
	}
	return want
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
		comment := ""
		if e.comment != "" {
			comment = " -m comment --comment " + iptables.Quote(e.comment)
		}
		addr := e.rule.To.Addr()
		for _, source := range spellSources(e.rule.Sources, false) {
			rule := func(ports, to string) {
				out = append(out, fmt.Sprintf("%s -p %s -m %s --dport %s%s -j DNAT --to-destination %s",
					address("-s", source), e.rule.Protocol, e.rule.Protocol, ports, comment, to))
			}
			if !isShifted(e.rule) {
				rule(colon(e.rule.Ports.String()), addr.String())
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

// acceptRules let the packets of entries through, to the machine and back, but
// only if a DNAT has led them there: the machine's ports stay shut otherwise.
func acceptRules(entries []entry, target string) []string {
	const rule = "%s%s -p %s -m conntrack --ctstate DNAT --ctdir %s -m %s %s %s -j %s"
	var out []string
	for _, p := range passesOf(entries) {
		ports := colon(p.ports.String())
		out = append(out,
			fmt.Sprintf(rule, address("-s", p.source), address("-d", p.machine.String()+"/32"), p.protocol, "ORIGINAL", p.protocol, "--dport", ports, target),
			fmt.Sprintf(rule, address("-s", p.machine.String()+"/32"), address("-d", p.source), p.protocol, "REPLY", p.protocol, "--sport", ports, target))
	}
	return out
}

// hairpinRules make the gateway stand in as the source of connections from
// inside, or the machine would answer its neighbour directly, past the NAT.
func hairpinRules(entries []entry) []string {
	var out []string
	for _, p := range passesOf(entries) {
		out = append(out, fmt.Sprintf("%s%s -p %s -m mark --mark %s/%s -m conntrack --ctstate DNAT -m %s --dport %s -j MASQUERADE",
			address("-s", p.source), address("-d", p.machine.String()+"/32"), p.protocol, hairpinMark, hairpinMark, p.protocol, colon(p.ports.String())))
	}
	return out
}

// address spells the match of an address, which is none for any address.
func address(option, prefix string) string {
	if prefix == anywhere(false) {
		return ""
	}
	return " " + option + " " + prefix
}

// colon spells a range of ports as iptables does.
func colon(ports string) string { return strings.Replace(ports, "-", ":", 1) }

// write spells the command that leads one table from what it holds of ours to
// what it has to hold, with the jumps to our chains at the top. It fails if
// the table does not hold what is assumed: another generation, or anything at
// all where there should be nothing.
func (c *ownChains) write(table string, has, wants chainSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\necho '*%s'\n", table)
	skip := ""
	if has.generation != "" {
		fmt.Fprintf(&b, "echo '-X %s'\n", generationChain(c.project, has.generation))
		skip = fmt.Sprintf("-e '/^:%s /d' ", generationChain(c.project, has.generation))
	}
	fmt.Fprintf(&b, "%s-save -t %s | sed -n %s-e 's/^:\\(%s[^ ]*\\) .*/-X \\1/p' -e 's/^-A \\(.* -[gj] %s\\)$/-D \\1/p'\ncat <<'END'\n",
		c.on.command, table, skip, generationChain(c.project, ""), anyChain(c.project))
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
	fmt.Fprintf(&b, "COMMIT\nEND\n} | %s", c.on.restore())
	return b.String()
}

// jump spells what leads from a built-in chain to ours, without the chain, and
// with a blank in front.
func (c *ownChains) jump(k kind) string {
	return fmt.Sprintf(" -m comment --comment %s -j %s", iptables.Quote(hookComment(c.project)), chainName(k.name, c.project))
}
