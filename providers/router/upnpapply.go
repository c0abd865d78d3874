package router

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Apply makes the changes one mapping at a time: that is all that a router can
// do. Each step can be done twice, so an apply that was broken off is completed
// by the next. When ctx ends, the step that is under way is finished.
func (d *upnp) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if d.last == nil {
		panic("router: Apply without a Read before it")
	}
	var todo []plan.Change
	for _, c := range changes {
		if c.Action == plan.NoOp {
			done(c, nil)
		} else {
			todo = append(todo, c)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	now, err := d.read(ctx)
	if err == nil {
		err = d.compare(now, todo)
	}
	if err != nil {
		for _, c := range todo {
			done(c, err)
		}
		return err
	}
	return newApplying(d, now, todo, done).run(ctx)
}

// compare gives an error if what concerns this project is not what the plan was
// made from.
func (d *upnp) compare(now *table, changes []plan.Change) error {
	const planAgain = "so nothing was changed. Plan again"
	same := func(a, b owned) bool { return a.owner == b.owner && a.rule.Equal(b.rule) }
	if !maps.EqualFunc(d.last.ours(), now.ours(), same) {
		return fmt.Errorf("%w: somebody else changed the mappings of this project on the router after they were read for this plan, %s", providers.ErrConflict, planAgain)
	}
	for _, c := range changes {
		if c.After == nil {
			continue
		}
		p := portOf(*c.After)
		r, taken := now.rows[p]
		if _, before := d.last.rows[p]; taken && r.owner.IsZero() && !before {
			return fmt.Errorf("%w: port %s was mapped to %s, %s, after the router was read for this plan, %s", providers.ErrConflict, p, client(r.mapping), handle(r.mapping), planAgain)
		}
	}
	return nil
}

// applying is one Apply under way.
type applying struct {
	*upnp
	marks *marks
	made  map[port]owned // what the router holds of this project, as far as is known
	left  map[port]time.Duration

	todo    []plan.Change
	told    []bool // of todo: done was called
	done    func(plan.Change, error)
	steps   int   // that were taken
	taken   error // the first of the ports that turned out to be somebody else's
	learned bool  // what the router makes of a mapping was looked at
}

func newApplying(d *upnp, now *table, todo []plan.Change, done func(plan.Change, error)) *applying {
	a := &applying{
		upnp: d, marks: d.marks(), made: now.ours(), left: map[port]time.Duration{},
		todo: todo, told: make([]bool, len(todo)), done: done,
	}
	for p, r := range now.rows {
		a.left[p] = r.mapping.Lease
	}
	return a
}

// run takes the steps: first whatever has to go, since one owner may get a port
// that another gives up.
func (a *applying) run(ctx context.Context) error {
	a.note.UDN, a.note.Location = a.conn.Router.UDN, a.conn.Router.Location
	a.remember(true)
	a.added = []port{}
	start := time.Now()
	err := a.takeSteps(ctx)
	if a.steps > 0 {
		a.note.StepMicros = time.Since(start).Microseconds() / int64(a.steps)
	}
	a.remember(false)
	if err == nil {
		return a.taken
	}
	if a.steps > 0 {
		err = fmt.Errorf("%w. %d of %d steps were taken before that; the next btplan apply goes on from there", err, a.steps, len(a.todo))
	}
	for i := range a.todo {
		a.tell(i, err)
	}
	return err
}

// takeSteps gives the error that ends it.
func (a *applying) takeSteps(ctx context.Context) error {
	for i, c := range a.todo {
		if c.Before == nil || c.After != nil && portOf(*c.Before) == portOf(*c.After) {
			continue
		}
		if err := a.step(ctx, i, c.After == nil, func(ctx context.Context) error {
			return a.remove(ctx, portOf(*c.Before))
		}); err != nil {
			return err
		}
	}
	for i, c := range a.todo {
		if c.After == nil || a.told[i] {
			continue
		}
		if err := a.step(ctx, i, true, func(ctx context.Context) error {
			return a.bring(ctx, c)
		}); err != nil {
			return err
		}
	}
	return nil
}

// stopped is an apply that was called off. What the context says of that is for
// programs alone.
type stopped struct{ error }

func (stopped) Error() string { return "it was stopped" }

func (s stopped) Unwrap() error { return s.error }

// step takes one step of the change i, and tells of it if it is the last. Its
// error is one that keeps all others from being taken too.
func (a *applying) step(ctx context.Context, i int, last bool, do func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return stopped{err}
	}
	// A call that is broken off may have been carried out or not.
	err := do(context.WithoutCancel(ctx))
	var taken *takenError
	switch {
	case errors.As(err, &taken):
		a.tell(i, err)
		if a.taken == nil {
			a.taken = err
		}
		return nil
	case err != nil:
		return err
	}
	if last {
		a.steps++
		a.tell(i, nil)
	}
	return nil
}

func (a *applying) tell(i int, err error) {
	if !a.told[i] {
		a.told[i] = true
		a.done(a.todo[i], err)
	}
}

// bring makes the mapping that a change asks for, in place of one that is
// there.
func (a *applying) bring(ctx context.Context, c plan.Change) error {
	p := portOf(*c.After)
	if c.Action == plan.Renew && !a.note.KeepsLease {
		return a.renew(ctx, p, c)
	}
	if _, there := a.made[p]; there {
		// Made again, a mapping would keep its description, and with another
		// client it would be refused.
		if err := a.remove(ctx, p); err != nil {
			return err
		}
	}
	return a.add(ctx, *c.After, c.Owner)
}

// renew makes a mapping again as it is. Some routers leave its lease as it was:
// the first one shows.
func (a *applying) renew(ctx context.Context, p port, c plan.Change) error {
	first := !a.learned
	a.learned = true
	if err := a.add(ctx, *c.After, c.Owner); err != nil || !first {
		return err
	}
	m, found, err := a.specific(ctx, p)
	if err != nil || !found || m.Lease == 0 || m.Lease > a.left[p] {
		return err
	}
	a.note.KeepsLease, a.learned = true, false
	return a.bring(ctx, c)
}

// remove deletes a mapping. One that isn't there is as good as deleted.
func (a *applying) remove(ctx context.Context, p port) error {
	_, err := a.conn.Delete(ctx, p.protocol, p.number)
	var fault *igd.Fault
	if errors.As(err, &fault) && fault.Code == igd.NotAuthorized {
		return fmt.Errorf("the mapping of port %s can't be deleted: %w. The router lets each computer take away its own mappings alone (secure mode). %s", p, fault, a.asItself(a.made[p].rule))
	}
	if err != nil {
		return fmt.Errorf("the mapping of port %s can't be deleted: %w", p, explain(err))
	}
	delete(a.made, p)
	return nil
}

// remember keeps what the router can't hold. Before the first step that is what
// may be there if the steps are broken off.
func (a *applying) remember(before bool) {
	made := a.made
	if before {
		made = maps.Clone(made)
		for _, c := range a.todo {
			if c.After != nil {
				made[portOf(*c.After)] = owned{*c.After, c.Owner}
			}
		}
	}
	a.note = a.note.withMappings(made)
	a.keep()
}
