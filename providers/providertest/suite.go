// Package providertest is the suite of tests that every kind of device passes.
// What it asks is what the engine relies on: a device reads back as it was
// written, says whose each rule is, leaves alone what is not ours, notices
// when it was changed behind our back, and is left as it was when everything
// is destroyed.
//
// A kind of device runs it from a test of its own:
//
//	func TestSuite(t *testing.T) {
//		providertest.Run(t, providertest.Suite{
//			Kind: plan.Forward,
//			New: func(t *testing.T) *providertest.Bench { … },
//		})
//	}
package providertest

import (
	"net/netip"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Suite says how to test one kind of device.
type Suite struct {
	// Kind is what the device's rules do.
	Kind plan.Kind
	// Outbound: the device is a host firewall that drops what its machine
	// sends, and New gives it so: it holds plan.Outbound rules too.
	Outbound bool
	// Machines are two hosts that a gateway can forward to. Without them it
	// is asked to forward to 192.168.1.11 and 192.168.1.12.
	Machines [2]netip.Addr
	// Lacks are what no device of this kind can do.
	Lacks Lacks
	// New makes a device for one test, with nothing of btplan's on it. It
	// may give the same one again: each test leaves it as it was, or fails.
	New func(t *testing.T) *Bench
}

// Lacks says what a kind of device can't do. Without it the suite asks that a
// device can.
type Lacks struct {
	// Sources: the device lets in everyone or nobody. It refuses rules with
	// sources, and the steps that have any are left out.
	Sources bool
	// Atomicity: changes are made one after the other. An apply that is called
	// off may leave any part of them made, which the next one completes.
	Atomicity bool
	// Traces: what somebody else takes away leaves no trace, so that it is
	// only seen to be missing.
	Traces bool
	// Listing: the device tells nobody what it holds. It knows what it has
	// made itself, and sees neither foreign rules nor what others take away.
	Listing bool
}

// Bench is one device under test, and what can be done with it beside btplan.
type Bench struct {
	// Addr is the address that Open opens the device with.
	Addr plan.Addr
	// Open opens the device for a project, with [Owners] as the configuration's.
	// It is called many times for the same device, and several may be open at
	// once. The suite closes it.
	Open func(t *testing.T, project string) providers.Device
	// AddForeign makes a rule as the device's owner would by hand, with no
	// mark of btplan's; with Suite.Outbound, a plan.Outbound too. The rule stays for the rest of the test; New sees to
	// it that it is gone when the device is given again.
	AddForeign func(t *testing.T, rule plan.Rule)
	// Tamper takes one rule, or a part of one, away from the project "home"
	// by other means than btplan. There are several of them to choose from.
	Tamper func(t *testing.T)
	// Dump is all that the device holds as text: whatever btplan could
	// change by mistake, and nothing that changes by itself, such as
	// counters.
	Dump func(t *testing.T) string
}

// Run runs the whole suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if s.Machines == [2]netip.Addr{} {
		s.Machines = [2]netip.Addr{netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("192.168.1.12")}
	}
	run := func(name string, test func(*bench)) {
		t.Run(name, func(t *testing.T) { test(&bench{T: t, Bench: s.New(t), suite: s, whole: t}) })
	}
	run("empty", testEmpty)
	run("nothing to do", testNothingToDo)
	for _, w := range walks(s) {
		run(w.name, func(b *bench) { testWalk(b, w.steps) })
	}
	if s.Outbound {
		run("a foreign way out", testForeignOutbound)
	}
	if s.Lacks.Sources {
		run("sources are refused", testNoSources)
	}
	if s.Lacks.Listing {
		run("foreign rules stay", testUnseen)
	} else {
		run("foreign rules", testForeign)
		run("drift", testDrift)
	}
	run("another project meanwhile", testOtherProjectMeanwhile)
	run("the same project meanwhile", testSameProjectMeanwhile)
	run("a plan used twice", testPlanUsedTwice)
	run("cancelled before", testCancelledBefore)
	run("cancelled meanwhile", testCancelledMeanwhile)
}
