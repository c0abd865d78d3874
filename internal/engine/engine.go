// Package engine brings the parts together: it opens the devices that a
// configuration names, reads them side by side, compares, applies, and reads
// again to see that it took.
package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/memory"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Engine works on the devices of one configuration. Its exported fields are
// set before its first use.
type Engine struct {
	Config *config.Config
	// Gateways and Firewalls are the types of device there are, by name.
	Gateways, Firewalls map[string]providers.Type
	// Parallelism is how many devices are worked on at once.
	Parallelism int
	// LockTimeout is how long each device's lock is waited for while somebody
	// else has it; nil: as long as is usual.
	LockTimeout *time.Duration
	// Targets narrow everything to what they cover; none: all of it.
	Targets []Target
	// Observe is told what happens as it happens, one event at a time.
	// It may be nil.
	Observe func(Event)

	pool      *remote.Pool   // of the connections to jump hosts
	memory    *memory.Memory // nil until a device is opened
	devices   []*device      // those that are open, in the configuration's order
	observing sync.Mutex
	stopped   atomic.Bool
}

// EventKind says what has happened.
type EventKind uint8

// What can happen.
const (
	ReadStarted  EventKind = iota // a device is being read
	ReadDone                      // it has been, or not: see Err
	ApplyStarted                  // a resource is being changed
	ApplyStep                     // one of its several changes is done: see Step
	ApplyDone                     // it has been, and was found as it should be, or not: see Err
)

// Event is one thing that happened.
type Event struct {
	Kind     EventKind
	Device   plan.Addr
	Resource *plan.Resource // of the Apply kinds
	Err      error
	// Step and Steps are, of ApplyStep, how many of the resource's changes are
	// done, and how many there are.
	Step, Steps int
	// Waiting says, of what has started, what the device waits for at the
	// moment of asking: "the SSH handshake with root@192.168.1.1:22", or "".
	// It may be nil.
	Waiting func() string
}

func (e *Engine) observe(ev Event) {
	if e.Observe == nil {
		return
	}
	e.observing.Lock()
	defer e.observing.Unlock()
	e.Observe(ev)
}

// Stop keeps Apply from beginning with any further device. Those that it is
// working on are finished, but those that wait for their locks: there nothing
// was begun.
func (e *Engine) Stop() {
	e.stopped.Store(true)
	for _, d := range e.devices {
		d.lockWait.GiveUp()
	}
}

// Close closes the devices.
func (e *Engine) Close() {
	for _, d := range e.devices {
		d.close()
	}
	e.devices = nil
	if e.pool != nil {
		// What is applied stays, whatever becomes of the connections.
		_ = e.pool.Close()
		e.pool = nil
	}
}
