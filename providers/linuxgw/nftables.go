package linuxgw

import (
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// nftables is our table, as it was read.
type nftables struct {
	table      nft.Table
	wan        string // the interface towards the Internet
	exists     bool
	generation string
	printed    []byte
	hooks      hooks
}

func (n *nftables) String() string { return n.table.String() }

func (n *nftables) listing() (command string, printed []byte) {
	return listOwn(n.table), n.printed
}

// listOwn spells the command that prints our table, and nothing that changes
// by itself.
func listOwn(t nft.Table) string { return "nft -j list " + t.String() + " 2>/dev/null" }

func (n *nftables) change(entries []entry, generation string) string {
	return "nft -f - <<'END' || return\n" + n.transaction(entries, generation) + "END\n" +
		setHooks(n.hooks.iptables, entries)
}

// transaction spells the commands of nft that make our table hold these
// entries and nothing else, and set or remove the hooks accordingly. It begins
// with one that fails, and all the rest with it, when the table was written by
// someone else since it was read: so two applies at once exclude each other
// even where there is no lock.
func (n *nftables) transaction(entries []entry, generation string) string {
	var b strings.Builder
	if n.generation != "" {
		fmt.Fprintf(&b, "delete chain %s %s %s%s\n", n.table.Family, n.table.Name, generations, n.generation)
	}
	switch {
	case n.exists:
		fmt.Fprintf(&b, "delete %s\n", n.table)
	case len(entries) > 0:
		fmt.Fprintf(&b, "create %s\n", n.table)
	}
	if len(entries) > 0 {
		b.WriteString(renderTable(n.table, n.wan, generation, entries))
	}
	for _, h := range n.hooks.nft {
		h.render(&b, h.serves(entries))
	}
	return b.String()
}

func (n *nftables) snapshot() string {
	return fmt.Sprintf("nft list %s >\"$change/table\" 2>/dev/null\n", n.table)
}

func (n *nftables) undo(entries []entry, generation string) string {
	var b strings.Builder
	b.WriteString("{\n")
	if len(entries) > 0 {
		fmt.Fprintf(&b, "echo delete chain %s %s %s%s\necho delete %s\n", n.table.Family, n.table.Name, generations, generation, n.table)
	} else {
		// This fails if somebody else has made it again.
		fmt.Fprintf(&b, "echo create %s\n", n.table)
	}
	if n.exists {
		b.WriteString("cat table\n")
	}
	for _, h := range n.hooks.nft {
		b.WriteString(h.undo())
	}
	b.WriteString("} | nft -f - || return\n")
	for _, h := range n.hooks.iptables {
		b.WriteString(h.undo())
	}
	return b.String()
}

func (n *nftables) load(entries []entry, generation string) string {
	table := fmt.Sprintf("add %s\ndelete %s\n%s", n.table, n.table, renderTable(n.table, n.wan, generation, entries))
	return "nft -f - <<'END' || return\n" + table + "END\n" + n.hooks.ensure(entries)
}
