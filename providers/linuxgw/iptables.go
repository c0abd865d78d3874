package linuxgw

import "github.com/btplan/btplan/internal/netfilter"

// chains are our chains in the tables of one variant of iptables, as the home
// of our forwards.
type chains struct {
	*netfilter.Chains
	wan string // the interface towards the Internet
}

const (
	preChain  = "PRE"
	dnatChain = "DNAT"
	postChain = "POST"
	fwdChain  = "FWD"
	markChain = "MARK"
)

// markPriority is where the chain of iptables is that leads to markChain:
// FORWARD of the table mangle (NF_IP_PRI_MANGLE of linux/netfilter_ipv4.h).
const markPriority = -150

// kinds is our machinery, as in the table of nftables (see machinery), but for
// the mark: as long as nobody else drops packets, an accept in our own chain
// does. Only for the chains of other filters are they marked, in the table
// that comes before all of these. Over IPv6 packets come for the machine
// itself, from wherever, and nothing has to stand in for anything. Where
// packets go out, others' rules are for other packets.
var kinds = []netfilter.Kind{
	{Name: fwdChain, Table: netfilter.TableID{Six: false, Name: "filter"}, From: "FORWARD", Accepts: true},
	{Name: fwdChain, Table: netfilter.TableID{Six: true, Name: "filter"}, From: "FORWARD", Accepts: true},
	{Name: markChain, Table: netfilter.TableID{Six: false, Name: "mangle"}, From: "FORWARD"},
	{Name: markChain, Table: netfilter.TableID{Six: true, Name: "mangle"}, From: "FORWARD"},
	{Name: preChain, Table: netfilter.TableID{Six: false, Name: "nat"}, From: "PREROUTING"},
	{Name: dnatChain, Table: netfilter.TableID{Six: false, Name: "nat"}},
	{Name: postChain, Table: netfilter.TableID{Six: false, Name: "nat"}, From: "POSTROUTING", Anywhere: true},
	{Name: dnatChain, Table: netfilter.TableID{Six: true, Name: "nat"}, From: "PREROUTING"},
}

func (c *chains) needsLock() bool { return c.NeedsLock() }

func (c *chains) change(entries []entry, generation string) string {
	return c.Change(c.want(entries, generation), versionsOf(entries))
}

// snapshot has nothing to save: undo spells out all there is.
func (c *chains) snapshot() string { return "" }

func (c *chains) undo(entries []entry, generation string) string {
	return c.Undo(c.want(entries, generation))
}

func (c *chains) load(entries []entry, generation string) string {
	return c.Load(c.want(entries, generation), versionsOf(entries))
}
