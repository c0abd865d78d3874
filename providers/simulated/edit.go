package simulated

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
)

// drifted is what [plan.Live.Drift] says of the rules of an owner whose seal
// does not fit them.
const drifted = "changed by someone else"

// owner says whose rule e is, as far as a project knows: the port_range of
// its own that the mark names, its machine, or nobody's. The seal is what the mark says of
// all the rules of that owner.
func (e entry) owner(project string) (owner plan.Addr, seal string) {
	mark := e.mark
	if i := strings.LastIndexByte(mark, ':'); i >= 0 {
		mark, seal = mark[:i], mark[i+1:]
	}
	marked, owner, ok := plan.ParseMark(mark)
	if !ok {
		// Somebody may have cut the seal off. It is our rule all the same.
		seal = ""
		marked, owner, ok = plan.ParseMark(e.mark)
	}
	if !ok || marked != project {
		return plan.Addr{}, ""
	}
	return owner, seal
}

// seals works out what the seal of each owner's rules must be.
func seals(entries []entry, project string) map[plan.Addr]string {
	rules := map[plan.Addr][]plan.Rule{}
	for _, e := range entries {
		if owner, _ := e.owner(project); !owner.IsZero() {
			rules[owner] = append(rules[owner], e.rule)
		}
	}
	seals := map[plan.Addr]string{}
	for owner, list := range rules {
		seals[owner] = plan.Seal(list)
	}
	return seals
}

// errAbsent: the rule that a change starts from is not there.
var errAbsent = errors.New("the device holds no such rule")

// edit gives the entries that changes make of these. What stays keeps its
// place, what is changed takes the place of what it was, and what is new comes
// last, sorted.
func (d *device) edit(entries []entry, changes []plan.Change) ([]entry, error) {
	project, lease := d.project, d.lease
	places := newPlaces(entries, project)
	edited := slices.Clone(entries)
	touched := map[plan.Addr]bool{}
	gone := make([]bool, len(entries))
	var added []plan.Change
	for _, c := range changes {
		if c.Action == plan.NoOp {
			continue
		}
		touched[c.Owner] = true
		if c.After != nil {
			if err := d.is.check(*c.After); err != nil {
				return nil, err
			}
		}
		if c.Before == nil {
			added = append(added, c)
			continue
		}
		i, err := places.take(c.Owner, *c.Before)
		if err != nil {
			return nil, err
		}
		if c.After == nil {
			gone[i] = true
			continue
		}
		edited[i] = newEntry(*c.After)
		edited[i].mark, edited[i].comment, edited[i].lease = entries[i].mark, entries[i].comment, lease
	}

	kept := edited[:0]
	for i, e := range edited {
		if !gone[i] {
			kept = append(kept, e)
		}
	}
	slices.SortFunc(added, func(a, b plan.Change) int {
		return cmp.Or(a.Owner.Compare(b.Owner), a.After.Compare(*b.After))
	})
	for _, c := range added {
		e := newEntry(*c.After)
		e.mark, e.lease = plan.Mark(project, c.Owner), lease
		kept = append(kept, e)
	}
	reseal(kept, project, touched)
	return kept, nil
}

// places tells where in the file the rules of a project's owners are. The
// same rule may be there twice, if someone has copied it.
type places map[place][]int

type place struct {
	owner plan.Addr
	rule  string
}

func newPlaces(entries []entry, project string) places {
	p := places{}
	for i, e := range entries {
		owner, _ := e.owner(project)
		at := place{owner, e.rule.String()}
		p[at] = append(p[at], i)
	}
	return p
}

// take finds a rule, once for each time that it is there.
func (p places) take(owner plan.Addr, rule plan.Rule) (int, error) {
	at := place{owner, rule.String()}
	if len(p[at]) == 0 {
		return 0, fmt.Errorf("%w: %s, of %s", errAbsent, rule, owner)
	}
	i := p[at][0]
	p[at] = p[at][1:]
	return i, nil
}

// reseal writes into the marks of the touched owners the seals of what they
// have now.
func reseal(entries []entry, project string, touched map[plan.Addr]bool) {
	seals := seals(entries, project)
	for i, e := range entries {
		if owner, _ := e.owner(project); touched[owner] {
			entries[i].mark = plan.Mark(project, owner) + ":" + seals[owner]
		}
	}
}

// project is the project of btplan whose mark the rule has; empty: it has none.
func (e entry) project() string {
	mark := e.mark
	if i := strings.LastIndexByte(mark, ':'); i >= 0 {
		mark = mark[:i]
	}
	project, _, _ := plan.ParseMark(mark)
	return project
}
