package providertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/google/go-cmp/cmp"
)

// The projects that use the device. Home is the one under test.
const (
	home  = "home"
	cabin = "cabin"
)

// patience is how long one step on a device may take before the test fails.
const patience = time.Minute

// wants is what is wanted of a device: the rules of each owner.
type wants map[plan.Addr][]plan.Rule

// bench is a device under test, and the steps that tests are made of.
type bench struct {
	*testing.T
	*Bench
	suite Suite
	// The test until whose end devices stay open: T, or the one that T is a
	// step of.
	whole *testing.T
}

// sight is a connection to the device, and what it read there last.
type sight struct {
	dev  providers.Device
	live []plan.Live
}

// step is b for a part of the test.
func (b *bench) step(t *testing.T) *bench {
	part := *b
	part.T = t
	return &part
}

// look opens the device until the end of the test, and reads it.
func (b *bench) look(project string) sight {
	b.Helper()
	dev := b.Open(b.whole, project)
	b.whole.Cleanup(func() {
		if err := dev.Close(); err != nil {
			b.whole.Errorf("Close: %v", err)
		}
	})
	return sight{dev, b.read(dev)}
}

// again is a second look by the same connection.
func (b *bench) again(at sight) sight {
	b.Helper()
	return sight{at.dev, b.read(at.dev)}
}

// steady sees that a second look by the same connection finds the same, for
// nobody changes the device.
func (b *bench) steady(at sight) {
	b.Helper()
	if diff := cmp.Diff(describe(at.live), describe(b.again(at).live)); diff != "" {
		b.Errorf("two Reads of the same device differ (-first +second):\n%s", diff)
	}
}

func (b *bench) context() context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	b.Cleanup(cancel)
	return ctx
}

func (b *bench) read(dev providers.Device) []plan.Live {
	b.Helper()
	reading, err := dev.Read(b.context())
	if err != nil {
		b.Fatalf("Read: %v", err)
	}
	return b.rules("Read", reading)
}

// readBack is what the device that has just made a change says that it holds,
// by the way that the engine takes.
func (b *bench) readBack(dev providers.Device) []plan.Live {
	b.Helper()
	if self, ok := dev.(providers.ReadingBack); ok {
		return b.rules("ReadBack", self.ReadBack())
	}
	return b.read(dev)
}

// rules are those of a reading, if it is one that a device may give.
func (b *bench) rules(from string, reading *providers.Reading) []plan.Live {
	b.Helper()
	// Whatever rules it holds: what is wanted of it hangs on this.
	if reading.DropsOutbound != b.suite.Outbound {
		b.Errorf("%s says that DropsOutbound is %t, and the suite's Outbound is %t; it holds:\n%s", from, reading.DropsOutbound, b.suite.Outbound, describe(reading.Rules))
	}
	for _, l := range reading.Rules {
		if l.Device != b.Addr {
			b.Errorf("%s says that a rule is on %q, not on %q", from, l.Device, b.Addr)
		}
		if l.Handle == "" {
			b.Errorf("%s has no handle for %s", from, l.Rule)
		}
		if l.Owner.IsZero() && l.Drift != "" {
			b.Errorf("%s says that the foreign rule %s has drifted: %s", from, l.Rule, l.Drift)
		}
	}
	return reading.Rules
}

// shape gives what is wanted the form that the device gives it.
func (b *bench) shape(dev providers.Device, w wants) []plan.Wanted {
	b.Helper()
	var wanted []plan.Wanted
	for owner, rules := range w {
		asked := slices.Clone(rules)
		shaped, err := dev.Shape(rules)
		if err != nil {
			b.Fatalf("Shape: %v", err)
		}
		if !slices.EqualFunc(asked, rules, plan.Rule.Equal) {
			b.Error("Shape has changed its argument")
		}
		again, err := dev.Shape(shaped)
		if err != nil {
			b.Fatalf("Shape of its own result: %v", err)
		}
		if !slices.EqualFunc(again, shaped, plan.Rule.Equal) {
			b.Errorf("Shape gives its own result another form:\n%v\n%v", shaped, again)
		}
		for _, r := range shaped {
			wanted = append(wanted, plan.Wanted{Rule: r, Device: b.Addr, Owner: owner})
		}
	}
	return wanted
}

