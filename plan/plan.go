package plan

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Action is what a change does to a device.
type Action uint8

// The actions, in Terraform's terms.
const (
	NoOp    Action = iota
	Create         // +
	Update         // ~ in place: at no moment are the ports that stay shut
	Replace        // -/+ the old outside ports go and others come
	Delete         // -
	Renew          // the rule stays as it is, and its lease begins anew: no change in anything's counts
)

// String is the action's name. In a plan's JSON form it is the same, but for
// Replace, which is two actions there, and Renew, which is none.
func (a Action) String() string {
	return [...]string{"no-op", "create", "update", "replace", "delete", "renew"}[a]
}

// Change is the step from one rule to another on one device.
type Change struct {
	Action  Action
	Device  Addr
	Owner   Addr
	Before  *Rule  // nil: Create
	After   *Rule  // nil: Delete
	Because string // why, where Before and After don't tell: Live's Drift, its Outdated or its Renew; fit for a terminal
	Drift   bool   // Because is how someone else changed the rule on the device
	Expires uint32 // Live's: in how many seconds the device forgets Before; 0: never, or nobody knows
}

// Resource is what one owner, a port_range or the device's machine itself, asks
// of one device, and the changes that bring it about. It is the unit that plans
// count and reports name.
type Resource struct {
	Device    Addr
	Owner     Addr
	Action    Action
	Changes   []Change  // sorted by rule; those of a NoOp resource are all NoOp, those of a Renew one NoOp or Renew
	Drift     bool      // someone else changed it on the device since btplan wrote it
	DeclRange hcl.Range // where the owner asks for it; zero when it no longer does
}

// Trackers stands in a resource's address for the machine itself: the only
// thing that a machine asks of its own firewall is to let it out to trackers.
const Trackers = "trackers"

// String is the resource's address: "gateway.edge: port_range.seedbox", or of
// what a machine asks of its own firewall "machine.seedbox: trackers".
func (r Resource) String() string {
	if r.Owner == r.Device {
		return r.Device.String() + ": " + Trackers
	}
	return r.Device.String() + ": " + r.Owner.String()
}

// Type is the resource's type as Terraform's tools see it. They take the
// provider from its first word.
func (r Resource) Type() string {
	if r.Owner.Block == BlockMachine {
		return providerName + "_" + Trackers
	}
	return providerName + "_" + BlockPortRange
}

// Plan is what there is to do, and what it was worked out from.
type Plan struct {
	Resources []Resource // sorted by device and owner, those with nothing to do included
	Foreign   map[Addr]int
	Unread    []Addr // devices that could not be read: what they hold is unknown, and nothing is planned for them
	// Found is what devices turned out to be whose blocks leave that open:
	// "ufw" for a firewall "auto".
	Found map[Addr]string
}

// Counts is how many resources a plan creates, changes and destroys. A
// replacement counts as one of each of the first and last.
type Counts struct{ Add, Change, Destroy int }

// Any says whether there is anything to do.
func (c Counts) Any() bool { return c != Counts{} }

// Counts counts p's resources by what happens to them.
func (p *Plan) Counts() Counts {
	var c Counts
	for _, r := range p.Resources {
		c.Count(r.Action)
	}
	return c
}

// Count adds one resource with this action.
func (c *Counts) Count(a Action) {
	switch a {
	case Create:
		c.Add++
	case Update:
		c.Change++
	case Replace:
		c.Add++
		c.Destroy++
	case Delete:
		c.Destroy++
	}
}

// Renewals is how many of r's rules are to be renewed.
func (r Resource) Renewals() int {
	n := 0
	for _, c := range r.Changes {
		if c.Action == Renew {
			n++
		}
	}
	return n
}

// Renewals is how many rules p renews, be it beside changes. They count as no
// change.
func (p *Plan) Renewals() int {
	n := 0
	for _, r := range p.Resources {
		n += r.Renewals()
	}
	return n
}

// OnlyRenewals is the part of p that renews leases and does nothing else.
func (p *Plan) OnlyRenewals() *Plan {
	out := &Plan{Foreign: p.Foreign, Unread: p.Unread}
	for _, r := range p.Resources {
		if r.Renewals() == 0 {
			continue
		}
		r.Action = Renew
		r.Changes = slices.DeleteFunc(slices.Clone(r.Changes), func(c Change) bool { return c.Action != Renew })
		r.Drift = false
		out.Resources = append(out.Resources, r)
	}
	return out
}

// Pending are the resources with something to do, if only to be renewed.
func (p *Plan) Pending() []Resource {
	var out []Resource
	for _, r := range p.Resources {
		if r.Action != NoOp {
			out = append(out, r)
		}
	}
	return out
}
