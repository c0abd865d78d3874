package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/plan"
)

// takenError is a port that is mapped by somebody else, which the router didn't
// list. It says nothing of other ports.
type takenError struct {
	port    port
	mapping igd.Mapping
}

func (e *takenError) Error() string {
	return fmt.Sprintf("port %s is mapped to %s already, %s, which the router doesn't list. btplan never touches what it did not make: remove that on the router's pages, or choose other ports", e.port, client(e.mapping), handle(e.mapping))
}

// add makes a mapping, in the form that the router takes.
func (a *applying) add(ctx context.Context, r plan.Rule, owner plan.Addr) error {
	asked := a.note.ask(a.lease)
	m := igd.Mapping{
		Protocol: r.Protocol, External: r.Ports.First,
		Client: r.To.Addr(), Internal: r.To.Port(),
		Description: a.marks.mark(owner), Enabled: true, Lease: asked,
	}
	p := portOf(r)
	a.made[p] = owned{r, owner} // also if the router's answer gets lost
	err := a.conn.Add(ctx, m)
	var fault *igd.Fault
	if errors.As(err, &fault) {
		err = a.addOtherwise(ctx, m, fault)
	}
	if err != nil {
		if errors.As(err, &fault) {
			delete(a.made, p)
		}
		return err
	}
	a.added = append(a.added, p)
	if !a.learned {
		a.learned = true
		return a.learn(ctx, m)
	}
	return nil
}

// addOtherwise makes a mapping that the router has refused in the way that it
// may take, or says why it refuses.
func (a *applying) addOtherwise(ctx context.Context, m igd.Mapping, fault *igd.Fault) error {
	p := port{m.Protocol, m.External}
	switch fault.Code {
	case igd.OnlyPermanentLeases, igd.InvalidArgs:
		if a.otherLease(ctx, m, fault) {
			return nil
		}
	case igd.ConflictInMapping, igd.NotAuthorized:
		there, found, err := a.specific(ctx, p)
		switch rule, _ := ruleOf(there); {
		case err != nil:
			return err
		case found && rule.Equal(a.made[p].rule) && there.Description == m.Description:
			return nil // it is there already
		case found:
			return &takenError{p, there}
		}
		return a.refused(fault, a.made[p].rule)
	case igd.ActionFailed:
		if _, err := a.conn.ExternalAddress(ctx); err != nil {
			return fmt.Errorf("port %s can't be mapped: %w. The router has no public address itself: another router, or the provider's NAT, is before it (double NAT)", p, fault)
		}
	case igd.SamePortRequired:
		return fmt.Errorf("port %s can't be mapped to port %d: %w: this router maps a port only to the same one. Leave out wan_ports", p, m.Internal, fault)
	case igd.NoPortMapsAvailable:
		return fmt.Errorf("port %s can't be mapped: %w: the router has no room for more mappings. Ask for fewer ports, or take away what others have mapped", p, fault)
	}
	return fmt.Errorf("port %s can't be mapped to %s:%d: %w", p, m.Client, m.Internal, fault)
}

// otherLease tries a permanent mapping in place of one with a lease, or the
// other way round, and remembers that if the router takes it.
func (a *applying) otherLease(ctx context.Context, m igd.Mapping, fault *igd.Fault) bool {
	kind := permanentOnly
	if m.Lease == 0 {
		kind = finiteOnly
	}
	if a.note.Leases != "" || kind == finiteOnly && fault.Code == igd.OnlyPermanentLeases {
		return false
	}
	m.Lease = note{Leases: kind}.ask(m.Lease)
	if err := a.conn.Add(ctx, m); err != nil {
		return false
	}
	a.note.Leases = kind
	return true
}

// refused explains a router that maps a port only for who asks.
func (a *applying) refused(fault *igd.Fault, r plan.Rule) error {
	return fmt.Errorf("port %s can't be mapped to %s: %w. Nobody else has that port: the router lets each computer map ports to itself alone (secure mode). %s", portOf(r), r.To.Addr(), fault, a.asItself(r))
}

// asItself says how the machine to which a rule leads can ask the router.
func (a *applying) asItself(r plan.Rule) string {
	if a.via != "" {
		return fmt.Sprintf("It is asked from the machine that via names (%s). Is %s the address by which that reaches the router?", a.via, r.To.Addr())
	}
	return fmt.Sprintf("Set via = machine.NAME in the gateway's block, where NAME is the machine with the address %s, and give that machine an ssh block: then it asks the router itself", r.To.Addr())
}

// learn looks at what the router has made of the first mapping.
func (a *applying) learn(ctx context.Context, m igd.Mapping) error {
	made, found, err := a.specific(ctx, port{m.Protocol, m.External})
	if err != nil || !found {
		return err
	}
	a.note.Learned = true
	a.note.Asked, a.note.Granted = seconds(a.note.ask(a.lease)), seconds(made.Lease)
	a.note.Shown = nil
	if made.Description != m.Description {
		a.note.Shown = &made.Description
	}
	a.remember(true)
	return nil
}
