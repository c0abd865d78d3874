package router

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Apply makes the changes one at a time, and notes each when it is made, so
// that whatever ends it, the next apply goes on from there. What is to go goes
// first: it may hold a port that something else is to get.
func (g *portctlGateway) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if g.seen == nil {
		panic("router: Apply without a Read before it")
	}
	pending := slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Action != plan.NoOp })
	var stop error // what keeps everything from happening that is still to come
	if pending {
		stop = g.begin()
	}
	first := stop
	failed := make([]error, len(changes))
	for _, step := range []func(context.Context, plan.Change) error{g.takeAway, g.add} {
		for i, c := range changes {
			if c.Action == plan.NoOp || failed[i] != nil {
				continue
			}
			if stop == nil && ctx.Err() != nil {
				stop = fmt.Errorf("broken off: %w", ctx.Err())
			}
			if failed[i] = stop; stop == nil {
				failed[i] = step(ctx, c)
			}
			if errors.Is(failed[i], providers.ErrUnreachable) {
				stop = failed[i] // nor would it answer the next
			}
			if first == nil {
				first = failed[i]
			}
		}
	}
	for i, c := range changes {
		done(c, failed[i])
	}
	return first
}

// begin sees that nobody else has changed what the memory says since the
// latest Read, and that there is a nonce, which is noted before it is used.
func (g *portctlGateway) begin() error {
	now := g.load().router(g.seen.client.Server.Addr())
	if now.Nonce != g.seen.noted.Nonce || !slices.EqualFunc(now.Mappings, g.seen.noted.Mappings, mappingNote.equal) {
		return fmt.Errorf("%w: another run of btplan has changed mappings of %s after they were read for this plan, so nothing was done. Plan again", providers.ErrConflict, g.addr)
	}
	if _, ok := g.seen.note.nonce(); !ok {
		var nonce portctl.Nonce
		_, _ = rand.Read(nonce[:]) // it never fails
		g.seen.note.Nonce = hex.EncodeToString(nonce[:])
		g.store()
	}
	return nil
}

// store keeps what is known of the router. If it fails, the memory tells the
// user, and the mappings are there all the same.
func (g *portctlGateway) store() {
	_ = g.memory.Store(g.load().with(g.seen.note, g.now()))
	g.seen.noted = g.load().router(g.seen.note.Router)
}

// inPlace says whether a change leaves a mapping as it is but for its lease.
func inPlace(c plan.Change) bool {
	return c.Before != nil && c.After != nil && c.Before.Equal(*c.After)
}

// takeAway does the part of a change that closes a port.
func (g *portctlGateway) takeAway(ctx context.Context, c plan.Change) error {
	if c.Before == nil || inPlace(c) {
		return nil
	}
	a := g.ask(*c.Before)
	if err := g.dialect.mine(a.rule, g.seen.Local); err != nil {
		return fmt.Errorf("mapping %s can't be taken away: %w. By itself it ends in %s at the latest", a.rule, err, g.leaseLeft(a.rule))
	}
	ctx, cancel := lastWord(ctx)
	defer cancel()
	if _, err := g.dialect.shut(ctx, g.seen.client, a); err != nil {
		return g.explain(err, g.seen.client.Server.Addr(), &a.rule)
	}
	g.seen.note.drop(a.rule)
	g.store()
	return nil
}

// add does the part of a change that opens a port, or keeps it open.
func (g *portctlGateway) add(ctx context.Context, c plan.Change) error {
	if c.After == nil {
		return nil
	}
	a := g.ask(*c.After)
	if err := g.dialect.mine(a.rule, g.seen.Local); err != nil {
		return err
	}
	// The router would take the request for one about that other mapping.
	if other, there := g.seen.note.leadingTo(a.rule); there {
		return fmt.Errorf("outside port %s %d leads to %s already, for %s, and by %s each port of a machine has one port outside. What is not wanted of the two has to go first",
			other.Protocol, other.Port, other.To, other.Owner, g.dialect.name())
	}
	ctx, cancel := lastWord(ctx)
	defer cancel()
	granted, seen, err := g.dialect.open(ctx, g.seen.client, a)
	if err != nil {
		return g.explain(err, g.seen.client.Server.Addr(), &a.rule)
	}
	if granted.External.Port() != a.rule.Ports.First {
		return g.giveBack(ctx, a, granted.External.Port())
	}
	if outside := granted.External.Addr(); outside.Is4() && !outside.IsUnspecified() {
		g.seen.note.Outside = outside
	}
	g.seen.note.put(mappingNote{
		Project: g.project, Owner: c.Owner.String(),
		Protocol: a.rule.Protocol, Port: a.rule.Ports.First, To: a.rule.To,
		Asked: uint32(a.lease / time.Second), Lease: uint32(granted.Lifetime / time.Second), At: g.now().UTC().Truncate(time.Second), Epoch: seen.Epoch,
	})
	g.store()
	return nil
}

// giveBack takes away a mapping that has another outside port than the one
// asked for, which nobody would know of: peers are told the wanted one.
func (g *portctlGateway) giveBack(ctx context.Context, a asked, got uint16) error {
	err := fmt.Errorf("outside port %s %d is taken: by someone else's mapping, or by the router itself. The router gave port %d in its place, which was given back, as btplan never moves a port. Free it on the router, or choose another in wan_ports",
		a.rule.Protocol, a.rule.Ports.First, got)
	if _, failed := g.dialect.shut(ctx, g.seen.client, a); failed != nil {
		err = fmt.Errorf("%w. (It could not be given back, and stays until its lease ends: %w)", err, failed)
	}
	return err
}

// ask is a rule as it is asked for.
func (g *portctlGateway) ask(rule plan.Rule) asked {
	nonce, _ := g.seen.note.nonce() // begin has made one
	return asked{rule, nonce, g.lease}
}

// leaseLeft is how much is left of the lease of a known mapping.
func (g *portctlGateway) leaseLeft(rule plan.Rule) string {
	for _, m := range g.seen.note.Mappings {
		if m.rule().Equal(rule) {
			return leaseText(max(0, m.left(g.now())))
		}
	}
	return leaseText(g.lease)
}

// lastWord gives a context that outlives ctx for a moment, in which the answer
// to a request that is under way can come: what the router has done is to be
// noted.
func lastWord(ctx context.Context) (context.Context, context.CancelFunc) {
	const moment = 2 * time.Second
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(moment):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() {
		stop()
		cancel()
	}
}
