package linuxgw

import "github.com/btplan/btplan/internal/netfilter"

// nftables is our table as the home of our forwards.
type nftables struct {
	*netfilter.Table
	wan string // the interface towards the Internet
}

func (n *nftables) needsLock() bool { return false }

func (n *nftables) change(entries []entry, generation string) string {
	return n.Change(content(n.wan, generation, entries))
}

func (n *nftables) snapshot() string { return n.Snapshot() }

func (n *nftables) undo(entries []entry, generation string) string {
	return n.Undo(content(n.wan, generation, entries))
}

func (n *nftables) load(entries []entry, generation string) string {
	return n.Load(content(n.wan, generation, entries))
}
