package netfilter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/script"
)

// Chains are our chains in the tables of one variant of iptables, as they were
// read. A change is one iptables-restore a table. Each begins by deleting a
// chain that is named after the writing that was read: it fails, and all the
// rest of the table with it, if someone else has written since.
type Chains struct {
	Names
	// NoIPv6 is why there can be no rules for IPv6, and what to do; empty:
	// there can.
	NoIPv6 string
	Hooks  Hooks

	on      [2]Program // for IPv4 and IPv6
	kinds   []Kind
	tables  map[TableID]ChainSet
	saves   map[bool]*iptables.Save // by whether they are of IPv6
	printed []byte
}

// Kind is one kind of chain of ours, which names begin with.
type Kind struct {
	Name  string
	Table TableID
	From  string // the built-in chain that leads to it; empty: one of ours does
	// Accepts says that the chain accepts packets, and so that it does no harm
	// if others let them pass before.
	Accepts bool
	// Anywhere says that in From others' rules are for other packets.
	Anywhere bool
}

// ChainSet is what one table holds of ours.
type ChainSet struct {
	Exists     bool
	Generation string              // empty: it doesn't say
	Rules      map[string][]string // by the kind of chain, without -A and the chain, with a blank in front
}

// program is the one for an IP version.
func (c *Chains) program(six bool) Program {
	if six {
		return c.on[1]
	}
	return c.on[0]
}

// IsOn says whether the chains are this program's.
func (c *Chains) IsOn(p Program) bool { return c.program(p.Six) == p }

// Exists says whether anything of ours is there.
func (c *Chains) Exists() bool {
	for _, set := range c.tables {
		if set.Exists {
			return true
		}
	}
	return false
}

// Generation says which writing the chains are; empty: they don't say.
func (c *Chains) Generation() string { return c.tables[FirstTable].Generation }

// NeedsLock says whether nothing but the lock keeps two changes at once from
// mixing.
func (c *Chains) NeedsLock() bool { return c.on[0].Variant == ViaNft }

func (c *Chains) String() string {
	return fmt.Sprintf("the chains %s of %s", c.Chain("*"), c.on[0].Command)
}

// Listing spells the command that prints all that is ours, and gives what it
// printed.
func (c *Chains) Listing() (command string, printed []byte) {
	command = c.listOwn(c.on[0])
	if c.NoIPv6 == "" {
		command = "{ " + command + "; " + c.listOwn(c.on[1]) + "; }"
	}
	return command, c.printed
}

func (c *Chains) listOwn(on Program) string {
	return on.save() + " 2>/dev/null | " + c.ownLines()
}

// Change spells the commands that make the chains hold this and nothing else,
// with hooks for packets of these IP versions. Each of its transactions fails if
// someone else has written there since it was read.
func (c *Chains) Change(want map[TableID]ChainSet, hooked Versions) string {
	var b strings.Builder
	for _, t := range c.touched(want) {
		b.WriteString(c.write(t, c.tables[t], want[t]) + " || return\n")
	}
	b.WriteString(c.setNftHooks(hooked))
	b.WriteString(setHooks(c.Hooks.iptables, hooked))
	return b.String()
}

// touched are the tables, in order, in which a change makes or removes
// something.
func (c *Chains) touched(want map[TableID]ChainSet) []TableID {
	return slices.DeleteFunc(slices.Clone(tables), func(t TableID) bool {
		return !c.tables[t].Exists && !want[t].Exists
	})
}

func (c *Chains) setNftHooks(hooked Versions) string {
	var b strings.Builder
	for _, h := range c.Hooks.nft {
		h.render(&b, h.serves(hooked))
	}
	if b.Len() == 0 {
		return ""
	}
	return "nft -f - <<'END' || return\n" + b.String() + "END\n"
}

// Undo spells the commands that take Change back, table by table like the
// change. If the first is no longer as the change left it, someone else has
// written, and nothing is done. Of the others some may not have been reached by
// the change: those fail, and stay.
func (c *Chains) Undo(made map[TableID]ChainSet) string {
	var b strings.Builder
	for i, t := range c.touched(made) {
		b.WriteString(c.write(t, made[t], c.tables[t]))
		if i == 0 {
			fmt.Fprintf(&b, " || return %d", script.ExitLeft)
		}
		b.WriteString("\n")
	}
	if len(c.Hooks.nft) > 0 {
		b.WriteString("{\n")
		for _, h := range c.Hooks.nft {
			b.WriteString(h.undo())
		}
		b.WriteString(":\n} | nft -f -\n")
	}
	for _, h := range c.Hooks.iptables {
		b.WriteString(h.undo())
	}
	return b.String()
}

// Load spells the commands that make the chains hold this whatever they hold,
// at boot or when others have reloaded their rules.
func (c *Chains) Load(want map[TableID]ChainSet, hooked Versions) string {
	unknown := ChainSet{Exists: true}
	var b strings.Builder
	for _, t := range tables {
		if want[t].Exists {
			b.WriteString(c.write(t, unknown, want[t]) + " || return\n")
		}
	}
	return b.String() + c.Hooks.ensure(hooked)
}

// write spells the command that leads one table from what it holds of ours to
// what it has to hold, with the jumps to our chains at the top. It fails if
// the table does not hold what is assumed: another generation, or anything at
// all where there should be nothing.
func (c *Chains) write(table TableID, has, wants ChainSet) string {
	on := c.program(table.Six)
	var b strings.Builder
	fmt.Fprintf(&b, "{\necho '*%s'\n", table.Name)
	skip := ""
	if has.Generation != "" {
		fmt.Fprintf(&b, "echo '-X %s'\n", c.GenerationChain(has.Generation))
		skip = fmt.Sprintf("-e '/^:%s /d' ", c.GenerationChain(has.Generation))
	}
	fmt.Fprintf(&b, "%s-save -t %s | sed -n %s-e 's/^:\\(%s[^ ]*\\) .*/-X \\1/p' -e 's/^-A \\(.* -[gj] %s\\)$/-D \\1/p'\ncat <<'END'\n",
		on.Command, table.Name, skip, c.GenerationChain(""), c.anyChain())
	declare := ":%s - [0:0]\n" // makes or empties a chain
	if !has.Exists {
		declare = "-N %s\n"
	}
	var rules, jumps, removals strings.Builder
	for _, k := range c.kinds {
		if k.Table != table {
			continue
		}
		name := c.Chain(k.Name)
		fmt.Fprintf(&b, declare, name)
		if !wants.Exists {
			fmt.Fprintf(&removals, "-X %s\n", name)
			continue
		}
		for _, r := range wants.Rules[k.Name] {
			fmt.Fprintf(&rules, "-A %s%s\n", name, r)
		}
		if k.From != "" {
			fmt.Fprintf(&jumps, "-I %s 1%s\n", k.From, c.jump(k))
		}
	}
	if wants.Generation != "" {
		fmt.Fprintf(&b, ":%s - [0:0]\n", c.GenerationChain(wants.Generation))
	}
	b.WriteString(rules.String() + jumps.String() + removals.String())
	fmt.Fprintf(&b, "COMMIT\nEND\n} | %s", on.restore())
	return b.String()
}

// jump spells what leads from a built-in chain to ours, without the chain, and
// with a blank in front.
func (c *Chains) jump(k Kind) string {
	return fmt.Sprintf(" -m comment --comment %s -j %s", iptables.Quote(c.hookComment()), c.Chain(k.Name))
}
