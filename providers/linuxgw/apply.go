package linuxgw

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Apply changes our rules in one transaction, or with iptables in one for each
// table, with the hooks that they need in other people's chains. It takes
// effect as a whole or not at all, and stays only if the gateway can be reached
// by a new connection.
func (g *gateway) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if g.last == nil {
		panic("Apply without Read")
	}
	var err error
	if slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Action != plan.NoOp }) {
		err = g.apply(ctx, changes)
	}
	for _, c := range changes {
		done(c, err)
	}
	return err
}

func (g *gateway) apply(ctx context.Context, changes []plan.Change) error {
	base := g.last
	entries, err := base.changed(g.project, changes)
	if err != nil {
		return err
	}
	generation := guarded.NewGeneration()
	made, out, err := g.device.Make(ctx, g.guardedChange(base, changes, entries, generation))
	if err != nil {
		return g.whyFailed(ctx, base, err)
	}
	if err := g.checkReadBack(out, base, entries); err != nil {
		return made.TakeBack(ctx, err)
	}
	if err := made.Keep(ctx, base.saveScript(entries, generation)); err != nil {
		return err
	}
	g.last.nowSaved()
	return nil
}

// guardedChange spells the change to these entries.
func (g *gateway) guardedChange(base *state, changes []plan.Change, entries []entry, generation string) guarded.Change {
	list, printed := base.Listing()
	return guarded.Change{
		Generation: generation,
		Listing:    list,
		Printed:    printed,
		Snapshot:   base.snapshot(),
		Do:         base.change(entries, generation),
		Undo:       base.undo(entries, generation),
		Afterwards: forgetFlows(changes),
		Read:       g.readSections(),
		NeedsLock:  base.needsLock(),
	}
}

// checkReadBack looks at what the gateway held right after the change.
func (g *gateway) checkReadBack(out []byte, base *state, entries []entry) error {
	f, err := g.parseFacts(out)
	if err != nil {
		return err
	}
	now, err := newState(g, f)
	if err != nil {
		return err
	}
	var got []plan.Rule
	for _, l := range now.rules {
		if l.Owner.IsZero() {
			continue
		}
		if l.Drift != "" {
			return fmt.Errorf("the gateway took the change, but %s", l.Drift)
		}
		got = append(got, l.Rule)
	}
	var want []plan.Rule
	for _, e := range entries {
		if !slices.ContainsFunc(base.foreignEntries, func(f entry) bool { return f.rule.Equal(e.rule) && f.comment == e.comment }) {
			want = append(want, e.rule)
		}
	}
	slices.SortFunc(got, plan.Rule.Compare)
	slices.SortFunc(want, plan.Rule.Compare)
	if !slices.EqualFunc(got, want, plan.Rule.Equal) {
		return fmt.Errorf("the gateway took the change, but holds %v, not %v", got, want)
	}
	g.last = now
	return nil
}

// whyFailed finds out whether an apply failed because someone else was
// quicker.
func (g *gateway) whyFailed(ctx context.Context, base *state, err error) error {
	changed := errors.Is(err, guarded.ErrChanged)
	var exit *remote.ExitError
	if errors.As(err, &exit) && exit.Code != script.ExitNoLock {
		now, readErr := g.read(ctx)
		changed = readErr == nil && now.generation != base.generation
	}
	if changed {
		return providers.Flag(
			fmt.Errorf("%s was changed by someone else since the plan was made, so nothing was touched: run btplan again to plan from what is there now", base.filter),
			providers.ErrConflict)
	}
	return g.explain(err)
}
