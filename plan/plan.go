package plan

import (
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
)

// String is the action's name in a plan's JSON form; Replace, which has two
// there, is "replace".
func (a Action) String() string {
	return [...]string{"no-op", "create", "update", "replace", "delete"}[a]
}

// Change is the step from one rule to another on one device.
type Change struct {
	Action  Action
	Device  Addr
	Owner   Addr
	Before  *Rule  // nil: Create
	After   *Rule  // nil: Delete
	Because string // why, where Before and After don't tell: Live's Drift, or else its Outdated; fit for a terminal
	Drift   bool   // Because is how someone else changed the rule on the device
}

// Resource is what one port_range asks of one device, and the changes that
// bring it about. It is the unit that plans count and reports name.
type Resource struct {
	Device    Addr
	Owner     Addr
	Action    Action
	Changes   []Change  // sorted by rule; those of a NoOp resource are all NoOp
	Drift     bool      // someone else changed it on the device since btplan wrote it
	DeclRange hcl.Range // where the port_range is declared; zero when it is gone
}

// String is the resource's address: "gateway.edge: port_range.seedbox".
func (r Resource) String() string { return r.Device.String() + ": " + r.Owner.String() }

// Plan is what there is to do, and what it was worked out from.
type Plan struct {
	Resources []Resource // sorted by device and owner, those with nothing to do included
	Foreign   map[Addr]int
	Unread    []Addr // devices that could not be read: what they hold is unknown, and nothing is planned for them
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

// Pending are the resources with something to do.
func (p *Plan) Pending() []Resource {
	var out []Resource
	for _, r := range p.Resources {
		if r.Action != NoOp {
			out = append(out, r)
		}
	}
	return out
}
