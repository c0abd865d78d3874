package hosttest

import (
	"context"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// within is a device that is worked on from a host of the lab.
type within struct {
	providers.Device
	from *lab.Host
}

// Read is the device's, from that host.
func (d within) Read(ctx context.Context) (r *providers.Reading, err error) {
	enterErr := d.from.Enter(func() error {
		r, err = d.Device.Read(ctx)
		return nil
	})
	if enterErr != nil {
		return nil, enterErr
	}
	return r, err
}

// Apply is the device's, from that host.
func (d within) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) (err error) {
	enterErr := d.from.Enter(func() error {
		err = d.Device.Apply(ctx, changes, done)
		return nil
	})
	if enterErr != nil {
		return enterErr
	}
	return err
}

func (d within) plan(t *testing.T, want host.Owned) *plan.Plan {
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
