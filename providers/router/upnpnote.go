package router

import (
	"net/netip"
	"slices"
	"time"

	"github.com/btplan/btplan/plan"
)

// note is what is kept in the memory for a router: what it can't hold itself,
// and what was learned of its nature.
type note struct {
	// UDN and Location are of the router that was changed last.
	UDN      string `json:"udn,omitempty"`
	Location string `json:"location,omitempty"`
	// Made are the mappings that btplan made, as ranges: those of which the
	// router gives no mark back, or which it doesn't list.
	Made []madeNote `json:"made,omitempty"`
	// Leases is the only kind that the router takes; empty: both.
	Leases leases `json:"leases,omitempty"`
	// Asked and Granted are what became of the latest lease, in seconds; 0: a
	// permanent mapping. They are known if Learned is true.
	Asked   uint32 `json:"asked,omitempty"`
	Granted uint32 `json:"granted,omitempty"`
	Learned bool   `json:"learned,omitempty"`
	// KeepsLease says that making a mapping again doesn't renew it.
	KeepsLease bool `json:"keeps_lease,omitempty"`
	// Shown is the description that mappings come back with, if it isn't the
	// mark.
	Shown *string `json:"shown,omitempty"`
	// Held is the most mappings that the router was seen to hold, and Full how
	// many it held when it took no more; 0: that wasn't seen.
	Held int `json:"held,omitempty"`
	Full int `json:"full,omitempty"`
	// StepMicros is how long a change of one mapping took, in µs.
	StepMicros int64 `json:"step_us,omitempty"`
}

// leases is a kind of leases.
type leases string

const (
	permanentOnly leases = "permanent"
	finiteOnly    leases = "finite"
)

// madeNote is a run of mappings of one owner.
type madeNote struct {
	Owner    string         `json:"owner"`
	Protocol plan.Protocol  `json:"protocol"`
	Ports    string         `json:"ports"`
	To       netip.AddrPort `json:"to"`
}

// of is the note for the router with this UDN: what was learned of another
// router's nature says nothing of this one.
func (n note) of(udn string) note {
	if n.UDN == udn {
		return n
	}
	return note{Made: n.Made}
}

// mappings are the mappings in the note, by port. What makes no sense is left
// out: people may have edited the file.
func (n note) mappings() map[port]owned {
	out := map[port]owned{}
	for _, made := range n.Made {
		owner, err := plan.ParseAddr(made.Owner)
		if err != nil || owner.Block != plan.BlockPortRange {
			continue
		}
		ports, err := plan.ParsePortRange(made.Ports)
		if err != nil {
			continue
		}
		r := plan.Rule{Kind: plan.Forward, Protocol: made.Protocol, Ports: ports, To: made.To}
		if upnpCan(r) != nil {
			continue
		}
		for _, one := range plan.Split([]plan.Rule{r}) {
			out[portOf(one)] = owned{one, owner}
		}
	}
	return out
}

// owned is a rule and whose it is.
type owned struct {
	rule  plan.Rule
	owner plan.Addr
}

func portOf(r plan.Rule) port { return port{r.Protocol, r.Ports.First} }

// withMappings is n with other mappings made.
func (n note) withMappings(made map[port]owned) note {
	byOwner := map[plan.Addr][]plan.Rule{}
	for _, m := range made {
		byOwner[m.owner] = append(byOwner[m.owner], m.rule)
	}
	n.Made = nil
	owners := make([]plan.Addr, 0, len(byOwner))
	for owner := range byOwner {
		owners = append(owners, owner)
	}
	slices.SortFunc(owners, plan.Addr.Compare)
	for _, owner := range owners {
		for _, r := range plan.Coalesce(byOwner[owner]) {
			n.Made = append(n.Made, madeNote{owner.String(), r.Protocol, r.Ports.String(), r.To})
		}
	}
	return n
}

// owners are those of the mappings in the note, sorted.
func (n note) owners() []plan.Addr {
	var out []plan.Addr
	for _, m := range n.mappings() {
		if !slices.Contains(out, m.owner) {
			out = append(out, m.owner)
		}
	}
	slices.SortFunc(out, plan.Addr.Compare)
	return out
}

// lease is how long a mapping lasts from its beginning, when asked is asked
// for; 0: for good.
func (n note) lease(asked time.Duration) time.Duration {
	switch {
	case n.Learned && n.Asked == seconds(asked):
		return time.Duration(n.Granted) * time.Second
	case asked == 0:
		// A router that gave a lease to a mapping that was to be permanent
		// gave it the longest that there is (WANIPConnection:2, 2.3.2).
		return longestLease
	}
	return asked
}

const longestLease = 604800 * time.Second

// ask is the lease to ask for where lease is wanted, from a router that may
// not take both kinds.
func (n note) ask(lease time.Duration) time.Duration {
	switch {
	case n.Leases == permanentOnly:
		return 0
	case n.Leases == finiteOnly && lease == 0:
		return longestLease
	}
	return lease
}
