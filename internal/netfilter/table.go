package netfilter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/internal/script"
)

// Table is our table of nftables, as it was read.
type Table struct {
	nft.Table
	Exists     bool
	Generation string // which writing it is; empty: it doesn't say
	Hooks      Hooks
	printed    []byte
}

// generations begins the name of an empty chain, which goes on at random.
const generations = "generation_"

// table gives our table; nil where there is no nft.
func (f *Facts) table(names Names) *Table {
	if f.Ruleset == nil {
		return nil
	}
	t := &Table{Table: names.Table(), printed: f.ownListing}
	t.Exists = f.Own.HasTable(t.Table)
	for _, c := range f.Own.Chains {
		if name, found := strings.CutPrefix(c.Name, generations); found && nft.CheckName(c.Name) == nil {
			t.Generation = name
		}
	}
	return t
}

// Listing spells the command that prints all that is ours, and gives what it
// printed.
func (t *Table) Listing() (command string, printed []byte) { return listOwn(t.Table), t.printed }

// Senseless says what to do about a table that can't be read.
func (t *Table) Senseless(err error) error {
	return fmt.Errorf("%s can't be made sense of: %w. If nothing else is of use, delete it with nft delete %s and apply again", t, err, t)
}

// Content is what our table is to hold.
type Content struct {
	Generation string
	Sets       string // as SpellSet spells them
	Chains     []Chain
	Hooked     Versions // of what packets need their hooks
}

// Chain is one chain of our table as it has to be.
type Chain struct {
	nft.Chain
	Rules []Rule
}

// Rule is one rule of a chain. Its name is in its comment, by which a reader
// sees that it is there; when the text changes so must the name.
type Rule struct{ Name, Text string }

func (r Rule) comment() string { return "btplan:" + r.Name }

// Change spells the commands that make our table hold this and nothing else;
// nil: that remove it. They fail if someone else has written it since it was
// read.
func (t *Table) Change(want *Content) string {
	return "nft -f - <<'END' || return\n" + t.transaction(want) + "END\n" +
		setHooks(t.Hooks.iptables, want.hooked())
}

// hooked is the IP versions of packets that need hooks.
func (c *Content) hooked() Versions {
	if c == nil {
		return Versions{}
	}
	return c.Hooked
}

// transaction spells the commands of nft for a change. It begins with one that
// fails, and all the rest with it, when the table was written by someone else
// since it was read: so two applies at once exclude each other even where there
// is no lock.
func (t *Table) transaction(want *Content) string {
	var b strings.Builder
	if t.Generation != "" {
		fmt.Fprintf(&b, "delete chain %s %s %s%s\n", t.Family, t.Name, generations, t.Generation)
	}
	switch {
	case t.Exists:
		fmt.Fprintf(&b, "delete %s\n", t)
	case want != nil:
		fmt.Fprintf(&b, "create %s\n", t)
	}
	if want != nil {
		b.WriteString(t.spell(want))
	}
	for _, h := range t.Hooks.nft {
		h.render(&b, h.serves(want.hooked()))
	}
	return b.String()
}

// Snapshot spells the commands that keep what Undo needs.
func (t *Table) Snapshot() string {
	return fmt.Sprintf("nft list %s >\"$change/table\" 2>/dev/null\n", t)
}

// Undo spells the commands that take Change back.
func (t *Table) Undo(want *Content) string {
	var b strings.Builder
	b.WriteString("{\n")
	if want != nil {
		fmt.Fprintf(&b, "echo delete chain %s %s %s%s\necho delete %s\n", t.Family, t.Name, generations, want.Generation, t)
	} else {
		// This fails if somebody else has made it again.
		fmt.Fprintf(&b, "echo create %s\n", t)
	}
	if t.Exists {
		b.WriteString("cat table\n")
	}
	for _, h := range t.Hooks.nft {
		b.WriteString(h.undo())
	}
	fmt.Fprintf(&b, "} | nft -f - || return %d\n", script.ExitLeft)
	for _, h := range t.Hooks.iptables {
		b.WriteString(h.undo())
	}
	return b.String()
}

// Load spells the commands that make our table hold this whatever it holds, at
// boot or when others have reloaded their rules.
func (t *Table) Load(want *Content) string {
	return "nft -f - <<'END' || return\n" + fmt.Sprintf("add %s\ndelete %s\n%s", t, t, t.spell(want)) + "END\n" + t.Hooks.ensure(want.Hooked)
}

// spell spells our table.
func (t *Table) spell(want *Content) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s {\n", t)
	fmt.Fprintf(&b, " chain %s%s { }\n", generations, want.Generation)
	b.WriteString(want.Sets)
	// A jump needs its target declared before it.
	for _, c := range want.Chains {
		fmt.Fprintf(&b, " chain %s {", c.Name)
		if c.Hook != "" {
			fmt.Fprintf(&b, " type %s hook %s priority %d; policy %s;", c.Type, c.Hook, c.Priority, c.Policy)
		}
		b.WriteString(" }\n")
	}
	for _, c := range want.Chains {
		fmt.Fprintf(&b, " chain %s {\n", c.Name)
		for _, r := range c.Rules {
			fmt.Fprintf(&b, "  %s comment %s\n", r.Text, nft.Quote(r.comment()))
		}
		b.WriteString(" }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// Drift says what is wrong with the chains of our table, or with the hooks of
// packets of these IP versions; empty: nothing.
func (t *Table) Drift(own *nft.Ruleset, chains []Chain, hooked Versions) string {
	for _, want := range chains {
		want.Family, want.Table = t.Family, t.Name
		i := slices.IndexFunc(own.Chains, func(c nft.Chain) bool { return c == want.Chain })
		if i < 0 {
			return fmt.Sprintf("%s is missing or was changed", want.Chain)
		}
		has := own.RulesOf(want.Chain)
		same := slices.EqualFunc(has, want.Rules, func(h nft.Rule, w Rule) bool { return h.Comment == w.comment() })
		if !same {
			return fmt.Sprintf("the rules of %s were changed", want.Chain)
		}
	}
	return t.Hooks.drift(hooked)
}
