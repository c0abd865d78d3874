// Package providers says what a device is to btplan: something that can be
// read, and changed. Each kind of device has a package of its own below this
// one; package all lists them.
package providers

import (
	"context"
	"errors"
	"time"

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

// Advising is a device that can tell beforehand what may go wrong with some
// changes, though each of them is allowed.
type Advising interface {
	// Advise is asked after Read with all the changes of a plan that are to be
	// made on this device, in no particular order. What it says becomes
	// warnings in the plan.
	Advise(changes []plan.Change) []Problem
}

// Estimating is a device on which changes take so long that a person should
// know beforehand.
type Estimating interface {
	// Estimate is about how long Apply will take for these changes.
	Estimate(changes []plan.Change) time.Duration
}

// Memory is what a device may note of itself for the next run: hints that the
// device itself can't hold. There may be nothing in it at any time, since
// people delete it, and others run btplan elsewhere: a device has to come to
// the same rules without it, if with more trouble. It is no place for secrets
// that must not get lost.
//
// Its errors are told to the user as warnings already; a device may go on
// without what it wanted to know or to keep.
type Memory interface {
	// Load decodes the latest note into what into points to, as
	// [encoding/json] does. Without a note, or after an error, it is left as
	// it is. A note is outside input: check what is in it.
	Load(into any) error
	// Store puts v, as JSON, in the place of the note that was there. Nothing
	// is written if it is the same.
	Store(v any) error
}

// Refusing is a device on which some changes must not be made though it could
// make them.
type Refusing interface {
	// Refuse is asked after Read with the changes of one resource. It says why
	// they must not be made; nil: they may.
	Refuse(changes []plan.Change) *Problem
}

// Reading is what a device held at one moment.
type Reading struct {
	Rules []plan.Live
	// Found is what the device turned out to be, in a word, where its block
	// leaves that open; empty: it does not.
	Found string
	// Problems are facts seen on the device that will keep packets from
	// passing, whatever rules it holds.
	Problems []Problem
}

// Problem is something on a device that its owner should know of.
type Problem struct {
	Summary string // "Forwarding is off"
	Detail  string // the fact that was seen, and what to do
	// Owner is the port_range that it is about; zero: the device as a whole.
	Owner plan.Addr
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
	// Via says whether the device can be talked to from a machine instead of
	// from here: its block may then name one, and Settings.Via leads to it.
	Via bool
	// Discover looks for devices of this type on the networks of this
	// computer; nil: they can't be found that way. It ends by itself within
	// seconds, and sooner with ctx. None found is no error.
	Discover func(ctx context.Context, o DiscoverOptions) ([]Found, error)
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

	// Via runs commands and makes connections on the machine from which the
	// device is to be talked to; nil: from here. Its owner closes it.
	Via *remote.Runner
	// Memory is where the device may note what it can't hold itself.
	Memory Memory
	// Owners are all the port_ranges of the configuration, whatever is asked
	// of this device: those that a mark too short for a name may stand for.
	Owners []plan.Addr
}
