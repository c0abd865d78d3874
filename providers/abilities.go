package providers

import (
	"time"

	"github.com/btplan/btplan/plan"
)

// What a device may be able to do besides what every [Device] does. It has just
// those of these methods with which it does something.
//
// Of a plan that is made, and has not been shown to anyone yet, it may say what
// must not be done (Refusing), what may go wrong (Advising), and how long it
// will take (Estimating). It is asked after Read, changes nothing, and asks
// nobody else: all that it needs, the latest Read has found.

// Identified is a device that can tell which one it is, so that two blocks of
// a configuration for the same one are noticed. Those of a Type that is Remote
// need not: they are where their commands run.
type Identified interface {
	// Identity is the same for the same device, and different for others of
	// the same type.
	Identity() string
}

// ReadingBack is a device whose Apply reads back what it has changed, in the
// same round trip, so that no further Read is needed to check it.
type ReadingBack interface {
	// ReadBack gives what the device held after the latest Apply, which must
	// have succeeded.
	ReadBack() *Reading
}

// Refusing is a device on which some changes must not be made though it could
// make them: they would shut btplan out, or open what somebody has shut on
// purpose.
type Refusing interface {
	// Refuse is asked about each resource with something to do, with all of
	// its changes, NoOps too. It says why they must not be made, which becomes
	// an error in the plan; nil: they may.
	Refuse(changes []plan.Change) *Problem
}

// Advising is a device that can tell beforehand what may go wrong with some
// changes, though each of them is allowed.
type Advising interface {
	// Advise is asked about all that is to be done on this device, without
	// NoOps, in no particular order. What it says becomes warnings in the plan.
	Advise(changes []plan.Change) []Problem
}

// Estimating is a device on which changes take so long that a person should
// know beforehand.
type Estimating interface {
	// Estimate is about how long Apply will take for all that is to be done on
	// this device, without NoOps.
	Estimate(changes []plan.Change) time.Duration
}
