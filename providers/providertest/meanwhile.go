package providertest

import (
	"context"
	"errors"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Between Read and Apply, another project changes the device. Either the
// apply does nothing and says why, or both have what they want.
func testOtherProjectMeanwhile(b *bench) {
	empty := b.Dump(b.T)
	want := state{seedbox: {tcp("6881-6889")}}.on(b)
	theirs := state{seedbox: {tcp("9000-9009")}}.on(b)
	at := b.look(home)
	b.converge(cabin, theirs)
	before := b.Dump(b.T)

	if err := b.apply(b.context(), at.dev, pending(b.plan(at, want))); err != nil {
		b.checkConflict(err, before)
		b.lead(b.again(at), home, want)
	}
	ours := b.check(home, want)
	b.lead(b.check(cabin, theirs), cabin, nil)
	b.lead(b.again(ours), home, nil)
	b.checkDump(empty)
}

// Between Read and Apply, the same project changes the same rules from
// elsewhere: the plan is stale, and nothing of it may be applied.
func testSameProjectMeanwhile(b *bench) {
	empty := b.Dump(b.T)
	at := b.converge(home, state{seedbox: {tcp("6881-6889")}}.on(b))
	want := state{seedbox: {tcp("6881-6899")}}.on(b)
	b.converge(home, state{seedbox: {tcp("6885-6888")}, laptop: {udp("6881")}}.on(b))
	before := b.Dump(b.T)

	b.checkConflict(b.apply(b.context(), at.dev, pending(b.plan(at, want))), before)
	at = b.lead(b.again(at), home, want)
	b.lead(at, home, nil)
	b.checkDump(empty)
}

// A plan that was applied is stale: to apply it again does no harm.
func testPlanUsedTwice(b *bench) {
	empty := b.Dump(b.T)
	one := b.converge(home, state{seedbox: {tcp("6881-6889")}}.on(b))
	want := state{seedbox: {tcp("6885-6899")}, laptop: {udp("6881")}}.on(b)
	two := b.look(home)
	at := b.lead(one, home, want)
	before := b.Dump(b.T)
	b.checkConflict(b.apply(b.context(), two.dev, pending(b.plan(two, want))), before)
	b.lead(at, home, nil)
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

// The two states between which applies are called off: of their rules some
// change, some come, and some go.
func changing(b *bench) [2]wants {
	return [2]wants{
		state{seedbox: {tcp("6881-6889"), udp("6881")}, laptop: {tcp("7000").other()}}.on(b),
		state{seedbox: {tcp("6885-6899")}, alice: {tcp("7000"), udp("6881")}}.on(b),
	}
}

// An apply that is called off before it begins leaves the old rules or, if it
// says so, the new ones.
func testCancelledBefore(b *bench) {
	empty := b.Dump(b.T)
	states := changing(b)
	ctx, cancel := context.WithCancel(b.context())
	cancel()
	at := b.interrupt(ctx, b.converge(home, states[0]), states[0], states[1])
	b.lead(at, home, nil)
	b.checkDump(empty)
}

// So does one that is called off at any moment while it runs.
func testCancelledMeanwhile(b *bench) {
	empty := b.Dump(b.T)
	states := changing(b)
	at := b.converge(home, states[1])
	changes := pending(b.plan(at, states[0]))
	start := time.Now()
	if err := b.apply(b.context(), at.dev, changes); err != nil {
		b.Fatalf("Apply: %v", err)
	}
	whole := time.Since(start)
	at = b.check(home, states[0])

	// Most of what an apply does first is short, and what it does last is long:
	// moments at twice the distance each reach from its very beginning to
	// beyond its end.
	const moments = 8
	for i := range moments {
		ctx, cancel := context.WithTimeout(b.context(), 2*whole>>(moments-1-i))
		at = b.interrupt(ctx, at, states[0], states[1])
		cancel()
		states[0], states[1] = states[1], states[0]
	}
	b.lead(at, home, nil)
	b.checkDump(empty)
}

// interrupt applies a change under a context that may end meanwhile, looks at
// what that has left, and brings the change to an end all the same.
func (b *bench) interrupt(ctx context.Context, at sight, before, after wants) sight {
	b.Helper()
	err := b.apply(ctx, at.dev, pending(b.plan(at, after)))

	at = b.look(home)
	notOld, notNew := b.differs(at, before), b.differs(at, after)
	switch {
	case err == nil && notNew != "":
		b.Errorf("Apply gave no error, but the device does not hold what it should (-want +got):\n%s", notNew)
	case notOld != "" && notNew != "" && b.suite.Lacks.Atomicity:
		b.checkPart(at, before, after)
	case notOld != "" && notNew != "":
		b.Errorf("the apply that was called off has left neither the old (-want +got):\n%s\nnor the new:\n%s", notOld, notNew)
	}
	return b.settle(at, after)
}

// checkPart sees that each rule of the project is one of the old or of the new.
func (b *bench) checkPart(at sight, before, after wants) {
	b.Helper()
	either := map[string]bool{}
	for _, w := range append(b.shape(at.dev, before), b.shape(at.dev, after)...) {
		either[describe([]plan.Live{{Rule: w.Rule, Owner: w.Owner}})] = true
	}
	for _, l := range ours(at.live) {
		if line := describe([]plan.Live{l}); !either[line] {
			b.Errorf("the apply that was called off has left what is neither of the old nor of the new: %s", line)
		}
	}
}

// settle is lead for a device on which an apply that was called off may still
// come to its end.
func (b *bench) settle(at sight, w wants) sight {
	b.Helper()
	const attempts = 5
	for range attempts {
		err := b.apply(b.context(), at.dev, pending(b.plan(at, w)))
		if errors.Is(err, providers.ErrConflict) {
			at = b.look(home)
			continue
		}
		if err != nil {
			b.Fatalf("Apply after one that was called off: %v", err)
		}
		return b.check(home, w)
	}
	b.Fatalf("the device does not come to rest after an apply that was called off: %d conflicts", attempts)
	return at
}
