// Package providers says what a device is to btplan: something that can be
// read, and changed. Each kind of device has a package of its own below this
// one; package all lists them.
package providers

import (
	"context"
	"errors"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
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
	// ErrRolledBack: a change was made, but could not be proved to be right,
	// and the device is, or will be within a stated time, as it was before.
	ErrRolledBack = errors.New("rolled back")
)

// Device is one gateway or host firewall, open. Its methods are called one at
// a time.
type Device interface {
	// Shape gives the rules of one owner the form in which this device
	// would list them: whole ranges, or one rule a port. The error says what
	// the device can't hold, and wraps ErrUnsupported.
	Shape([]plan.Rule) ([]plan.Rule, error)
	// Read gives all the rules that the device holds, ours and foreign.
	// Anything that it can't make sense of is an error, not a gap.
	Read(ctx context.Context) (*Reading, error)
	// Apply makes the changes, all of one plan made from the latest Read,
	// and calls done once for each, in whatever order they come about. The
	// error is that of the apply as a whole; done has told the same of every
	// change that it kept from happening.
	Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error
	// Close ends the connection to the device. What was applied stays.
	Close() error
}

// ReadingBack is a device whose Apply reads back what it has changed, in the
// same round trip, so that no further Read is needed to check it.
type ReadingBack interface {
	// ReadBack gives what the device held after the latest Apply, which must
	// have succeeded.
	ReadBack() *Reading
}

// Identified is a device that can tell which one it is, so that two blocks of
// a configuration for the same one are noticed. Those of a Type that is Remote
// need not: they are where their commands run.
type Identified interface {
	// Identity is the same for the same device, and different for others of
	// the same type.
	Identity() string
}

// Guarding is a device that is reached by what it filters.
type Guarding interface {
	// Guard gives an error if the device, with this rule, could not be
	// reached any more the way it was for the latest Read.
	Guard(plan.Rule) error
}

// Reading is what a device held at one moment.
type Reading struct {
	Rules []plan.Live
	// Problems are facts seen on the device that will keep packets from
	// passing, whatever rules it holds.
	Problems []Problem
}

// Problem is something on a device that its owner should know of.
type Problem struct {
	Summary string // "Forwarding is off"
	Detail  string // the fact that was seen, and what to do
}

// Type is one type of gateway or host firewall: label 1 of its block.
type Type struct {
	Name string
	// Spec says what the block may hold besides what every block of its kind
	// may: an object of attributes. Its validations speak to the author.
	Spec hcldec.ObjectSpec
	// Remote says whether the device is reached by running commands, here or
	// over SSH: its block, or its machine's, has to say how.
	Remote bool
	// Open makes the device ready without touching it yet: connections are
	// made by the first Read.
	Open func(Settings) (Device, error)
}

// Settings is what a device is opened with.
type Settings struct {
	Project string         // whose marks are ours
	Addr    plan.Addr      // the device's own address, for its rules and messages
	Dir     string         // the configuration's directory, to which relative paths belong
	Body    cty.Value      // what Type.Spec made of the block; wholly known
	Runner  *remote.Runner // runs commands there; nil unless Type.Remote. Its owner closes it
	Local   bool           // the runner is for this computer
}
