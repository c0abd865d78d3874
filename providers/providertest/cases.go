package providertest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// A device that btplan has never touched holds nothing of its own, and
// reading leaves it so.
func testEmpty(b *bench) {
	before := b.Dump(b.T)
	if got := ours(b.read(b.open(home))); len(got) > 0 {
		b.Errorf("the device should hold no rules of this project:\n%s", describe(got))
	}
	b.checkDump(before)
}

// Changes that change nothing are reported as done, and nothing happens.
func testNothingToDo(b *bench) {
	empty := b.Dump(b.T)
	want := state{seedbox: {tcp("6881-6889")}, laptop: {udp("6881")}}.on(b)
	b.converge(home, want)
	before := b.Dump(b.T)
	dev := b.open(home)
	var changes []plan.Change
	for _, r := range b.plan(dev, want).Resources {
		changes = append(changes, r.Changes...)
	}
	if len(changes) == 0 || slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Action != plan.NoOp }) {
		b.Fatalf("there should be no-op changes and no others: %v", changes)
	}
	if err := b.apply(b.context(), dev, changes); err != nil {
		b.Errorf("Apply of no-ops: %v", err)
	}
	if err := b.apply(b.context(), dev, nil); err != nil {
		b.Errorf("Apply of no changes: %v", err)
	}
	b.checkDump(before)
	b.converge(home, nil)
	b.checkDump(empty)
}

// What isn't ours, of another project too, is listed as foreign and never
// touched.
func testForeign(b *bench) {
	known := len(foreign(b.read(b.open(home))))
	byHand := tcp("8080").rule(b)
	b.AddForeign(b.T, byHand)
	withForeign := b.Dump(b.T)
	theirs := state{seedbox: {tcp("9000-9009"), udp("9000")}}.on(b)
	b.converge(cabin, theirs)
	before := b.Dump(b.T)

	want := state{seedbox: {tcp("6881-6889")}, laptop: {udp("6881-6889")}}.on(b)
	b.converge(home, want)
	dev := b.open(home)
	got := foreign(b.read(dev))
	expected := []plan.Rule{byHand}
	for _, w := range b.shape(dev, theirs) {
		expected = append(expected, w.Rule)
	}
	if len(got) != known+len(expected) {
		b.Errorf("Read lists %d foreign rules, not %d:\n%s", len(got)-known, len(expected), describe(got))
	}
	for _, r := range expected {
		if !slices.ContainsFunc(got, func(l plan.Live) bool { return l.Rule.Equal(r) }) {
			b.Errorf("Read does not list the foreign rule %s:\n%s", r, describe(got))
		}
	}
	b.check(cabin, theirs)

	b.converge(home, nil)
	b.checkDump(before)
	b.check(cabin, theirs)
	b.converge(cabin, nil)
	b.checkDump(withForeign)
}

// Where somebody else lets packets out already, nothing is asked of the device;
// what is ours there stays beside it; and what is somebody else's is not touched.
func testForeignOutbound(b *bench) {
	byHand := tcp("443").outward().rule(b)
	known := len(foreign(b.read(b.open(home))))
	b.AddForeign(b.T, byHand)
	before := b.Dump(b.T)
	dev := b.open(home)
	if got := foreign(b.read(dev)); len(got) != known+1 || !slices.ContainsFunc(got, func(l plan.Live) bool { return l.Rule.Equal(byHand) }) {
		b.Errorf("Read should list one foreign rule more, %s %s:\n%s", byHand.Kind, byHand, describe(got))
	}
	if left := pending(b.plan(dev, state{itself: {tcp("443").outward()}}.on(b))); len(left) > 0 {
		b.Errorf("the way out is open, but there is to do: %d changes, the first %s", len(left), left[0].Action)
	}
	b.converge(home, state{itself: {tcp("6969").outward()}}.on(b))
	b.converge(home, nil)
	b.checkDump(before)
}

