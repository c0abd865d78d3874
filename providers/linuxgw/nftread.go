package linuxgw

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// readNftables reads our table; nil where there is no nft.
func readNftables(g *gateway, f *facts, wan string) (*holding, error) {
	if f.ruleset == nil {
		return nil, nil
	}
	n := &nftables{table: ownTable(g.project), wan: wan, printed: f.ownListing}
	n.exists = f.own.HasTable(n.table)
	var err error
	if n.hooks, err = findHooks(g, f, nil); err != nil {
		return nil, err
	}
	h := &holding{filter: n, exists: n.exists}
	if !n.exists {
		return h, nil
	}
	if err := n.read(h, f.own); err != nil {
		return nil, fmt.Errorf("%s can't be made sense of: %w. If nothing else is of use, delete it with nft delete %s and apply again", n, err, n)
	}
	return h, nil
}

func (n *nftables) read(h *holding, own *nft.Ruleset) error {
	for _, c := range own.Chains {
		if name, found := strings.CutPrefix(c.Name, generations); found && nft.CheckName(c.Name) == nil {
			n.generation = name
		}
	}
	h.generation = n.generation
	var err error
	if h.entries, err = readEntries(own, n.table); err != nil {
		return err
	}
	h.blocked = map[string]bool{}
	for _, six := range []bool{false, true} {
		passing, err := readPassing(own, n.table, six)
		if err != nil {
			return err
		}
		maps.Copy(h.blocked, blockedTargets(passElements(h.entries, six), passing))
	}
	h.drift = n.tableDrift(own, h.entries)
	h.outdated = n.outdated(own)
	return nil
}

// blockedTargets compares what a passSet holds with what the table's entries
// need. It gives the targets, as passTarget spells them, for which there is a
// difference.
func blockedTargets(needed, passing []string) map[string]bool {
	blocked := map[string]bool{}
	count := map[string]int{}
	for _, e := range needed {
		count[e]++
	}
	for _, e := range passing {
		count[e]--
	}
	for e, n := range count {
		if n != 0 {
			parts := strings.SplitN(e, " . ", 3)
			blocked[parts[0]+" . "+parts[1]] = true
		}
	}
	return blocked
}

// tableDrift says what is wrong with our table's machinery or with its way
// through other people's chains, on which all of its entries depend.
func (n *nftables) tableDrift(own *nft.Ruleset, entries []entry) string {
	for _, want := range machinery(hasIPv6(entries)) {
		want.Family, want.Table = n.table.Family, n.table.Name
		i := slices.IndexFunc(own.Chains, func(c nft.Chain) bool { return c == want.Chain })
		if i < 0 {
			return fmt.Sprintf("%s is missing or was changed", want.Chain)
		}
		has := own.RulesOf(want.Chain)
		same := slices.EqualFunc(has, want.rules, func(h nft.Rule, w rule) bool { return h.Comment == w.comment() })
		if !same {
			return fmt.Sprintf("the rules of %s were changed", want.Chain)
		}
	}
	return n.hooks.drift(entries)
}

// outdated says why our table has to be written again though nobody touched
// it: the configuration names another interface.
func (n *nftables) outdated(own *nft.Ruleset) string {
	set, _ := own.Set(n.table, wanSet)
	elements, err := set.Elements()
	if err != nil {
		return ""
	}
	if len(elements) == 1 && len(elements[0].Key) == 1 && elements[0].Key[0].From == n.wan {
		return ""
	}
	var names []string
	for _, e := range elements {
		for _, d := range e.Key {
			names = append(names, d.String())
		}
	}
	return fmt.Sprintf("it is for packets from %s; the WAN interface is %s", strings.Join(names, ", "), n.wan)
}
