package host

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

// ExitChanged is how a script ends when the firewall isn't what was planned
// from: nothing was changed then.
const ExitChanged = guarded.ExitChanged

// Apply makes the firewall hold our rules as they are to be. It does so as a
// whole or, where something fails, not at all.
func (d *Device) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if d.Last == nil {
		panic("Apply without Read")
	}
	return Together(changes, done, func() error { return d.apply(ctx, changes) })
}

// Together carries changes out as a whole, if there are any: what becomes of it
// becomes of each.
func Together(changes []plan.Change, done func(plan.Change, error), apply func() error) (err error) {
	if slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Action != plan.NoOp }) {
		err = apply()
	}
	for _, c := range changes {
		done(c, err)
	}
	return err
}

func (d *Device) apply(ctx context.Context, changes []plan.Change) error {
	base := d.Last
	after, err := base.Changed(changes)
	if err != nil {
		return err
	}
	if base.NeedsWhole(after) {
		if base, err = d.ReadWhole(ctx, base); err != nil {
			return err
		}
	}
	made, out, err := d.guardedFor(base, after).Make(ctx, d.Change(base, after))
	if err != nil {
		return d.WhyFailed(base, err)
	}
	now, err := d.Parse(out)
	if err != nil {
		return made.TakeBack(ctx, fmt.Errorf("the change was made, but what the machine says of it can't be read: %w", err))
	}
	if err := now.Check(after); err != nil {
		return made.TakeBack(ctx, err)
	}
	if err := made.Keep(ctx, base.Save(after)); err != nil {
		return err
	}
	now.nowSaved()
	d.Last = now
	return nil
}

// guardedFor is the device on which a change to these rules is to be made,
// which waits for it to be claimed only from when it is made.
func (d *Device) guardedFor(base *State, after Owned) *guarded.Device {
	on := d.Guarded
	if on.RevertAfter > 0 {
		on.RevertAfter += base.Takes(after)
	}
	return &on
}

// Change spells a change up to its reading back.
func (d *Device) Change(base *State, after Owned) guarded.Change {
	list, printed := base.Listing()
	return guarded.Change{
		Generation: guarded.NewGeneration(),
		Listing:    list,
		Printed:    printed,
		Snapshot:   base.Snapshot(),
		Do:         base.Filter.Change(after),
		Undo:       base.Undo(after),
		Read:       d.Sections(false),
		NeedsLock:  base.NeedsLock(),
	}
}

// ReadWhole reads the whole of a firewall of which base is a part.
func (d *Device) ReadWhole(ctx context.Context, base *State) (*State, error) {
	whole, err := d.read(ctx, true)
	if err != nil {
		return nil, err
	}
	_, part := base.Listing()
	if _, now := whole.Listing(); !bytes.HasPrefix(now, part) {
		return nil, outrun(base)
	}
	return whole, nil
}

// Changed gives the rules of ours that there are after these changes.
func (s *State) Changed(changes []plan.Change) (Owned, error) {
	after := s.Ours()
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

// Ours gives the rules that have an owner.
func (h *Holding) Ours() Owned {
	o := Owned{}
	for _, l := range h.Rules {
		if !l.Owner.IsZero() {
			o[l.Owner] = append(o[l.Owner], l.Rule)
		}
	}
	return o
}

// Check looks at what the firewall held right after the change.
func (s *State) Check(after Owned) error {
	for _, l := range s.Rules {
		if !l.Owner.IsZero() && l.Drift != "" {
			return fmt.Errorf("%s took the change, but %s: %s", s.Filter, l.Rule, l.Drift)
		}
	}
	got, want := s.Ours().Sorted(), after.Sorted()
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s took the change, but holds [%s], not [%s]", s.Filter, strings.Join(got, "; "), strings.Join(want, "; "))
	}
	return nil
}

// Sorted gives the rules in words, in one order.
func (o Owned) Sorted() []string {
	var out []string
	for owner, rules := range o {
		for _, r := range rules {
			out = append(out, owner.String()+" "+r.String())
		}
	}
	slices.Sort(out)
	return out
}

// WhyFailed says what a failed change means.
func (d *Device) WhyFailed(base *State, err error) error {
	var exit *remote.ExitError
	switch {
	case errors.Is(err, guarded.ErrChanged):
		return outrun(base)
	case errors.As(err, &exit) && exit.Code == script.ExitNoLock:
		return providers.Flag(fmt.Errorf("two changes at once would mix, and the machine has nothing to prevent it, so nothing was done: install flock there, of the package util-linux, and see that root can write "+script.LockFile+" (%w)", err), providers.ErrUnsupported)
	}
	return d.Guarded.Explain(err)
}

// outrun is the fate of a change that someone else was quicker than.
func outrun(base *State) error {
	return providers.Flag(
		fmt.Errorf("the rules of %s were changed by someone else since the plan was made, so nothing was touched: run btplan again to plan from what is there now", base.Filter),
		providers.ErrConflict)
}
