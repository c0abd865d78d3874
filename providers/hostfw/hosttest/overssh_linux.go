package hosttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/zclconf/go-cty/cty"
)

// OverSSH is a device that is opened on one host of the lab and reached on
// another.
type OverSSH struct {
	providers.Device
	from *lab.Host
}

// Read is the device's, on the host that it was opened on.
func (d OverSSH) Read(ctx context.Context) (r *providers.Reading, err error) {
	enterErr := d.from.Enter(func() error {
		r, err = d.Device.Read(ctx)
		return nil
	})
	if enterErr != nil {
		return nil, enterErr
	}
	return r, err
}

// Apply is the device's, on the host that it was opened on.
func (d OverSSH) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) (err error) {
	enterErr := d.from.Enter(func() error {
		err = d.Device.Apply(ctx, changes, done)
		return nil
	})
	if enterErr != nil {
		return enterErr
	}
	return err
}

// Open opens the machine's firewall as one of this type.
func (p Pair) Open(t *testing.T, runner *remote.Runner, typ providers.Type, project string, body map[string]cty.Value) OverSSH {
	t.Helper()
	attrs := map[string]cty.Value{}
	for attr := range typ.Spec {
		attrs[attr] = cty.NullVal(cty.String)
	}
	for attr, v := range body {
		attrs[attr] = v
	}
	d, err := typ.Open(providers.Settings{Project: project, Addr: Seedbox, Body: cty.ObjectVal(attrs), Runner: runner})
	if err != nil {
		t.Fatal(err)
	}
	return OverSSH{d, p.Other}
}

// Plan works out what there is to do.
func (d OverSSH) Plan(t *testing.T, want host.Owned) *plan.Plan {
	t.Helper()
	reading, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wanted []plan.Wanted
	for owner, rules := range want {
		shaped, err := d.Shape(rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range shaped {
			wanted = append(wanted, plan.Wanted{Rule: r, Device: Seedbox, Owner: owner})
		}
	}
	p, diags := plan.Diff(wanted, reading.Rules)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p
}

// Make brings the firewall to hold just these rules, all of the port range bt,
// and checks that it does.
func (d OverSSH) Make(t *testing.T, rules ...plan.Rule) *plan.Plan {
	t.Helper()
	p := d.Plan(t, host.Owned{BT: rules})
	if err := d.CarryOut(t, p); err != nil {
		t.Fatal(err)
	}
	if left := d.Plan(t, host.Owned{BT: rules}).Pending(); len(left) > 0 {
		t.Fatalf("after the apply there is still to do: %+v", left)
	}
	return p
}

// CarryOut applies a plan.
func (d OverSSH) CarryOut(t *testing.T, p *plan.Plan) error {
	t.Helper()
	var changes []plan.Change
	for _, r := range p.Pending() {
		changes = append(changes, r.Changes...)
	}
	return d.Apply(t.Context(), changes, func(plan.Change, error) {})
}

// Told gives all that the device says of a plan before it is carried out, and
// of itself.
func (d OverSSH) Told(t *testing.T, rules ...plan.Rule) string {
	t.Helper()
	p := d.Plan(t, host.Owned{BT: rules})
	var lines []string
	for _, problem := range d.Device.(providers.ReadingBack).ReadBack().Problems {
		lines = append(lines, "problem: "+problem.Summary)
	}
	for _, r := range p.Resources {
		for _, w := range d.Device.(providers.Advising).Advise(r.Changes) {
			lines = append(lines, fmt.Sprintf("warning: %s. %s", w.Summary, w.Detail))
		}
		if why := d.Device.(providers.Refusing).Refuse(r.Changes); why != nil {
			lines = append(lines, fmt.Sprintf("refused: %s. %s", why.Summary, why.Detail))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Drift gives why rules of ours are not as btplan left them.
func (d OverSSH) Drift(t *testing.T) string {
	t.Helper()
	reading, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var whys []string
	for _, l := range reading.Rules {
		if !l.Owner.IsZero() {
			whys = append(whys, l.Drift+l.Outdated)
		}
	}
	return strings.Join(slices.Compact(whys), "; ")
}
