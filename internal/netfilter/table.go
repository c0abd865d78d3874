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
	held       *Content // what it holds, where nothing is amiss; see Hold
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
	Sets       []Set
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
	switch {
	case t.held != nil || !t.Exists:
		t.turn(&b, t.held, want)
	default:
		if t.Generation != "" {
			t.expect(&b, t.Generation)
		}
		fmt.Fprintf(&b, "delete %s\n", t)
		t.spell(&b, want)
	}
	for _, h := range t.Hooks.nft {
		h.render(&b, h.serves(want.hooked()))
	}
	return b.String()
}

// turn spells the commands that make of a table with one content one with
// another. nil: there is none. They fail where the first is not there.
func (t *Table) turn(b *strings.Builder, from, to *Content) {
	if from != nil {
		t.expect(b, from.Generation)
	}
	switch {
	case canEdit(from, to):
		t.edit(b, from, to)
		return
	case from != nil:
		fmt.Fprintf(b, "delete %s\n", t)
	case to != nil:
		fmt.Fprintf(b, "create %s\n", t)
	}
	t.spell(b, to)
}

// expect spells the command that fails unless the table is that writing.
func (t *Table) expect(b *strings.Builder, generation string) {
	fmt.Fprintf(b, "delete chain %s %s %s%s\n", t.Family, t.Name, generations, generation)
}

// Snapshot spells the commands that keep what Undo needs: what is in the table,
// unless that is known.
func (t *Table) Snapshot() string {
	if !t.Exists || t.held != nil {
		return ""
	}
	return fmt.Sprintf("nft list %s >\"$change/table\"\n", t)
}

// Undo spells the commands that take Change back. They fail if somebody else
// has written the table since, or has made it again.
func (t *Table) Undo(want *Content) string {
	var commands, b strings.Builder
	saved := ""
	switch {
	case t.held != nil || !t.Exists:
		t.turn(&commands, want, t.held)
	case want == nil:
		fmt.Fprintf(&commands, "create %s\n", t)
		saved = "cat table\n"
	default:
		t.turn(&commands, want, nil)
		saved = "cat table\n"
	}
	b.WriteString("{\ncat " + script.Heredoc(commands.String(), "END") + saved)
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
	var b strings.Builder
	fmt.Fprintf(&b, "nft -f - <<'END' || return\nadd %[1]s\ndelete %[1]s\n", t)
	t.spell(&b, want)
	return b.String() + "END\n" + t.Hooks.ensure(want.Hooked)
}

// spell spells our table; none for nil.
func (t *Table) spell(b *strings.Builder, want *Content) {
	if want == nil {
		return
	}
	fmt.Fprintf(b, "%s {\n", t)
	for _, s := range want.Sets {
		s.declare(b)
	}
	// A jump needs its target declared before it.
	for _, c := range want.Chains {
		fmt.Fprintf(b, " chain %s {", c.Name)
		if c.Hook != "" {
			fmt.Fprintf(b, " type %s hook %s priority %d; policy %s;", c.Type, c.Hook, c.Priority, c.Policy)
		}
		b.WriteString(" }\n")
	}
	for _, c := range want.Chains {
		fmt.Fprintf(b, " chain %s {\n", c.Name)
		for _, r := range c.Rules {
			fmt.Fprintf(b, "  %s comment %s\n", r.Text, nft.Quote(r.comment()))
		}
		b.WriteString(" }\n")
	}
	// At the end, which is where each edit puts it too: so what is listed after
	// a change was taken back is what was before.
	fmt.Fprintf(b, " chain %s%s { }\n}\n", generations, want.Generation)
}

// Drift says what is wrong with the chains of our table, or with the hooks of
// packets of these IP versions; empty: nothing.
func (t *Table) Drift(own *nft.Ruleset, chains []Chain, hooked Versions) string {
	if drift := t.drift(own, chains); drift != "" {
		return drift
	}
	return t.Hooks.drift(hooked)
}

// drift says what is wrong with the chains.
func (t *Table) drift(own *nft.Ruleset, chains []Chain) string {
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
	return ""
}
