package router

import (
	"cmp"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
)

// portctlNote is what is kept in the memory for a gateway that can't list its
// mappings: those that were asked of it, and what it takes to change them.
type portctlNote struct {
	Routers []routerNote `json:"routers"` // one, unless address was changed lately
}

// routerNote is about the router at one address.
type routerNote struct {
	Router netip.Addr `json:"router"`
	// Nonce is PCP's, in hexadecimal. Without it the router changes nothing
	// about a mapping before its lease is over (RFC 6887, section 11.3).
	Nonce    string        `json:"nonce,omitempty"`
	Outside  netip.Addr    `json:"outside"` // its own address there, as it said last
	Mappings []mappingNote `json:"mappings"`
}

// mappingNote is one mapping of one port.
type mappingNote struct {
	Project  string         `json:"project"`
	Owner    string         `json:"owner"`
	Protocol plan.Protocol  `json:"protocol"`
	Port     uint16         `json:"port"` // outside
	To       netip.AddrPort `json:"to"`
	Asked    uint32         `json:"asked"` // the lease that was asked for, in seconds
	Lease    uint32         `json:"lease"` // that which was granted, from At on
	At       time.Time      `json:"at"`
	Epoch    uint32         `json:"epoch"` // the router's clock at At
}

func (m mappingNote) rule() plan.Rule {
	return plan.Rule{
		Kind: plan.Forward, Protocol: m.Protocol, To: m.To,
		Ports: plan.PortRange{First: m.Port, Last: m.Port},
	}
}

// left is how much of the lease is left; 0 or less: it is over.
func (m mappingNote) left(now time.Time) time.Duration {
	return m.At.Add(m.granted()).Sub(now)
}

func (m mappingNote) asked() time.Duration   { return time.Duration(m.Asked) * time.Second }
func (m mappingNote) granted() time.Duration { return time.Duration(m.Lease) * time.Second }

func (m mappingNote) equal(o mappingNote) bool {
	at := m.At.Equal(o.At)
	m.At, o.At = time.Time{}, time.Time{}
	return at && m == o
}

// valid says whether m can have been written by btplan.
func (m mappingNote) valid() bool {
	owner, err := plan.ParseAddr(m.Owner)
	return err == nil && owner.Block == plan.BlockPortRange && m.rule().Check() == nil && m.Project != "" && m.Lease > 0
}

// maxMappings bounds what is read from the memory: each port of each protocol.
const maxMappings = 2 * 65535

// router gives the note about the router at addr, and how many others hold
// something; n is left as it is. What makes no sense is left out: people may
// have edited the file.
func (n portctlNote) router(addr netip.Addr) routerNote {
	at := slices.IndexFunc(n.Routers, func(r routerNote) bool { return r.Router == addr })
	if at < 0 {
		return routerNote{Router: addr}
	}
	r := n.Routers[at]
	var kept []mappingNote
	for _, m := range r.Mappings[:min(len(r.Mappings), maxMappings)] {
		if m.valid() {
			kept = append(kept, m)
		}
	}
	slices.SortStableFunc(kept, mappingNote.compare)
	r.Mappings = slices.CompactFunc(kept, func(a, b mappingNote) bool { return a.rule().Collides(b.rule()) })
	return r
}

func (m mappingNote) compare(o mappingNote) int {
	return cmp.Or(m.rule().Compare(o.rule()), cmp.Compare(m.Owner, o.Owner))
}

// with gives n with r in the place of the note about the same router, and
// without other routers that can hold nothing of ours any more.
func (n portctlNote) with(r routerNote, now time.Time) portctlNote {
	out := portctlNote{Routers: []routerNote{r}}
	for _, other := range n.Routers {
		live := slices.ContainsFunc(other.Mappings, func(m mappingNote) bool { return m.left(now) > 0 })
		if other.Router != r.Router && live {
			out.Routers = append(out.Routers, other)
		}
	}
	slices.SortFunc(out.Routers, func(a, b routerNote) int { return a.Router.Compare(b.Router) })
	return out
}

// lostUntil gives the time of the latest mapping that the router's clock, as it
// is now, shows to be forgotten. What was made before that is forgotten too,
// though its own sighting of the clock may be too close to tell. The zero time:
// nothing is.
func (r *routerNote) lostUntil(now portctl.Sighting) time.Time {
	var latest time.Time
	for _, m := range r.Mappings {
		if (portctl.Sighting{Epoch: m.Epoch, At: m.At}).Lost(now) && m.At.After(latest) {
			latest = m.At
		}
	}
	return latest
}

// put writes m in the place of the mapping that has its port.
func (r *routerNote) put(m mappingNote) {
	r.drop(m.rule())
	r.Mappings = append(r.Mappings, m)
	slices.SortFunc(r.Mappings, mappingNote.compare)
}

// drop takes out the mapping that has the port of a rule.
func (r *routerNote) drop(rule plan.Rule) {
	r.Mappings = slices.DeleteFunc(r.Mappings, func(m mappingNote) bool { return m.rule().Collides(rule) })
}

// leadingTo gives the mapping, other than that of the same outside port, that
// leads where rule does.
func (r *routerNote) leadingTo(rule plan.Rule) (mappingNote, bool) {
	i := slices.IndexFunc(r.Mappings, func(m mappingNote) bool {
		return m.Protocol == rule.Protocol && m.To == rule.To && m.Port != rule.Ports.First
	})
	if i < 0 {
		return mappingNote{}, false
	}
	return r.Mappings[i], true
}

// nonce is PCP's nonce for the router; false: there is none yet.
func (r *routerNote) nonce() (portctl.Nonce, bool) {
	var n portctl.Nonce
	raw, err := hex.DecodeString(r.Nonce)
	if err != nil || len(raw) != len(n) {
		return n, false
	}
	return portctl.Nonce(raw), true
}
