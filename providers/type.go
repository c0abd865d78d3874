package providers

import (
	"context"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

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

	// LockWait is how the device waits for others that have its lock, where it
	// has one; nil: as long as is usual.
	LockWait *LockWait

	// Via runs commands and makes connections on the machine from which the
	// device is to be talked to; nil: from here. Its owner closes it.
	Via *remote.Runner
	// Memory is where the device may note what it can't hold itself.
	Memory Memory
	// Owners are all who own rules in the configuration, whatever they ask of
	// this device: its port_ranges and, for a host firewall, the machine
	// itself. A mark too short for a name may stand for any of them.
	Owners []plan.Addr
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
