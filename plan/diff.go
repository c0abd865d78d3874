package plan

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Diff compares what is wanted of some devices with what they hold, and gives
// the changes that lead from the one to the other. Rules of other owners are
// left out of the changes; where one stands in the way of a wanted rule, a
// diagnostic says so, but where one lets out all that a wanted Outbound would,
// that is not needed. Neither argument is changed, and their order makes no
// difference. The wanted rules must be in the form in which the device would
// list them, and must not collide.
//
// The changes of one device belong together, those of all its resources: one
// may take a port that another gives up. Whoever carries them out one at a time
// has to take every Before away before it adds the first After.
func Diff(wanted []Wanted, live []Live) (*Plan, hcl.Diagnostics) {
	p := &Plan{Foreign: map[Addr]int{}}
	wants := pointers(wanted)
	slices.SortFunc(wants, compareWanted)
	var ours, foreign []*Live
	for _, l := range pointers(live) {
		if l.Owner.IsZero() {
			p.Foreign[l.Device]++
			foreign = append(foreign, l)
		} else {
			ours = append(ours, l)
		}
	}
	slices.SortFunc(ours, compareLive)
	byPlace := indexForeign(foreign)
	wants = needed(wants, ours, byPlace)

	// Most resources are wanted. Growing the list step by step would take
	// several times the memory.
	p.Resources = make([]Resource, 0, countOwners(wants))

	// Both lists are in order of device and owner: walk them side by side.
	var diags hcl.Diagnostics
	for len(wants) > 0 || len(ours) > 0 {
		var r Resource
		if len(wants) == 0 || len(ours) > 0 && compareOwners(ours[0].Device, ours[0].Owner, wants[0].Device, wants[0].Owner) < 0 {
			r.Device, r.Owner = ours[0].Device, ours[0].Owner
		} else {
			r.Device, r.Owner, r.DeclRange = wants[0].Device, wants[0].Owner, wants[0].DeclRange
		}
		w := prefixLen(wants, func(w *Wanted) bool { return w.Device == r.Device && w.Owner == r.Owner })
		l := prefixLen(ours, func(l *Live) bool { return l.Device == r.Device && l.Owner == r.Owner })
		r.diff(wants[:w], ours[:l])
		if found := inTheWay(wants[:w], byPlace); len(found) > 0 {
			diags = append(diags, conflict(r, found))
		}
		wants, ours = wants[w:], ours[l:]
		p.Resources = append(p.Resources, r)
	}
	return p, diags
}

// pointers gives pointers to the elements of list: sorting those leaves list
// as it is, and is quicker.
func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// countOwners is how many resources a sorted list is of.
func countOwners(wanted []*Wanted) int {
	n := 0
	for i, w := range wanted {
		if i == 0 || w.Device != wanted[i-1].Device || w.Owner != wanted[i-1].Owner {
			n++
		}
	}
	return n
}

// prefixLen is how many elements at the front of list satisfy in.
func prefixLen[T any](list []T, in func(T) bool) int {
	n := 0
	for n < len(list) && in(list[n]) {
		n++
	}
	return n
}

// compareOwners orders resources.
func compareOwners(device, owner, otherDevice, otherOwner Addr) int {
	if c := device.Compare(otherDevice); c != 0 {
		return c
	}
	return owner.Compare(otherOwner)
}

func compareWanted(a, b *Wanted) int {
	if c := compareOwners(a.Device, a.Owner, b.Device, b.Owner); c != 0 {
		return c
	}
	return a.Rule.Compare(b.Rule)
}

func compareLive(a, b *Live) int {
	if c := compareOwners(a.Device, a.Owner, b.Device, b.Owner); c != 0 {
		return c
	}
	return cmp.Or(a.Rule.Compare(b.Rule), cmp.Compare(a.Drift, b.Drift), cmp.Compare(a.Outdated, b.Outdated),
		cmp.Compare(a.Renew, b.Renew), cmp.Compare(a.Expires, b.Expires))
}

// diff works out the changes of one resource. Both lists are sorted by rule.
func (r *Resource) diff(wanted []*Wanted, live []*Live) {
	wantedLeft, liveLeft := r.pairEqual(wanted, live)
	wantedLeft, liveLeft = r.pairOverlapping(wantedLeft, liveLeft)
	r.pairRest(wantedLeft, liveLeft)
	slices.SortStableFunc(r.Changes, func(a, b Change) int { return a.rule().Compare(*b.rule()) })
	r.Action = resourceAction(r.Changes)
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
			r.add(actionFor(live[0]), wanted[0], live[0])
			wanted, live = wanted[1:], live[1:]
		}
	}
	return append(wantedLeft, wanted...), append(liveLeft, live...)
}

// actionFor is what happens to a rule that stands as it is wanted.
func actionFor(l *Live) Action {
	switch {
	case l.Drift != "" || l.Outdated != "":
		return Update
	case l.Renew != "":
		return Renew
	}
	return NoOp
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

// add makes a change of its own copies of the rules.
func (r *Resource) add(action Action, wanted *Wanted, live *Live) {
	c := Change{Action: action, Device: r.Device, Owner: r.Owner}
	if wanted != nil {
		after := wanted.Rule
		c.After = &after
	}
	if live != nil {
		before := live.Rule
		c.Before, c.Expires = &before, live.Expires
		c.Drift, c.Because = live.Drift != "", printable(live.Drift)
		r.Drift = r.Drift || c.Drift
		switch {
		case c.Drift || wanted == nil:
		case action == Renew:
			c.Because = printable(live.Renew)
		default:
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
	var n [Renew + 1]int
	for _, c := range changes {
		n[c.Action]++
	}
	switch all := len(changes); {
	case n[NoOp] == all:
		return NoOp
	case n[NoOp]+n[Renew] == all:
		return Renew
	case n[Create] == all:
		return Create
	case n[Delete] == all:
		return Delete
	case n[NoOp]+n[Renew]+n[Update] == 0:
		return Replace
	default:
		return Update
	}
}
