package linuxgw

import "fmt"

// variant is one of the two packet filters of the kernel that the name
// iptables stands for. Both may hold rules at once.
type variant string

const (
	viaNft variant = "nf_tables" // in tables of nftables: the variant of most systems since 2019
	legacy variant = "legacy"    // ip_tables
)

// program is a variant by the command that it goes by on a gateway.
type program struct {
	variant variant
	command string // "iptables", "iptables-nft", "iptables-legacy"
}

// builtIn are the tables of iptables in which btplan reads and writes. The
// order is that in which they are changed: who may pass before who is led
// here, so that of two applies at once the later finds out before it has done
// anything.
var builtIn = []string{"filter", "mangle", "nat"}

// save spells the command that lists all the tables. To list a legacy table
// that isn't there would make it, so only those that are there are listed.
func (p program) save() string {
	if p.variant == viaNft {
		return p.command + "-save"
	}
	return fmt.Sprintf("for t in filter mangle nat; do if grep -qx $t /proc/net/ip_tables_names 2>/dev/null; then %s-save -t $t || exit; fi; done", p.command)
}

// restore spells the command that makes the changes on its standard input, each
// table as a whole or not at all. It waits for others that are at it.
func (p program) restore() string { return p.command + "-restore -w --noflush" }
