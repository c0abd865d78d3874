package linuxgw

import (
	"errors"
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
	save := f.saves[v]
	if save == nil {
		return nil, nil
	}
	c := &ownChains{on: f.commands[v], project: g.project, wan: wan, tables: map[string]chainSet{}, printed: f.ownLines[v]}
	h := &holding{filter: c}
	for _, name := range builtIn {
		set, err := c.readTable(save.Table(name))
		if err != nil {
			return nil, fmt.Errorf("%s can't be made sense of: %w. If nothing else is of use, flush them by hand and apply again", c, err)
		}
		c.tables[name] = set
		h.exists = h.exists || set.exists
	}
	var err error
	if c.hooks, err = findHooks(g, f, &v); err != nil || !h.exists {
		return h, err
	}
	nat := save.Table("nat")
	if h.entries, err = readDNAT(nat, chainName(dnatChain, g.project)); err != nil {
		return nil, fmt.Errorf("%s can't be made sense of: %w. If nothing else is of use, flush it by hand and apply again", chainName(dnatChain, g.project), err)
	}
	h.generation = c.tables[builtIn[0]].generation
	was := *c // to compare with, for another interface is nobody's mistake
	if pre, found := nat.Chain(chainName(preChain, g.project)); found && len(pre.Rules) > 0 {
		if iface := pre.Rules[0].Value("-i"); interfaceName.MatchString(iface) && iface != wan {
			was.wan = iface
			h.outdated = fmt.Sprintf("it is for packets from %s; the WAN interface is %s", iface, wan)
		}
	}
	h.blocked = map[string]bool{}
	h.drift = was.findDrift(save, h)
	return h, nil
}

// generationName is what a generation looks like.
var generationName = regexp.MustCompile(`^[0-9a-f]{1,19}$`)

// readTable reads what one table holds of ours, to be spelled again as it is.
func (c *ownChains) readTable(t iptables.Table) (chainSet, error) {
	set := chainSet{rules: map[string][]string{}}
	for _, chain := range t.Chains {
		if name, found := strings.CutPrefix(chain.Name, generationChain(c.project, "")); found && generationName.MatchString(name) {
			set.exists, set.generation = true, name
		}
	}
	for _, k := range kinds {
		chain, found := t.Chain(chainName(k.name, c.project))
		if !found || k.table != t.Name {
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
func (c *ownChains) findDrift(save *iptables.Save, h *holding) string {
	want := c.want(h.entries, "")
	generation := c.tables[builtIn[0]].generation
	for _, k := range kinds {
		if !want[k.table].exists {
			continue
		}
		t, name := save.Table(k.table), chainName(k.name, c.project)
		chain, found := t.Chain(name)
		switch {
		case !found:
			return fmt.Sprintf("chain %s is missing", name)
		case c.tables[k.table].generation != generation:
			return fmt.Sprintf("table %s was not written together with table %s", k.table, builtIn[0])
		case k.from != "" && !c.isReached(t, k):
			return fmt.Sprintf("the rule of chain %s that leads to %s is missing or too far down", k.from, name)
		case !h.compare(k, chain, want[k.table].rules[k.name]):
			return fmt.Sprintf("the rules of chain %s were changed", name)
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
		if err != nil {
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

// readDNAT reads the forwards of one chain.
func readDNAT(t iptables.Table, name string) ([]entry, error) {
	chain, _ := t.Chain(name)
	var out []entry
	for _, r := range chain.Rules {
		e, err := readForward(r)
		if err != nil {
			return nil, fmt.Errorf("the rule %q: %w", r, err)
		}
		out = append(out, e)
	}
	return joinEntries(out), nil
}

// readForward reads one rule that dnatRules has spelled, or one like it.
func readForward(r iptables.Rule) (entry, error) {
	for _, o := range r.Options {
		if o.Not || !slices.Contains([]string{"-p", "-s", "-m", "-j", "--dport", "--comment", "--to-destination"}, o.Name) {
			return entry{}, fmt.Errorf("it has %s", o.Name)
		}
	}
	e := entry{plan.Rule{Kind: plan.Forward, Protocol: plan.Protocol(r.Value("-p"))}, r.Comment()}
	var err error
	if e.rule.Ports, err = parsePorts(r.Value("--dport")); err != nil {
		return e, err
	}
	source := netip.MustParsePrefix(anywhere(false))
	if s := r.Value("-s"); s != "" {
		if source, err = netip.ParsePrefix(s); err != nil {
			return e, err
		}
	}
	e.rule.Sources = []netip.Prefix{source}
	to := r.Value("--to-destination")
	if addr, addrErr := netip.ParseAddr(to); addrErr == nil {
		e.rule.To = netip.AddrPortFrom(addr, e.rule.Ports.First)
	} else if e.rule.To, err = netip.ParseAddrPort(to); err != nil {
		return e, err
	} else if e.rule.Ports.Count() != 1 {
		return e, errors.New("it leads a range to one port")
	}
	if r.Target() != "DNAT" || !e.rule.To.Addr().Is4() {
		return e, errors.New("it leads to no IPv4 address")
	}
	check := e.rule
	check.Sources = nil // not joined yet
	return e, check.Check()
}

// parsePorts reads 6881 or 6881:6889. (A range without an end, 6881:, is
// printed with its end.)
func parsePorts(s string) (plan.PortRange, error) {
	if strings.Contains(s, "-") {
		return plan.PortRange{}, fmt.Errorf("%q is not a range of ports", s)
	}
	return plan.ParsePortRange(strings.Replace(s, ":", "-", 1))
}
