package hosttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/zclconf/go-cty/cty"
)

// OverSSH is a device that is opened on one host of the lab and reached on
// another.
type OverSSH struct{ within }

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
	return OverSSH{within{d, p.Other}}
}

// Plan works out what there is to do for these rules.
func (d OverSSH) Plan(t *testing.T, want host.Owned) *plan.Plan {
	t.Helper()
	return d.plan(t, want)
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
