package linuxgw

// variant is one of the two packet filters of the kernel that the name
// iptables stands for. Both may hold rules at once.
type variant string

const (
	viaNft variant = "nf_tables" // in tables of nftables: the variant of most systems since 2019
	legacy variant = "legacy"    // ip_tables
)

// program is a variant, for one IP version, by the command that it goes by on
// a gateway.
type program struct {
	variant variant
	six     bool
	command string // "iptables", "iptables-nft", "ip6tables-legacy"; empty: there is none
}

// tableID names one table of a variant.
type tableID struct {
	six  bool
	name string
}

func (t tableID) String() string {
	if t.six {
		return t.name + " (IPv6)"
	}
	return t.name
}

// builtIn are the tables of iptables in which btplan reads and writes. The
// order is that in which they are changed: who may pass before who is led
// here. The first is changed by every change, so that of two applies at once
// the later finds out before it has done anything.
var builtIn = []tableID{
	{false, "filter"}, {true, "filter"},
	{false, "mangle"}, {true, "mangle"},
	{false, "nat"}, {true, "nat"},
}

// save spells the command that lists all the tables that are there. (To list a
// legacy table by name would make it.)
func (p program) save() string { return p.command + "-save" }

// restore spells the command that makes the changes on its standard input, each
// table as a whole or not at all. It waits for others that are at it.
func (p program) restore() string { return p.command + "-restore -w --noflush" }