// What isn't ours, of another project too, is never touched, though the device
// can't list it.
func testUnseen(b *bench) {
	b.AddForeign(b.T, tcp("8080").rule(b))
	withForeign := b.Dump(b.T)
	theirs := state{seedbox: {tcp("9000-9009"), udp("9000")}}.on(b)
	b.converge(cabin, theirs)
	before := b.Dump(b.T)
	b.converge(home, state{seedbox: {tcp("6881-6889")}, laptop: {udp("6881-6889")}}.on(b))
	b.converge(home, nil)
	b.checkDump(before)
	b.check(cabin, theirs)
	b.converge(cabin, nil)
	b.checkDump(withForeign)
}

// What someone else takes from us shows as drift, and an apply mends it.
func testDrift(b *bench) {
	before := b.Dump(b.T)
	want := state{seedbox: {tcp("6881-6889"), tcp("6900-6909"), udp("6881-6889")}}.on(b)
	b.converge(home, want)
	b.Tamper(b.T)
	dev := b.open(home)
	p := b.plan(dev, want)
	if len(p.Pending()) == 0 {
		b.Fatal("someone else has changed our rules, but there is nothing to do")
	}
	for _, r := range p.Pending() {
		if !r.Drift && !b.suite.Lacks.Traces {
			b.Errorf("%s was changed by someone else, but Read does not call that drift", r)
		}
	}
	if err := b.apply(b.context(), dev, pending(p)); err != nil {
		b.Fatalf("Apply: %v", err)
	}
	b.check(home, want)
	b.converge(home, nil)
	b.checkDump(before)
}

// A device that can't tell who connects says so, before anything is planned.
func testNoSources(b *bench) {
	rule := tcp("6881-6889").from("203.0.113.0/24").rule(b)
	if _, err := b.open(home).Shape([]plan.Rule{rule}); !errors.Is(err, providers.ErrUnsupported) {
		b.Errorf("Shape of a rule with sources should give ErrUnsupported, not %v", err)
	}
}

// Between Read and Apply, another project changes the device. Either the
// apply does nothing and says why, or both have what they want.
func testOtherProjectMeanwhile(b *bench) {
	empty := b.Dump(b.T)
	want := state{seedbox: {tcp("6881-6889")}}.on(b)
	theirs := state{seedbox: {tcp("9000-9009")}}.on(b)
	dev := b.open(home)
	changes := pending(b.plan(dev, want))
	b.converge(cabin, theirs)
	before := b.Dump(b.T)

	if err := b.apply(b.context(), dev, changes); err != nil {
		b.checkConflict(err, before)
		if err := b.apply(b.context(), dev, pending(b.plan(dev, want))); err != nil {
			b.Fatalf("Apply of a new plan: %v", err)
		}
	}
	b.check(home, want)
	b.check(cabin, theirs)
	b.converge(cabin, nil)
	b.converge(home, nil)
	b.checkDump(empty)
}

// Between Read and Apply, the same project changes the same rules from
// elsewhere: the plan is stale, and nothing of it may be applied.
func testSameProjectMeanwhile(b *bench) {
	empty := b.Dump(b.T)
	b.converge(home, state{seedbox: {tcp("6881-6889")}}.on(b))
	want := state{seedbox: {tcp("6881-6899")}}.on(b)
	dev := b.open(home)
	changes := pending(b.plan(dev, want))
	b.converge(home, state{seedbox: {tcp("6885-6888")}, laptop: {udp("6881")}}.on(b))
	before := b.Dump(b.T)

	b.checkConflict(b.apply(b.context(), dev, changes), before)
	if err := b.apply(b.context(), dev, pending(b.plan(dev, want))); err != nil {
		b.Fatalf("Apply of a new plan: %v", err)
	}
	b.check(home, want)
	b.converge(home, nil)
	b.checkDump(empty)
}

// A plan that was applied is stale: to apply it again does no harm.
func testPlanUsedTwice(b *bench) {
	empty := b.Dump(b.T)
	b.converge(home, state{seedbox: {tcp("6881-6889")}}.on(b))
	want := state{seedbox: {tcp("6885-6899")}, laptop: {udp("6881")}}.on(b)
	one, two := b.open(home), b.open(home)
	changes := pending(b.plan(one, want))
	again := pending(b.plan(two, want))
	if err := b.apply(b.context(), one, changes); err != nil {
		b.Fatalf("Apply: %v", err)
	}
	before := b.Dump(b.T)
	b.checkConflict(b.apply(b.context(), two, again), before)
	b.check(home, want)
	b.converge(home, nil)
	b.checkDump(empty)
}

