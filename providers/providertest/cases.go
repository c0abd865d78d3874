package providertest

import (
	"errors"
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// A device that btplan has never touched holds nothing of its own, and
// reading leaves it so.
func testEmpty(b *bench) {
	before := b.Dump(b.T)
	at := b.look(home)
	if got := ours(at.live); len(got) > 0 {
		b.Errorf("the device should hold no rules of this project:\n%s", describe(got))
	}
	b.steady(at)
	b.checkDump(before)
}

// Changes that change nothing are reported as done, and nothing happens.
func testNothingToDo(b *bench) {
	empty := b.Dump(b.T)
	want := state{seedbox: {tcp("6881-6889")}, laptop: {udp("6881")}}.on(b)
	at := b.converge(home, want)
	before := b.Dump(b.T)
	var changes []plan.Change
	for _, r := range b.plan(at, want).Resources {
		changes = append(changes, r.Changes...)
	}
	if len(changes) == 0 || slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Action != plan.NoOp }) {
		b.Fatalf("there should be no-op changes and no others: %v", changes)
	}
	if err := b.apply(b.context(), at.dev, changes); err != nil {
		b.Errorf("Apply of no-ops: %v", err)
	}
	if err := b.apply(b.context(), at.dev, nil); err != nil {
		b.Errorf("Apply of no changes: %v", err)
	}
	b.checkDump(before)
	b.lead(at, home, nil)
	b.checkDump(empty)
}

// What isn't ours, of another project too, is listed as foreign and never
// touched.
func testForeign(b *bench) {
	known := len(foreign(b.look(home).live))
	byHand := tcp("8080").rule(b)
	b.AddForeign(b.T, byHand)
	withForeign := b.Dump(b.T)
	theirs := state{seedbox: {tcp("9000-9009"), udp("9000")}}.on(b)
	b.converge(cabin, theirs)
	before := b.Dump(b.T)

	want := state{seedbox: {tcp("6881-6889")}, laptop: {udp("6881-6889")}}.on(b)
	at := b.converge(home, want)
	b.steady(at)
	got := foreign(at.live)
	expected := []plan.Rule{byHand}
	for _, w := range b.shape(at.dev, theirs) {
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

	b.lead(at, home, nil)
	b.checkDump(before)
	b.lead(b.check(cabin, theirs), cabin, nil)
	b.checkDump(withForeign)
}

// Where somebody else lets packets out already, nothing is asked of the device;
// what is ours there stays beside it; and what is somebody else's is not touched.
func testForeignOutbound(b *bench) {
	byHand := tcp("443").outward().rule(b)
	known := len(foreign(b.look(home).live))
	b.AddForeign(b.T, byHand)
	before := b.Dump(b.T)
	at := b.look(home)
	if got := foreign(at.live); len(got) != known+1 || !slices.ContainsFunc(got, func(l plan.Live) bool { return l.Rule.Equal(byHand) }) {
		b.Errorf("Read should list one foreign rule more, %s %s:\n%s", byHand.Kind, byHand, describe(got))
	}
	if left := pending(b.plan(at, state{itself: {tcp("443").outward()}}.on(b))); len(left) > 0 {
		b.Errorf("the way out is open, but there is to do: %d changes, the first %s", len(left), left[0].Action)
	}
	at = b.lead(at, home, state{itself: {tcp("6969").outward()}}.on(b))
	b.lead(at, home, nil)
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
	at := b.converge(home, state{seedbox: {tcp("6881-6889")}, laptop: {udp("6881-6889")}}.on(b))
	b.lead(at, home, nil)
	b.checkDump(before)
	b.lead(b.check(cabin, theirs), cabin, nil)
	b.checkDump(withForeign)
}

// What someone else takes from us shows as drift, and an apply mends it.
func testDrift(b *bench) {
	before := b.Dump(b.T)
	want := state{seedbox: {tcp("6881-6889"), tcp("6900-6909"), udp("6881-6889")}}.on(b)
	b.converge(home, want)
	b.Tamper(b.T)
	at := b.look(home)
	p := b.plan(at, want)
	if len(p.Pending()) == 0 {
		b.Fatal("someone else has changed our rules, but there is nothing to do")
	}
	for _, r := range p.Pending() {
		if !r.Drift && !b.suite.Lacks.Traces {
			b.Errorf("%s was changed by someone else, but Read does not call that drift", r)
		}
	}
	at = b.lead(at, home, want)
	b.lead(at, home, nil)
	b.checkDump(before)
}

// A device that can't tell who connects says so, before anything is planned.
func testNoSources(b *bench) {
	rule := tcp("6881-6889").from("203.0.113.0/24").rule(b)
	if _, err := b.look(home).dev.Shape([]plan.Rule{rule}); !errors.Is(err, providers.ErrUnsupported) {
		b.Errorf("Shape of a rule with sources should give ErrUnsupported, not %v", err)
	}
}
