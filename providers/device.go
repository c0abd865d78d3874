// Package providers says what a device is to btplan: something that can be
// read, and changed. Each kind of device has a package of its own below this
// one; package all lists them.
package providers

import (
	"context"
	"errors"

	"github.com/btplan/btplan/plan"
)

// What can go wrong with a device, for errors.Is. The message around it says
// on which device, why, and what to do.
var (
	// ErrUnreachable: nothing was read and nothing was changed.
	ErrUnreachable = errors.New("unreachable")
	// ErrUnsupported: the device can't do what the configuration asks.
	ErrUnsupported = errors.New("unsupported")
	// ErrConflict: someone else changed the device between read and apply.
	ErrConflict = errors.New("changed meanwhile")
	// ErrLocked: someone else is in the middle of a change of the device, and
	// nothing was done.
	ErrLocked = errors.New("locked")
	// ErrRolledBack: a change was made, but could not be proved to be right,
	// and the device is, or will be within a stated time, as it was before.
	ErrRolledBack = errors.New("rolled back")
)

// Device is one gateway or host firewall, open. Its methods are called one at
// a time.
type Device interface {
	// Shape gives the rules of one owner the form in which this device
	// would list them: whole ranges, or one rule a port. The error says what
	// the device can't hold, and wraps ErrUnsupported. A host firewall is asked
	// about plan.Outbound rules too, before anyone knows whether it will want
	// any: one that never says Reading.DropsOutbound leaves them as they are.
	Shape([]plan.Rule) ([]plan.Rule, error)
	// Read gives what the device holds, ours and foreign. Anything that it
	// can't make sense of is an error, not a gap.
	Read(ctx context.Context) (*Reading, error)
	// Apply makes the changes, all of one plan made from the latest Read,
	// and calls done once for each, in whatever order they come about. The
	// error is that of the apply as a whole; done has told the same of every
	// change that it kept from happening.
	Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error
	// Close ends the connection to the device. What was applied stays.
	Close() error
}

// Reading is what a device held at one moment.
type Reading struct {
	// Rules are those of ours and, as far as they bear on ours, of others. A
	// plan.Outbound of others lets packets out to every host, not to some.
	Rules []plan.Live
	// DropsOutbound says that a host firewall drops what its machine sends
	// unless a rule lets it out. It is judged as if btplan's own rules were
	// not there, so that a rule that opens the way out doesn't make itself
	// needless. Without it, where nothing is dropped or the device can't
	// tell, no plan.Outbound is wanted of the device, and those of ours that
	// it holds are taken away.
	DropsOutbound bool
	// Found is what the device turned out to be, in a word, where its block
	// leaves that open; empty: it does not.
	Found string
	// Problems are facts seen on the device that will keep packets from
	// passing, whatever rules it holds.
	Problems []Problem
}

// Problem is something that the user should know of a device, or of a plan for
// it.
type Problem struct {
	Summary string // "Forwarding is off"
	Detail  string // the fact that was seen, and what to do
	// Owner is whose rules it is about, a port_range or the machine itself;
	// zero: the device as a whole. What a Refusing device says is about the
	// owner of the changes, whatever is here.
	Owner plan.Addr
	// OfRules says that it is nothing to know of a device on which this
	// project has no rules and, in a plan, comes to have none: in a destroy.
	OfRules bool
}