// checkConflict sees that an apply was refused because the device had been
// changed, and that it left the device as it was.
func (b *bench) checkConflict(err error, before string) {
	b.Helper()
	if !errors.Is(err, providers.ErrConflict) {
		b.Errorf("the device was changed after it was read; Apply should give ErrConflict, not %v", err)
	}
	b.checkDump(before)
}

// An apply that is called off before it begins leaves the old rules or, if it
// says so, the new ones.
func testCancelledBefore(b *bench) {
	empty := b.Dump(b.T)
	ctx, cancel := context.WithCancel(b.context())
	cancel()
	b.interrupt(func() context.Context { return ctx })
	b.checkDump(empty)
}

// So does one that is called off at any moment while it runs.
func testCancelledMeanwhile(b *bench) {
	empty := b.Dump(b.T)
	start := time.Now()
	b.interrupt(b.context)
	whole := time.Since(start)

	// Most of the time that interrupt takes is not the apply: moments at
	// twice the distance each reach from its very beginning to beyond its end.
	const moments = 8
	for i := range moments {
		after := whole >> (moments - i)
		b.interrupt(func() context.Context {
			ctx, cancel := context.WithTimeout(b.Context(), after)
			b.Cleanup(cancel)
			return ctx
		})
	}
	b.checkDump(empty)
}

// interrupt applies a change under a context that may end meanwhile, looks at
// what that has left, and brings the device to an end all the same.
func (b *bench) interrupt(ctx func() context.Context) {
	b.Helper()
	before := state{seedbox: {tcp("6881-6889"), udp("6881")}, laptop: {tcp("7000").other()}}.on(b)
	after := state{seedbox: {tcp("6885-6899")}, alice: {tcp("7000"), udp("6881")}}.on(b)
	b.converge(home, before)
	dev := b.open(home)
	changes := pending(b.plan(dev, after))
	err := b.apply(ctx(), dev, changes)

	other := b.open(home)
	notOld, notNew := b.differs(other, before), b.differs(other, after)
	switch {
	case err == nil && notNew != "":
		b.Errorf("Apply gave no error, but the device does not hold what it should (-want +got):\n%s", notNew)
	case notOld != "" && notNew != "" && b.suite.Lacks.Atomicity:
		b.checkPart(other, before, after)
	case notOld != "" && notNew != "":
		b.Errorf("the apply that was called off has left neither the old (-want +got):\n%s\nnor the new:\n%s", notOld, notNew)
	}
	b.settle(after)
	b.settle(nil)
}

// checkPart sees that each rule of the project is one of the old or of the new.
func (b *bench) checkPart(dev providers.Device, before, after wants) {
	b.Helper()
	either := map[string]bool{}
	for _, w := range append(b.shape(dev, before), b.shape(dev, after)...) {
		either[describe([]plan.Live{{Rule: w.Rule, Owner: w.Owner}})] = true
	}
	for _, l := range ours(b.read(dev)) {
		if line := describe([]plan.Live{l}); !either[line] {
			b.Errorf("the apply that was called off has left what is neither of the old nor of the new: %s", line)
		}
	}
}

// settle is converge for a device on which an apply that was called off may
// still come to its end.
func (b *bench) settle(w wants) {
	b.Helper()
	const attempts = 5
	for range attempts {
		dev := b.open(home)
		err := b.apply(b.context(), dev, pending(b.plan(dev, w)))
		if errors.Is(err, providers.ErrConflict) {
			continue
		}
		if err != nil {
			b.Fatalf("Apply after one that was called off: %v", err)
		}
		b.check(home, w)
		return
	}
	b.Fatalf("the device does not come to rest after an apply that was called off: %d conflicts", attempts)
}
