package netfilter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// A table could always be written anew, deleted and made again in the same
// transaction. But at the moment when that takes effect both its old and its
// new chains are hooked in, the new ones first: a packet between the two has
// met the new ones as they were before, empty, and now meets the old ones as
// they are after, empty too. At 8,000 packets in a second, one such transaction
// in ten lost a packet (kernel 6.18). Where everything that stays is left alone
// none is lost, so that is how a table is changed as long as nothing in it is
// amiss.

// Hold takes note that our table, as it was read, holds just this, if it does: a
// change can then leave alone what stays.
func (t *Table) Hold(own *nft.Ruleset, want *Content) {
	if want == nil || t.Generation == "" || t.drift(own, want.Chains) != "" {
		return
	}
	const generation = 1 // a chain too
	if len(own.ChainsOf(t.Table)) != len(want.Chains)+generation || len(own.SetsOf(t.Table)) != len(want.Sets) {
		return
	}
	for _, s := range want.Sets {
		if has, _ := own.Set(t.Table, s.Name); !s.isHeld(has) {
			return
		}
	}
	t.held = want
}

// canEdit says whether edit can make one of the other: what has the same name
// in both has to be of the same kind.
func canEdit(from, to *Content) bool {
	if from == nil || to == nil {
		return false
	}
	for _, c := range from.Chains {
		if want, stays := to.chain(c.Name); stays && want.Chain != c.Chain {
			return false
		}
	}
	for _, s := range from.Sets {
		if want, stays := to.set(s.Name); stays && (want.IsMap != s.IsMap || want.Header != s.Header) {
			return false
		}
	}
	return true
}

// edit spells the commands of nft that make of a table with one content, whose
// generation is gone already, one with another. What is the same in both they
// don't touch.
func (t *Table) edit(b *strings.Builder, from, to *Content) {
	t.clear(b, from, to)
	fresh := Content{Generation: to.Generation}
	for _, s := range to.Sets {
		if _, there := from.set(s.Name); !there {
			fresh.Sets = append(fresh.Sets, s)
		}
	}
	for _, c := range to.Chains {
		if was, there := from.chain(c.Name); !there || !slices.Equal(was.Rules, c.Rules) {
			fresh.Chains = append(fresh.Chains, c)
		}
	}
	t.spell(b, &fresh)
	for _, s := range to.Sets {
		if was, there := from.set(s.Name); there {
			t.elements(b, "add", s, s.without(was.Elements), Element.String)
		}
	}
}

// clear spells the commands that take out of the table what is not to stay.
// Rules go first, since a set or chain that is in use can't be deleted.
func (t *Table) clear(b *strings.Builder, from, to *Content) {
	for _, c := range from.Chains {
		if want, stays := to.chain(c.Name); !stays || !slices.Equal(want.Rules, c.Rules) {
			fmt.Fprintf(b, "flush chain %s %s %s\n", t.Family, t.Name, c.Name)
		}
	}
	for _, c := range from.Chains {
		if _, stays := to.chain(c.Name); !stays {
			fmt.Fprintf(b, "delete chain %s %s %s\n", t.Family, t.Name, c.Name)
		}
	}
	for _, s := range from.Sets {
		if want, stays := to.set(s.Name); stays {
			t.elements(b, "delete", s, s.without(want.Elements), func(e Element) string { return e.Key })
		} else {
			fmt.Fprintf(b, "delete %s %s %s %s\n", s.keyword(), t.Family, t.Name, s.Name)
		}
	}
}

// elements spells a command about elements of a set, if there are any.
func (t *Table) elements(b *strings.Builder, verb string, s Set, elements []Element, spell func(Element) string) {
	if len(elements) == 0 {
		return
	}
	fmt.Fprintf(b, "%s element %s %s %s {", verb, t.Family, t.Name, s.Name)
	for i, e := range elements {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n " + spell(e))
	}
	b.WriteString("\n}\n")
}

// chain finds a chain by its name.
func (c *Content) chain(name string) (Chain, bool) {
	i := slices.IndexFunc(c.Chains, func(has Chain) bool { return has.Name == name })
	if i < 0 {
		return Chain{}, false
	}
	return c.Chains[i], true
}

// set finds a set by its name.
func (c *Content) set(name string) (Set, bool) {
	i := slices.IndexFunc(c.Sets, func(has Set) bool { return has.Name == name })
	if i < 0 {
		return Set{}, false
	}
	return c.Sets[i], true
}
