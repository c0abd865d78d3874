package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Diff compares what is wanted of some devices with what they hold, and gives
// the changes that lead from the one to the other. Rules of other owners are
// left out of the changes; where one stands in the way of a wanted rule, a
// diagnostic says so. Neither argument is changed, and their order makes no
// difference. The wanted rules must be in the form in which the device would
// list them, and must not collide.
//
// The changes of one device belong together, those of all its resources: one
// may take a port that another gives up. Whoever carries them out one at a time
// has to take every Before away before it adds the first After.
func Diff(wanted []Wanted, live []Live) (*Plan, hcl.Diagnostics) {
	p := &Plan{Foreign: map[Addr]int{}}
	resources := map[[2]Addr]*comparison{} // by device and owner
	of := func(device, owner Addr) *comparison {
		c := resources[[2]Addr{device, owner}]
		if c == nil {
			c = &comparison{Resource: Resource{Device: device, Owner: owner}}
			resources[[2]Addr{device, owner}] = c
		}
		return c
	}
	for _, w := range pointers(slices.Clone(wanted)) { // what a plan points to is its own
		c := of(w.Device, w.Owner)
		c.wanted = append(c.wanted, w)
	}
	var foreign []*Live
	for _, l := range pointers(slices.Clone(live)) {
		if l.Owner.IsZero() {
			p.Foreign[l.Device]++
			foreign = append(foreign, l)
			continue
		}
		c := of(l.Device, l.Owner)
		c.live = append(c.live, l)
	}
	var diags hcl.Diagnostics
	byPlace := indexForeign(foreign)
	for _, c := range slices.SortedFunc(maps.Values(resources), compareResources) {
		c.run()
		if found := inTheWay(c.wanted, byPlace); len(found) > 0 {
			diags = append(diags, conflict(c.Resource, found))
		}
		p.Resources = append(p.Resources, c.Resource)
	}
	return p, diags
}

// pointers gives pointers to the elements of list, which are quicker to move
// about than the elements.
func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// comparison is one resource with the rules that are wanted and those that its
// device holds.
type comparison struct {
	Resource
	wanted []*Wanted
	live   []*Live
}

func compareResources(a, b *comparison) int {
	if c := a.Device.Compare(b.Device); c != 0 {
		return c
	}
	return a.Owner.Compare(b.Owner)
}

// run works out the changes of the resource.
func (c *comparison) run() {
	slices.SortFunc(c.wanted, func(a, b *Wanted) int { return a.Rule.Compare(b.Rule) })
	slices.SortFunc(c.live, func(a, b *Live) int {
		return cmp.Or(a.Rule.Compare(b.Rule), cmp.Compare(a.Drift, b.Drift), cmp.Compare(a.Outdated, b.Outdated))
	})
	if len(c.wanted) > 0 {
		c.DeclRange = c.wanted[0].DeclRange
	}
	wanted, live := c.pairEqual(c.wanted, c.live)
	wanted, live = c.pairOverlapping(wanted, live)
	c.pairRest(wanted, live)
	slices.SortStableFunc(c.Changes, func(a, b Change) int { return a.rule().Compare(*b.rule()) })
	c.Action = resourceAction(c.Changes)
}

// pairEqual takes out the rules that stand as they are wanted.
func (r *Resource) pairEqual(wanted []*Wanted, live []*Live) (wantedLeft []*Wanted, liveLeft []*Live) {
	for len(wanted) > 0 && len(live) > 0 {
		switch order := wanted[0].Rule.Compare(live[0].Rule); {
		case order < 0:
			wantedLeft, wanted = append(wantedLeft, wanted[0]), wanted[1:]
		case order > 0:
			liveLeft, live = append(liveLeft, live[0]), live[1:]
		default:
			action := NoOp
			if live[0].Drift != "" || live[0].Outdated != "" {
				action = Update
			}
			r.add(action, wanted[0], live[0])
			wanted, live = wanted[1:], live[1:]
		}
	}
	return append(wantedLeft, wanted...), append(liveLeft, live...)
}

// pairOverlapping takes each wanted rule together with the first live rule
// that shares an outside port with it: the port stays open all the while, so
// this is an update in place.
func (r *Resource) pairOverlapping(wanted []*Wanted, live []*Live) (wantedLeft []*Wanted, liveLeft []*Live) {
	for len(wanted) > 0 && len(live) > 0 {
		w, l := wanted[0].Rule, live[0].Rule
		switch {
		case w.Collides(l):
			r.add(Update, wanted[0], live[0])
			wanted, live = wanted[1:], live[1:]
		case w.Compare(l) < 0:
			// No later live rule shares a port with it either: they come
			// in the order of their ports and don't collide.
			wantedLeft, wanted = append(wantedLeft, wanted[0]), wanted[1:]
		default:
			liveLeft, live = append(liveLeft, live[0]), live[1:]
		}
	}
	return append(wantedLeft, wanted...), append(liveLeft, live...)
}

// pairRest makes of what is left replacements, where the protocol is the
// same, then creations and deletions.
func (r *Resource) pairRest(wanted []*Wanted, live []*Live) {
	for len(wanted) > 0 && len(live) > 0 {
		w, l := wanted[0], live[0]
		switch order := cmp.Or(cmp.Compare(w.Kind, l.Kind), cmp.Compare(w.Protocol, l.Protocol)); {
		case order < 0:
			r.add(Create, w, nil)
			wanted = wanted[1:]
		case order > 0:
			r.add(Delete, nil, l)
			live = live[1:]
		default:
			r.add(Replace, w, l)
			wanted, live = wanted[1:], live[1:]
		}
	}
	for _, w := range wanted {
		r.add(Create, w, nil)
	}
	for _, l := range live {
		r.add(Delete, nil, l)
	}
}

func (r *Resource) add(action Action, wanted *Wanted, live *Live) {
	c := Change{Action: action, Device: r.Device, Owner: r.Owner}
	if wanted != nil {
		c.After = &wanted.Rule
	}
	if live != nil {
		c.Before = &live.Rule
		c.Drift, c.Because = live.Drift != "", printable(live.Drift)
		r.Drift = r.Drift || c.Drift
		if !c.Drift && wanted != nil {
			c.Because = printable(live.Outdated)
		}
	}
	r.Changes = append(r.Changes, c)
}

// rule is the rule by which a change is sorted.
func (c Change) rule() *Rule {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// resourceAction sums up the changes of a resource: anything that keeps a
// part of it is an update.
func resourceAction(changes []Change) Action {
	var n [Delete + 1]int
	for _, c := range changes {
		n[c.Action]++
	}
	switch all := len(changes); {
	case n[NoOp] == all:
		return NoOp
	case n[Create] == all:
		return Create
	case n[Delete] == all:
		return Delete
	case n[NoOp]+n[Update] == 0:
		return Replace
	default:
		return Update
	}
}
