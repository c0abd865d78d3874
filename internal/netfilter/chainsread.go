package netfilter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
)

// chains reads our chains in one variant of iptables; nil where that isn't
// there or wasn't listed.
func (f *Facts) chains(v Variant, names Names, kinds []Kind) (*Chains, error) {
	if f.Save(v, false) == nil {
		return nil, nil
	}
	c := &Chains{
		Names: names, NoIPv6: f.noIPv6(v, kinds),
		on: [2]Program{f.x[0].commands[v], f.x[1].commands[v]}, kinds: kinds,
		tables: map[TableID]ChainSet{}, printed: f.x[0].ownLines[v],
		saves: map[bool]*iptables.Save{false: f.Save(v, false)},
	}
	if c.NoIPv6 == "" {
		c.saves[true] = f.Save(v, true)
		c.printed = slices.Concat(c.printed, f.x[1].ownLines[v])
	}
	for _, t := range tables {
		save := c.saves[t.Six]
		if save == nil {
			continue
		}
		set, err := c.readTable(t, save.Table(t.Name))
		if err != nil {
			return nil, fmt.Errorf("%s can't be made sense of: %w. If nothing else is of use, flush them by hand and apply again", c, err)
		}
		c.tables[t] = set
	}
	return c, nil
}

// In gives a table as it was read; without one it gives an empty table.
func (c *Chains) In(t TableID) iptables.Table {
	if save := c.saves[t.Six]; save != nil {
		return save.Table(t.Name)
	}
	return iptables.Table{}
}

// Drops says whether a built-in chain of the table filter may drop packets of
// an IP version, but for what is ours.
func (c *Chains) Drops(way Way, six bool) bool {
	h := iptablesHook{way: way, on: c.program(six), table: "filter", comment: c.hookComment()}
	h.find(c.In(TableID{six, "filter"}))
	return h.needed
}

// noIPv6 says why a variant of iptables can't hold rules for IPv6, and
// what to do; empty: it can.
func (f *Facts) noIPv6(v Variant, kinds []Kind) string {
	save := f.Save(v, true)
	if save == nil {
		return fmt.Sprintf("the %s has %s, but no %s: install it there (it comes with the package iptables, on OpenWrt as ip6tables)", f.words.Device, f.x[0].commands[v].Command, CommandOf(f.x[0].commands[v].Command, true))
	}
	for _, name := range save.Incompatible {
		if slices.ContainsFunc(kinds, func(k Kind) bool { return k.Table == TableID{true, name} }) {
			return fmt.Sprintf("the %s's IPv6 table %s holds something of nft that %s can't list, and can't work beside: set %s", f.words.Device, name, f.x[1].commands[v].Command, f.words.set(Nftables))
		}
	}
	return ""
}

// generationName is what a generation looks like.
var generationName = regexp.MustCompile(`^[0-9a-f]{1,19}$`)

// readTable reads what one table holds of ours, to be spelled again as it is.
func (c *Chains) readTable(id TableID, t iptables.Table) (ChainSet, error) {
	set := ChainSet{Rules: map[string][]string{}}
	for _, chain := range t.Chains {
		if name, found := strings.CutPrefix(chain.Name, c.GenerationChain("")); found && generationName.MatchString(name) {
			set.Exists, set.Generation = true, name
		}
	}
	for _, k := range c.kinds {
		chain, found := t.Chain(c.Chain(k.Name))
		if !found || k.Table != id {
			continue
		}
		set.Exists = true
		for _, r := range chain.Rules {
			if err := r.Check(); err != nil {
				return set, err
			}
			set.Rules[k.Name] = append(set.Rules[k.Name], r.Spec())
		}
	}
	return set, nil
}

// Drift says what is wrong with our chains, the ways to them or the hooks of
// packets of these IP versions; empty: nothing. same compares the rules of one
// chain with those that it has to have.
func (c *Chains) Drift(want map[TableID]ChainSet, hooked Versions, same func(k Kind, has iptables.Chain, want []string) bool) string {
	generation := c.Generation()
	for _, k := range c.kinds {
		if !want[k.Table].Exists {
			continue
		}
		t, name := c.In(k.Table), c.Chain(k.Name)
		chain, found := t.Chain(name)
		switch {
		case !found:
			return fmt.Sprintf("chain %s of table %s is missing", name, k.Table)
		case c.tables[k.Table].Generation != generation:
			return fmt.Sprintf("table %s was not written together with table %s", k.Table, FirstTable)
		case k.From != "" && !c.isReached(t, k):
			return fmt.Sprintf("the rule of chain %s of table %s that leads to %s is missing or too far down", k.From, k.Table, name)
		case !same(k, chain, want[k.Table].Rules[k.Name]):
			return fmt.Sprintf("the rules of chain %s of table %s were changed", name, k.Table)
		}
	}
	return c.Hooks.drift(hooked)
}

// isReached says whether a built-in chain leads to ours before it does
// anything else with packets. Where they go out, others' rules are for other
// packets.
func (c *Chains) isReached(t iptables.Table, k Kind) bool {
	from, _ := t.Chain(k.From)
	jump := MustParse("-A " + k.From + c.jump(k))
	targets := harmless
	if k.Accepts {
		targets = passTargets
	}
	for _, r := range from.Rules {
		switch {
		case r.Same(jump):
			return true
		case k.Anywhere || strings.HasPrefix(r.Comment(), hookPrefix):
		case stops(t, r, targets):
			return false
		}
	}
	return false
}