// plan works out what there is to do.
func (b *bench) plan(at sight, w wants) *plan.Plan {
	b.Helper()
	p, diags := plan.Diff(b.shape(at.dev, w), at.live)
	if diags.HasErrors() {
		b.Fatalf("Diff: %v", diags)
	}
	return p
}

// pending are the changes that the engine hands to a device.
func pending(p *plan.Plan) []plan.Change {
	var changes []plan.Change
	for _, r := range p.Pending() {
		changes = append(changes, r.Changes...)
	}
	return changes
}

// apply makes changes, and holds the device to what it must tell of them.
func (b *bench) apply(ctx context.Context, dev providers.Device, changes []plan.Change) error {
	b.Helper()
	told := map[plan.Change]int{}
	failed := 0
	err := dev.Apply(ctx, changes, func(c plan.Change, err error) {
		told[c]++
		if err != nil {
			failed++
		}
	})
	asked := 0
	for _, c := range changes {
		if told[c] != 1 {
			b.Errorf("done was called %d times, not once, for %s", told[c], c.Action)
		}
		delete(told, c)
		if c.Action != plan.NoOp {
			asked++
		}
	}
	if len(told) > 0 {
		b.Errorf("done was called for changes that were not asked for: %v", told)
	}
	if err == nil && failed > 0 {
		b.Errorf("Apply gave no error, but done got %d", failed)
	}
	if err != nil && failed == 0 && asked > 0 {
		b.Errorf("Apply failed, but no done was told: %v", err)
	}
	return err
}

// converge makes the device hold what a project wants, and sees that it does.
func (b *bench) converge(project string, w wants) sight {
	b.Helper()
	return b.lead(b.look(project), project, w)
}

// lead is converge from where the device was seen at. It gives how the device
// is seen by way of a new connection.
func (b *bench) lead(at sight, project string, w wants) sight {
	b.Helper()
	if err := b.apply(b.context(), at.dev, pending(b.plan(at, w))); err != nil {
		b.Fatalf("Apply: %v", err)
	}
	told := b.readBack(at.dev)
	at = b.check(project, w)
	// Nobody changes it: it must say the same twice.
	if diff := cmp.Diff(describe(told), describe(at.live)); diff != "" {
		b.Errorf("what the device says right after Apply is not what the next Read gives (-first +second):\n%s", diff)
	}
	return at
}

// check sees that the device holds just what a project wants, by way of a
// new connection.
func (b *bench) check(project string, w wants) sight {
	b.Helper()
	at := b.look(project)
	if diff := b.differs(at, w); diff != "" {
		b.Fatalf("the device does not hold what was applied (-want +got):\n%s", diff)
	}
	if left := pending(b.plan(at, w)); len(left) > 0 {
		b.Fatalf("a new plan is not empty: %d changes, the first %s", len(left), left[0].Action)
	}
	return at
}

// differs compares what a device was seen to hold for its project with what is
// wanted; empty if that is the same.
func (b *bench) differs(at sight, w wants) string {
	b.Helper()
	var want []plan.Live
	for _, x := range b.shape(at.dev, w) {
		want = append(want, plan.Live{Rule: x.Rule, Owner: x.Owner})
	}
	return cmp.Diff(describe(want), describe(ours(at.live)))
}

// checkDump sees that the device holds what it did when before was dumped.
func (b *bench) checkDump(before string) {
	b.Helper()
	if diff := cmp.Diff(before, b.Dump(b.T)); diff != "" {
		b.Errorf("the device is not as it was (-before +after):\n%s", diff)
	}
}

// ours are the rules that have an owner.
func ours(live []plan.Live) []plan.Live {
	return slices.DeleteFunc(slices.Clone(live), func(l plan.Live) bool { return l.Owner.IsZero() })
}

// foreign are the rules that have none.
func foreign(live []plan.Live) []plan.Live {
	return slices.DeleteFunc(slices.Clone(live), func(l plan.Live) bool { return !l.Owner.IsZero() })
}

// describe writes rules one a line, sorted.
func describe(live []plan.Live) string {
	var lines []string
	for _, l := range live {
		owner := "foreign"
		if !l.Owner.IsZero() {
			owner = l.Owner.String()
		}
		line := fmt.Sprintf("%s: %s %s", owner, l.Kind, l.Rule)
		if l.Drift != "" {
			line += " (drift: " + l.Drift + ")"
		}
		if l.Outdated != "" {
			line += " (outdated: " + l.Outdated + ")"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
