package linuxgw

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/plan"
)

func readIptablesNft(g *gateway, f *facts, wan string) (*holding, error) {
	return readChains(g, f, viaNft, wan)
}

func readIptablesLegacy(g *gateway, f *facts, wan string) (*holding, error) {
	return readChains(g, f, legacy, wan)
}

// readChains reads our chains in one variant of iptables; nil where that isn't
// there or wasn't listed.
func readChains(g *gateway, f *facts, v variant, wan string) (*holding, error) {
	if f.saves[v] == nil {
		return nil, nil
	}
	c := &ownChains{
		on: f.commands[v], on6: f.six.commands[v], no6: f.noIptables6(v),
		project: g.project, wan: wan, tables: map[tableID]chainSet{}, printed: f.ownLines[v],
	}
	saves := map[bool]*iptables.Save{false: f.saves[v]}
	if c.no6 == "" {
		saves[true] = f.six.saves[v]
		c.printed = slices.Concat(c.printed, f.six.ownLines[v])
	}
	h := &holding{filter: c}
	for _, t := range builtIn {
		save := saves[t.six]
		if save == nil {
			continue
		}
		set, err := c.readTable(t, save.Table(t.name))
		if err != nil {
			return nil, fmt.Errorf("%s can't be made sense of: %w. If nothing else is of use, flush them by hand and apply again", c, err)
		}
		c.tables[t] = set
		h.exists = h.exists || set.exists
	}
	var err error
	if c.hooks, err = findHooks(g, f, c); err != nil || !h.exists {
		return h, err
	}
	if h.entries, err = readForwards(saves, g.project); err != nil {
		return nil, err
	}
	h.generation = c.tables[builtIn[0]].generation
	was := *c // to compare with, for another interface is nobody's mistake
	if pre, found := f.saves[v].Table("nat").Chain(chainName(preChain, g.project)); found && len(pre.Rules) > 0 {
		if iface := pre.Rules[0].Value("-i"); interfaceName.MatchString(iface) && iface != wan {
			was.wan = iface
			h.outdated = fmt.Sprintf("it is for packets from %s; the WAN interface is %s", iface, wan)
		}
	}
	h.blocked = map[string]bool{}
	h.drift = was.findDrift(saves, h)
	return h, nil
}

// noIptables6 says why a variant of iptables can't hold rules for IPv6, and
// what to do; empty: it can.
func (f *facts) noIptables6(v variant) string {
	save := f.six.saves[v]
	if save == nil {
		return fmt.Sprintf("the gateway has %s, but no %s: install it there (it comes with the package iptables, on OpenWrt as ip6tables)", f.commands[v].command, commandOf(f.commands[v].command, true))
	}
	for _, name := range save.Incompatible {
		if slices.Contains(builtIn, tableID{true, name}) {
			return fmt.Sprintf("the gateway's IPv6 table %s holds something of nft that %s can't list, and can't work beside: set backend = \"nftables\"", name, f.six.commands[v].command)
		}
	}
	return ""
}

// generationName is what a generation looks like.
var generationName = regexp.MustCompile(`^[0-9a-f]{1,19}$`)

// readTable reads what one table holds of ours, to be spelled again as it is.
func (c *ownChains) readTable(id tableID, t iptables.Table) (chainSet, error) {
	set := chainSet{rules: map[string][]string{}}
	for _, chain := range t.Chains {
		if name, found := strings.CutPrefix(chain.Name, generationChain(c.project, "")); found && generationName.MatchString(name) {
			set.exists, set.generation = true, name
		}
	}
	for _, k := range kinds {
		chain, found := t.Chain(chainName(k.name, c.project))
		if !found || k.table != id {
			continue
		}
		set.exists = true
		for _, r := range chain.Rules {
			if err := r.Check(); err != nil {
				return set, err
			}
			set.rules[k.name] = append(set.rules[k.name], r.Spec())
		}
	}
	return set, nil
}

// findDrift says what is wrong with our chains and the ways to them. What
// concerns the packets of some entries only is noted in h.blocked.
func (c *ownChains) findDrift(saves map[bool]*iptables.Save, h *holding) string {
	want := c.want(h.entries, "")
	generation := c.tables[builtIn[0]].generation
	for _, k := range kinds {
		if !want[k.table].exists {
			continue
		}
		t, name := saves[k.table.six].Table(k.table.name), chainName(k.name, c.project)
		chain, found := t.Chain(name)
		switch {
		case !found:
			return fmt.Sprintf("chain %s of table %s is missing", name, k.table)
		case c.tables[k.table].generation != generation:
			return fmt.Sprintf("table %s was not written together with table %s", k.table, builtIn[0])
		case k.from != "" && !c.isReached(t, k):
			return fmt.Sprintf("the rule of chain %s of table %s that leads to %s is missing or too far down", k.from, k.table, name)
		case !h.compare(k, chain, want[k.table].rules[k.name]):
			return fmt.Sprintf("the rules of chain %s of table %s were changed", name, k.table)
		}
	}
	return c.hooks.drift(h.entries)
}

// compare says whether a chain of ours is as it has to be, but for rules of
// which it is plain whose packets they concern: that is noted. The chain of the
// DNAT isn't compared, since what it has to be is read from it.
func (h *holding) compare(k kind, has iptables.Chain, want []string) bool {
	count := map[string]int{}
	rules := map[string]iptables.Rule{}
	for _, spec := range want {
		r := mustParse("-A " + has.Name + spec)
		rules[r.Canonical()] = r
		count[r.Canonical()]++
	}
	for _, r := range has.Rules {
		rules[r.Canonical()] = r
		count[r.Canonical()]--
	}
	switch k.name {
	case dnatChain:
		return true
	case preChain:
		return slices.EqualFunc(has.Rules, want, func(r iptables.Rule, spec string) bool {
			return r.Same(mustParse("-A " + has.Name + spec))
		})
	}
	for key, n := range count {
		if n == 0 {
			continue
		}
		machine := rules[key].Value("-d")
		if rules[key].Value("--ctdir") == "REPLY" {
			machine = rules[key].Value("-s")
		}
		p, err := netip.ParsePrefix(machine)
		if err != nil || !p.IsSingleIP() {
			return false
		}
		h.blocked[passTarget(p.Addr(), plan.Protocol(rules[key].Value("-p")))] = true
	}
	return true
}

// isReached says whether a built-in chain leads to ours before it does
// anything else with packets. Where they go out, others' rules are for other
// packets.
func (c *ownChains) isReached(t iptables.Table, k kind) bool {
	from, _ := t.Chain(k.from)
	jump := mustParse("-A " + k.from + c.jump(k))
	targets := harmless
	if k.name == fwdChain {
		targets = passTargets
	}
	for _, r := range from.Rules {
		switch {
		case r.Same(jump):
			return true
		case k.name == postChain || strings.HasPrefix(r.Comment(), hookPrefix):
		case stops(t, r, targets):
			return false
		}
	}
	return false
}
