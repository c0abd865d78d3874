package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// verify reads a changed device again, and fails the resources that are not
// as they should be. applyErr is what the apply as a whole said.
func (e *Engine) verify(ctx context.Context, d *device, resources []plan.Resource, outcomes []error, applyErr error) {
	index := map[plan.Addr]int{}
	for i, r := range resources {
		index[r.Owner] = i
	}
	fail := func(i int, err error) {
		if outcomes[i] == nil {
			outcomes[i] = err
		}
	}
	if self, ok := d.Device.(providers.ReadingBack); ok && applyErr == nil {
		d.reading = self.ReadBack()
	} else {
		d.reading, d.readErr = d.Read(ctx)
	}
	if d.readErr != nil {
		for i := range outcomes {
			fail(i, errors.Join(applyErr, fmt.Errorf("the change was sent, but the device can't be read to check it: %w", d.readErr)))
		}
		return
	}
	left, _ := e.diff([]*device{d}) // conflicts were told when the plan was made
	for _, r := range left.Pending() {
		i, ours := index[r.Owner]
		if !ours {
			continue // changed by someone else just now: the next plan's business
		}
		if r.Changes = concerning(resources[i], r.Changes); len(r.Changes) == 0 {
			continue // so is this
		}
		if applyErr != nil {
			fail(i, applyErr)
			continue
		}
		fail(i, fmt.Errorf("the device took the change, but does not hold what was asked for: %s", leftToDo(r)))
	}
}

// concerning picks from what is left to do about a resource what has to do
// with what was done. To renew a lease is to vouch for that one rule: whatever
// there is to do about the others was there before. And a lease may come to
// the time for renewal while others are written.
func concerning(done plan.Resource, left []plan.Change) []plan.Change {
	renewed := func(r *plan.Rule) bool {
		return r != nil && slices.ContainsFunc(done.Changes, func(c plan.Change) bool {
			return c.Action == plan.Renew && c.After.Equal(*r)
		})
	}
	return slices.DeleteFunc(slices.Clone(left), func(c plan.Change) bool {
		switch {
		case c.Action == plan.NoOp:
			return true
		case c.Action == plan.Renew, done.Action == plan.Renew:
			return !renewed(c.Before) && !renewed(c.After)
		}
		return false
	})
}

// leftToDo tells in a few words what a resource still lacks.
func leftToDo(r plan.Resource) string {
	var parts []string
	for _, c := range r.Changes {
		switch c.Action {
		case plan.NoOp:
		case plan.Create:
			parts = append(parts, c.After.String()+" is missing")
		case plan.Delete:
			parts = append(parts, c.Before.String()+" is still there")
		case plan.Renew:
			parts = append(parts, fmt.Sprintf("the lease of %s was not renewed (%s)", c.After, c.Because))
		default:
			part := c.Before.String() + " instead of " + c.After.String()
			if c.Because != "" {
				part += " (" + c.Because + ")"
			}
			parts = append(parts, part)
		}
	}
	const most = 3
	if n := len(parts); n > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(parts, "; ")
}
