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
}

// open opens the device until the end of the test.
func (b *bench) open(project string) providers.Device {
	b.Helper()
	dev := b.Open(b.T, project)
	b.Cleanup(func() {
		if err := dev.Close(); err != nil {
			b.Errorf("Close: %v", err)
		}
	})
	return dev
}

func (b *bench) context() context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	b.Cleanup(cancel)
	return ctx
}

// read reads the device, twice: with nobody changing it, it must say the same.
func (b *bench) read(dev providers.Device) []plan.Live {
	b.Helper()
	live := b.readOnce(dev)
	if diff := cmp.Diff(describe(live), describe(b.readOnce(dev))); diff != "" {
		b.Errorf("two Reads of the same device differ:\n%s", diff)
	}
	for _, l := range live {
		if l.Device != b.Addr {
			b.Errorf("Read says that a rule is on %q, not on %q", l.Device, b.Addr)
		}
		if l.Handle == "" {
			b.Errorf("Read has no handle for %s", l.Rule)
		}
		if l.Owner.IsZero() && l.Drift != "" {
			b.Errorf("Read says that the foreign rule %s has drifted: %s", l.Rule, l.Drift)
		}
	}
	return live
}

func (b *bench) readOnce(dev providers.Device) []plan.Live {
	b.Helper()
	reading, err := dev.Read(b.context())
	if err != nil {
		b.Fatalf("Read: %v", err)
	}
	// Whatever rules it holds: what is wanted of it hangs on this.
	if reading.DropsOutbound != b.suite.Outbound {
		b.Errorf("Read says that DropsOutbound is %t, and the suite's Outbound is %t; it holds:\n%s", reading.DropsOutbound, b.suite.Outbound, describe(reading.Rules))
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

// plan reads the device and works out what there is to do.
func (b *bench) plan(dev providers.Device, w wants) *plan.Plan {
	b.Helper()
	p, diags := plan.Diff(b.shape(dev, w), b.read(dev))
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
func (b *bench) converge(project string, w wants) {
	b.Helper()
	dev := b.open(project)
	if err := b.apply(b.context(), dev, pending(b.plan(dev, w))); err != nil {
		b.Fatalf("Apply: %v", err)
	}
	b.check(project, w)
}

// check sees that the device holds just what a project wants, by way of a
// new connection.
func (b *bench) check(project string, w wants) {
	b.Helper()
	dev := b.open(project)
	if diff := b.differs(dev, w); diff != "" {
		b.Fatalf("the device does not hold what was applied (-want +got):\n%s", diff)
	}
	if left := pending(b.plan(dev, w)); len(left) > 0 {
		b.Fatalf("a new plan is not empty: %d changes, the first %s", len(left), left[0].Action)
	}
}

// differs compares what a device holds for its project with what is wanted;
// empty if that is the same.
func (b *bench) differs(dev providers.Device, w wants) string {
	b.Helper()
	var want []plan.Live
	for _, x := range b.shape(dev, w) {
		want = append(want, plan.Live{Rule: x.Rule, Owner: x.Owner})
	}
	return cmp.Diff(describe(want), describe(ours(b.read(dev))))
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
