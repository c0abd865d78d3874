package hostfw

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/zclconf/go-cty/cty"
)

// inside is the firewall of a host of the lab, worked on from within.
type inside struct {
	*device
	host *lab.Host
}

// openInside opens the firewall of a host as one of this kind.
func openInside(t *testing.T, h *lab.Host, k kind, project string) inside {
	t.Helper()
	runner := remote.Open(remote.Target{Local: true})
	t.Cleanup(func() { _ = runner.Close() })
	return inside{newDevice(k, providers.Settings{Project: project, Addr: seedbox, Body: cty.EmptyObjectVal, Runner: runner, Local: true}), h}
}

func (d inside) Read(ctx context.Context) (r *providers.Reading, err error) {
	enterErr := d.host.Enter(func() error {
		r, err = d.device.Read(ctx)
		return nil
	})
	if enterErr != nil {
		return nil, enterErr
	}
	return r, err
}

func (d inside) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) (err error) {
	enterErr := d.host.Enter(func() error {
		err = d.device.Apply(ctx, changes, done)
		return nil
	})
	if enterErr != nil {
		return enterErr
	}
	return err
}

func (d inside) plan(t *testing.T, want owned) *plan.Plan {
	t.Helper()
	reading, err := d.Read(context.Background())
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
			wanted = append(wanted, plan.Wanted{Rule: r, Device: d.addr, Owner: owner})
		}
	}
	p, diags := plan.Diff(wanted, reading.Rules)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p
}

// make brings the firewall to hold just these rules, all of the port range bt,
// and checks that it does.
func (d inside) make(t *testing.T, rules ...plan.Rule) *plan.Plan {
	t.Helper()
	return d.makeAll(t, owned{bt: rules})
}

func (d inside) makeAll(t *testing.T, want owned) *plan.Plan {
	t.Helper()
	p := d.plan(t, want)
	var changes []plan.Change
	for _, r := range p.Pending() {
		if why := d.Refuse(r.Changes); why != nil {
			t.Fatalf("refused: %+v", why)
		}
		changes = append(changes, r.Changes...)
	}
	if err := d.Apply(context.Background(), changes, func(plan.Change, error) {}); err != nil {
		t.Fatal(err)
	}
	if left := d.plan(t, want).Pending(); len(left) > 0 {
		t.Fatalf("after the apply there is still to do: %+v", left)
	}
	return p
}

// warned gives what a device says of a plan before it is carried out.
func (d inside) warned(t *testing.T, want owned) string {
	t.Helper()
	var lines []string
	for _, r := range d.plan(t, want).Pending() {
		for _, w := range d.Advise(r.Changes) {
			lines = append(lines, fmt.Sprintf("warning: %s. %s", w.Summary, w.Detail))
		}
		if why := d.Refuse(r.Changes); why != nil {
			lines = append(lines, fmt.Sprintf("refused: %s. %s", why.Summary, why.Detail))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// destroy takes all of our rules away. What was read back then says nothing of
// them any more.
func (d inside) destroy(t *testing.T) {
	t.Helper()
	var changes []plan.Change
	for _, r := range d.plan(t, nil).Pending() {
		changes = append(changes, r.Changes...)
	}
	if err := d.Apply(t.Context(), changes, func(plan.Change, error) {}); err != nil {
		t.Fatal(err)
	}
	after := d.ReadBack().Problems
	d.make(t)
	if now := d.ReadBack().Problems; !slices.Equal(after, now) {
		t.Errorf("what was read back says %+v, and what is there %+v", after, now)
	}
}

// unclaimed makes a change that waits to be claimed, and gives what takes it
// back: the same script that is run when nobody claims it.
func (d inside) unclaimed(t *testing.T, want owned) (takeBack string) {
	t.Helper()
	var changes []plan.Change
	for _, r := range d.plan(t, want).Pending() {
		changes = append(changes, r.Changes...)
	}
	after, err := d.last.changed(changes)
	if err != nil {
		t.Fatal(err)
	}
	var c guarded.Change
	err = d.host.Enter(func() error {
		base := d.last
		if base.needsWhole(after) {
			if base, err = d.readWhole(context.Background(), base); err != nil {
				return err
			}
		}
		on := d.guarded
		on.RevertAfter = time.Hour
		c = d.change(base, after)
		_, _, err := on.Make(context.Background(), c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return script.Head + guarded.UndoNow(c.Generation)
}

// openOver opens the firewall for the other host, which may log in by SSH.
func (p pair) openOver(t *testing.T, k kind, revertAfter time.Duration) inside {
	t.Helper()
	p.machine.ServeSSH()
	p.machine.LetIn(p.other, machineAddr)
	runner := remote.Open(remote.Target{
		Host: machineAddr, User: "root", Direct: true,
		IdentityFile: "/root/.ssh/id_ed25519", KnownHostsFile: "/root/.ssh/known_hosts",
	})
	t.Cleanup(func() { _ = runner.Close() })
	return inside{newDevice(k, providers.Settings{
		Project: "home", Addr: seedbox, Runner: runner,
		Body: cty.ObjectVal(map[string]cty.Value{"revert_after": cty.StringVal(revertAfter.String())}),
	}), p.other}
}
