package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/internal/netfilter"
)

// want gives what the tables have to hold for these entries.
func (c *chains) want(entries []entry, generation string) map[netfilter.TableID]netfilter.ChainSet {
	if len(entries) == 0 {
		return nil
	}
	want := map[netfilter.TableID]netfilter.ChainSet{}
	for _, k := range kinds {
		rules, needed := c.rules(k, ofVersion(entries, k.Table.Six))
		if !needed {
			continue
		}
		set := want[k.Table]
		if set.Rules == nil {
			set = netfilter.ChainSet{Exists: true, Generation: generation, Rules: map[string][]string{}}
		}
		set.Rules[k.Name] = rules
		want[k.Table] = set
	}
	return want
}

// rules gives what a chain has to hold for these entries, all of the IP
// version of its table, and whether it has to be there.
func (c *chains) rules(k netfilter.Kind, entries []entry) (rules []string, needed bool) {
	six, some := k.Table.Six, len(entries) > 0
	switch k.Name {
	case fwdChain:
		// Whatever there is, the first table says which writing it is.
		return throughRules(entries, "ACCEPT"), some || k.Table == netfilter.FirstTable
	case markChain:
		return markRules(entries), some && c.Hooks.Needed(netfilter.Forward, six)
	case preChain:
		return c.preRules(), some
	case dnatChain:
		translated := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return !isTranslated(e.rule) })
		return dnatRules(translated), len(translated) > 0
	case postChain:
		return hairpinRules(entries), some
	}
	panic("there is no chain " + k.Name)
}

// preRules lead the packets that are for the gateway to the DNAT: those from
// the WAN interface, and those that come from inside for an address that isn't
// of the side where they came in, that is, for the WAN address (hairpin).
func (c *chains) preRules() []string {
	dnat := " -j " + c.Chain(dnatChain)
	hairpin := fmt.Sprintf(" ! -i %s -m addrtype --dst-type LOCAL -m addrtype ! --dst-type LOCAL --limit-iface-in", c.wan)
	return []string{
		fmt.Sprintf(" -i %s -m addrtype --dst-type LOCAL", c.wan) + dnat,
		hairpin + " -j " + netfilter.MarkTarget(hairpinMark),
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
		for _, source := range netfilter.SpellSources(e.rule.Sources, addr.Is6()) {
			rule := func(ports, to string) {
				out = append(out, netfilter.Packets(source, at, e.rule.Protocol, "", "--dport", ports)+netfilter.IptablesComment(e.comment)+" -j DNAT --to-destination "+to)
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
			netfilter.Packets(p.source, machine, p.protocol, there, "--dport", ports)+comment+" -j "+target,
			netfilter.Packets(machine, p.source, p.protocol, back, "--sport", ports)+" -j "+target)
	}
	var translated []entry
	for _, e := range entries {
		if isTranslated(e.rule) {
			translated = append(translated, e)
			continue
		}
		for _, source := range netfilter.SpellSources(e.rule.Sources, true) {
			add(pass{e.rule.To.Addr(), e.rule.Protocol, e.rule.Ports, source}, original, reply, netfilter.IptablesComment(e.comment))
		}
	}
	for _, p := range passesOf(translated) {
		add(p, dnatOriginal, dnatReply, "")
	}
	return out
}

// markRules mark what throughRules let through.
func markRules(entries []entry) []string {
	bare := slices.Clone(entries)
	for i := range bare {
		bare[i].comment = ""
	}
	return throughRules(bare, netfilter.MarkTarget(netfilter.PassMark))
}

// hairpinRules make the gateway stand in as the source of connections from
// inside, or the machine would answer its neighbour directly, past the NAT.
func hairpinRules(entries []entry) []string {
	var out []string
	for _, p := range passesOf(entries) {
		out = append(out, fmt.Sprintf("%s%s -p %s -m mark --mark %s/%s -m conntrack --ctstate DNAT -m %s --dport %s -j MASQUERADE",
			netfilter.Address("-s", p.source), netfilter.Address("-d", p.machine.String()), p.protocol, hairpinMark, hairpinMark, p.protocol, netfilter.Colon(p.ports.String())))
	}
	return out
}
