package hostfw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// exitChanged is how a script ends when the firewall isn't what was planned
// from: nothing was changed then.
const exitChanged = guarded.ExitChanged

// Apply makes the firewall hold our rules as they are to be. It does so as a
// whole or, where something fails, not at all.
func (d *device) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if d.last == nil {
		panic("Apply without Read")
	}
	var err error
	if slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Action != plan.NoOp }) {
		err = d.apply(ctx, changes)
	}
	for _, c := range changes {
		done(c, err)
	}
	return err
}

func (d *device) apply(ctx context.Context, changes []plan.Change) error {
	base := d.last
	after, err := base.changed(changes)
	if err != nil {
		return err
	}
	if base.needsWhole(after) {
		if base, err = d.readWhole(ctx, base); err != nil {
			return err
		}
	}
	made, out, err := d.guardedFor(base, after).Make(ctx, d.change(base, after))
	if err != nil {
		return d.whyFailed(base, err)
	}
	now, err := d.parse(out)
	if err != nil {
		return made.TakeBack(ctx, fmt.Errorf("the change was made, but what the machine says of it can't be read: %w", err))
	}
	if err := now.check(after); err != nil {
		return made.TakeBack(ctx, err)
	}
	if err := made.Keep(ctx, base.save(after)); err != nil {
		return err
	}
	now.nowSaved()
	d.last = now
	return nil
}

// guardedFor is the device on which a change to these rules is to be made,
// which waits for it to be claimed only from when it is made.
func (d *device) guardedFor(base *state, after owned) *guarded.Device {
	on := d.guarded
	if on.RevertAfter > 0 {
		on.RevertAfter += base.takes(after)
	}
	return &on
}

// change spells a change up to its reading back.
func (d *device) change(base *state, after owned) guarded.Change {
	list, printed := base.listing()
	return guarded.Change{
		Generation: guarded.NewGeneration(),
		Listing:    list,
		Printed:    printed,
		Snapshot:   base.snapshot(),
		Do:         base.filter.change(after),
		Undo:       base.undo(after),
		Read:       d.sections(false),
		NeedsLock:  base.needsLock(),
	}
}

// readWhole reads the whole of a firewall of which base is a part.
func (d *device) readWhole(ctx context.Context, base *state) (*state, error) {
	whole, err := d.read(ctx, true)
	if err != nil {
		return nil, err
	}
	_, part := base.listing()
	if _, now := whole.listing(); !bytes.HasPrefix(now, part) {
		return nil, outrun(base)
	}
	return whole, nil
}

// changed gives the rules of ours that there are after these changes.
func (s *state) changed(changes []plan.Change) (owned, error) {
	after := s.ours()
	for _, c := range changes {
		if c.Before == nil {
			continue
		}
		rules := after[c.Owner]
		i := slices.IndexFunc(rules, c.Before.Equal)
		if i < 0 {
			return nil, fmt.Errorf("%s: the rule %s is to be changed, but was not there when the firewall was read", c.Owner, c.Before)
		}
		after[c.Owner] = slices.Delete(rules, i, i+1)
	}
	for _, c := range changes {
		if c.After != nil {
			after[c.Owner] = append(after[c.Owner], *c.After)
		}
	}
	for owner, rules := range after {
		if len(rules) == 0 {
			delete(after, owner)
		}
	}
	return after, nil
}

// ours gives the rules that have an owner.
func (h *holding) ours() owned {
	o := owned{}
	for _, l := range h.rules {
		if !l.Owner.IsZero() {
			o[l.Owner] = append(o[l.Owner], l.Rule)
		}
	}
	return o
}

// check looks at what the firewall held right after the change.
func (s *state) check(after owned) error {
	for _, l := range s.rules {
		if !l.Owner.IsZero() && l.Drift != "" {
			return fmt.Errorf("%s took the change, but %s: %s", s.filter, l.Rule, l.Drift)
		}
	}
	got, want := s.ours().sorted(), after.sorted()
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s took the change, but holds [%s], not [%s]", s.filter, strings.Join(got, "; "), strings.Join(want, "; "))
	}
	return nil
}

// sorted gives the rules in words, in one order.
func (o owned) sorted() []string {
	var out []string
	for owner, rules := range o {
		for _, r := range rules {
			out = append(out, owner.String()+" "+r.String())
		}
	}
	slices.Sort(out)
	return out
}

// whyFailed says what a failed change means.
func (d *device) whyFailed(base *state, err error) error {
	var exit *remote.ExitError
	switch {
	case errors.Is(err, guarded.ErrChanged):
		return outrun(base)
	case errors.As(err, &exit) && exit.Code == script.ExitNoLock:
		return providers.Flag(fmt.Errorf("two changes at once would mix, and the machine has nothing to prevent it, so nothing was done: install flock there, of the package util-linux, and see that root can write "+script.LockFile+" (%w)", err), providers.ErrUnsupported)
	}
	return d.guarded.Explain(err)
}

// outrun is the fate of a change that someone else was quicker than.
func outrun(base *state) error {
	return providers.Flag(
		fmt.Errorf("the rules of %s were changed by someone else since the plan was made, so nothing was touched: run btplan again to plan from what is there now", base.filter),
		providers.ErrConflict)
}
