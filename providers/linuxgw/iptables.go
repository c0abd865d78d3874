package linuxgw

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
)

// ownChains are our chains in the tables of one variant of iptables, as they
// were read. A change is one iptables-restore a table. Each begins by deleting
// a chain that is named after the writing that was read: it fails, and all the
// rest of the table with it, if someone else has written since.
type ownChains struct {
	on      program // for IPv4
	on6     program // for IPv6
	no6     string  // why there can be no rules for IPv6; empty: there can
	project string
	wan     string // the interface towards the Internet
	tables  map[tableID]chainSet
	printed []byte
	hooks   hooks
}

// program is the one for an IP version.
func (c *ownChains) program(six bool) program {
	if six {
		return c.on6
	}
	return c.on
}

// chainSet is what one table holds of ours.
type chainSet struct {
	exists     bool
	generation string              // empty: it doesn't say
	rules      map[string][]string // by the kind of chain, without -A and the chain, with a blank in front
}

// kind is one kind of chain of ours: chain names begin with it.
type kind struct {
	name  string
	table tableID
	from  string // the built-in chain that leads to it; empty: one of ours does
}

const (
	preChain  = "PRE"
	dnatChain = "DNAT"
	postChain = "POST"
	fwdChain  = "FWD"
	markChain = "MARK"
)

// kinds is our machinery, as in the table of nftables (see chains), but for
// the mark: as long as nobody else drops packets, an accept in our own chain
// does. Only for the chains of other filters are they marked, in the table
// that comes before all of these. Over IPv6 packets come for the machine
// itself, from wherever, and nothing has to stand in for anything.
var kinds = []kind{
	{fwdChain, tableID{false, "filter"}, "FORWARD"},
	{fwdChain, tableID{true, "filter"}, "FORWARD"},
	{markChain, tableID{false, "mangle"}, "FORWARD"},
	{markChain, tableID{true, "mangle"}, "FORWARD"},
	{preChain, tableID{false, "nat"}, "PREROUTING"},
	{dnatChain, tableID{false, "nat"}, ""},
	{postChain, tableID{false, "nat"}, "POSTROUTING"},
	{dnatChain, tableID{true, "nat"}, "PREROUTING"},
}

// chainPrefix begins the names of all our chains.
const chainPrefix = "BTPLAN-"

// chainName names a chain of a project: BTPLAN-DNAT-home. The longest prefix
// leaves 16 bytes; of a longer project's name stand 7 and, behind a dot, which
// no project's name has, 8 digits of its hash.
func chainName(kind, project string) string {
	const room = iptables.MaxChain - len(chainPrefix+dnatChain+"-")
	if len(project) > room {
		project = project[:room-9] + "." + projectHash(project)
	}
	return chainPrefix + kind + "-" + project
}

// anyChain is a regular expression (POSIX basic) for the chains of a project.
func anyChain(project string) string {
	return strings.ReplaceAll(chainName("[A-Z]*", project), ".", `\.`)
}

// generationChain names the empty chain that says which writing a table is.
func generationChain(project, generation string) string {
	return chainPrefix + projectHash(project) + "-" + generation
}

func projectHash(project string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(project)))[:8]
}

// ownLines spells the command that prints, of what iptables-save lists, the
// lines that have to do with us.
func ownLines(project string) string {
	ours := anyChain(project)
	return fmt.Sprintf("sed -n -e '/^\\*/p' -e '/^:%[2]s/p' -e '/^:%[1]s /p' -e '/^-A %[1]s /p' -e '/ -[gj] %[1]s$/p'", ours, generationChain(project, ""))
}

func (c *ownChains) String() string {
	return fmt.Sprintf("the chains %s of %s", chainName("*", c.project), c.on.command)
}

func (c *ownChains) listing() (command string, printed []byte) {
	command = c.listOwn(c.on)
	if c.no6 == "" {
		command = "{ " + command + "; " + c.listOwn(c.on6) + "; }"
	}
	return command, c.printed
}

func (c *ownChains) listOwn(on program) string {
	return on.save() + " 2>/dev/null | " + ownLines(c.project)
}

func (c *ownChains) change(entries []entry, generation string) string {
	want := c.want(entries, generation)
	var b strings.Builder
	for _, t := range c.touched(want) {
		b.WriteString(c.write(t, c.tables[t], want[t]) + " || return\n")
	}
	b.WriteString(c.setNftHooks(entries))
	b.WriteString(setHooks(c.hooks.iptables, entries))
	return b.String()
}

// touched are the tables, in order, in which a change makes or removes
// something.
func (c *ownChains) touched(want map[tableID]chainSet) []tableID {
	return slices.DeleteFunc(slices.Clone(builtIn), func(t tableID) bool {
		return !c.tables[t].exists && !want[t].exists
	})
}

func (c *ownChains) setNftHooks(entries []entry) string {
	var b strings.Builder
	for _, h := range c.hooks.nft {
		h.render(&b, h.serves(entries))
	}
	if b.Len() == 0 {
		return ""
	}
	return "nft -f - <<'END' || return\n" + b.String() + "END\n"
}

// snapshot has nothing to save: undo spells out all there is.
func (c *ownChains) snapshot() string { return "" }

// undo goes table by table like the change. If the first is no longer as the
// change left it, someone else has written, and nothing is done. Of the
// others some may not have been reached by the change: those fail, and stay.
func (c *ownChains) undo(entries []entry, generation string) string {
	made := c.want(entries, generation)
	var b strings.Builder
	for i, t := range c.touched(made) {
		b.WriteString(c.write(t, made[t], c.tables[t]))
		if i == 0 {
			b.WriteString(" || return")
		}
		b.WriteString("\n")
	}
	if len(c.hooks.nft) > 0 {
		b.WriteString("{\n")
		for _, h := range c.hooks.nft {
			b.WriteString(h.undo())
		}
		b.WriteString(":\n} | nft -f -\n")
	}
	for _, h := range c.hooks.iptables {
		b.WriteString(h.undo())
	}
	return b.String()
}

func (c *ownChains) load(entries []entry, generation string) string {
	want := c.want(entries, generation)
	unknown := chainSet{exists: true}
	var b strings.Builder
	for _, t := range builtIn {
		if want[t].exists {
			b.WriteString(c.write(t, unknown, want[t]) + " || return\n")
		}
	}
	return b.String() + c.hooks.ensure(entries)
}
