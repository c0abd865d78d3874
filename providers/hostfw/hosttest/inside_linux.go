package hosttest

import (
	"context"
	"errors"
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
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/zclconf/go-cty/cty"
)

// Inside is the firewall of a host of the lab, worked on from within.
type Inside struct {
	*host.Device
	host *lab.Host
}

// OpenInside opens the firewall of a host as one of this kind.
func OpenInside(t *testing.T, h *lab.Host, k host.Kind, project string) Inside {
	t.Helper()
	runner := remote.Open(remote.Target{Local: true})
	t.Cleanup(func() { _ = runner.Close() })
	return Inside{host.NewDevice(k, providers.Settings{Project: project, Addr: Seedbox, Body: cty.EmptyObjectVal, Runner: runner, Local: true}), h}
}

// Read is the device's, from within the host.
func (d Inside) Read(ctx context.Context) (*providers.Reading, error) {
	return within{d.Device, d.host}.Read(ctx)
}

// Apply is the device's, from within the host.
func (d Inside) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	return within{d.Device, d.host}.Apply(ctx, changes, done)
}

// Plan works out what there is to do for these rules.
func (d Inside) Plan(t *testing.T, want host.Owned) *plan.Plan {
	t.Helper()
	return within{d.Device, d.host}.plan(t, want)
}

// Make brings the firewall to hold just these rules, all of the port range bt,
// and checks that it does.
func (d Inside) Make(t *testing.T, rules ...plan.Rule) *plan.Plan {
	t.Helper()
	return d.MakeAll(t, host.Owned{BT: rules})
}

// MakeAll is Make for rules of several owners.
func (d Inside) MakeAll(t *testing.T, want host.Owned) *plan.Plan {
	t.Helper()
	p := d.Plan(t, want)
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
	if left := d.Plan(t, want).Pending(); len(left) > 0 {
		t.Fatalf("after the apply there is still to do: %+v", left)
	}
	return p
}

// Warned gives what a device says of a plan before it is carried out.
func (d Inside) Warned(t *testing.T, want host.Owned) string {
	t.Helper()
	var lines []string
	for _, r := range d.Plan(t, want).Pending() {
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

// Destroy takes all of our rules away. What was read back then says nothing of
// them any more.
func (d Inside) Destroy(t *testing.T) {
	t.Helper()
	var changes []plan.Change
	for _, r := range d.Plan(t, nil).Pending() {
		changes = append(changes, r.Changes...)
	}
	if err := d.Apply(t.Context(), changes, func(plan.Change, error) {}); err != nil {
		t.Fatal(err)
	}
	after := d.ReadBack().Problems
	d.Make(t)
	if now := d.ReadBack().Problems; !slices.Equal(after, now) {
		t.Errorf("what was read back says %+v, and what is there %+v", after, now)
	}
}

// Unclaimed makes a change that waits to be claimed, and gives what takes it
// back: the same script that is run when nobody claims it.
func (d Inside) Unclaimed(t *testing.T, want host.Owned) (takeBack string) {
	t.Helper()
	_, generation := d.wait(t, want)
	return script.Head + guarded.UndoNow(generation)
}

// TakenBack makes a change that waits to be claimed and, after meanwhile, takes
// it back, and gives the error that tells of it.
func (d Inside) TakenBack(t *testing.T, want host.Owned, meanwhile func()) (err error) {
	t.Helper()
	made, _ := d.wait(t, want)
	meanwhile()
	enterErr := d.host.Enter(func() error {
		err = made.TakeBack(context.Background(), errors.New("it is not as it should be"))
		return nil
	})
	if enterErr != nil {
		t.Fatal(enterErr)
	}
	return err
}

// after reads the firewall, and gives the rules that it holds once these are
// made of them.
func (d Inside) after(t *testing.T, want host.Owned) host.Owned {
	t.Helper()
	var changes []plan.Change
	for _, r := range d.Plan(t, want).Pending() {
		changes = append(changes, r.Changes...)
	}
	after, err := d.Last.Changed(changes)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

// BackAndForth makes a change by nothing but its commands, takes it back, and
// makes it again.
func (d Inside) BackAndForth(t *testing.T, want host.Owned) {
	t.Helper()
	after := d.after(t, want)
	c := d.Change(d.Last, after)
	d.host.Sh("change=$(mktemp -d)\ntrap 'rm -r \"$change\"' EXIT\ncd \"$change\"\n" + c.Snapshot +
		"change() {\n" + c.Do + "}\nundo() {\n" + c.Undo + "}\nchange || exit\nundo || exit\nchange || exit\n")
}

// wait makes a change that waits for an hour to be claimed.
func (d Inside) wait(t *testing.T, want host.Owned) (made *guarded.Made, generation string) {
	t.Helper()
	after := d.after(t, want)
	var c guarded.Change
	err := d.host.Enter(func() (err error) {
		base := d.Last
		if base.NeedsWhole(after) {
			if base, err = d.ReadWhole(context.Background(), base); err != nil {
				return err
			}
		}
		on := d.Guarded
		on.RevertAfter = time.Hour
		c = d.Change(base, after)
		made, _, err = on.Make(context.Background(), c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return made, c.Generation
}

// OpenOver opens the firewall for the other host, which may log in by SSH.
func (p Pair) OpenOver(t *testing.T, k host.Kind, revertAfter time.Duration) Inside {
	t.Helper()
	p.Machine.ServeSSH()
	p.Machine.LetIn(p.Other, MachineAddr)
	runner := remote.Open(remote.Target{
		Host: MachineAddr, User: "root", Direct: true,
		IdentityFile: "/root/.ssh/id_ed25519", KnownHostsFile: "/root/.ssh/known_hosts",
	})
	t.Cleanup(func() { _ = runner.Close() })
	return Inside{host.NewDevice(k, providers.Settings{
		Project: "home", Addr: Seedbox, Runner: runner,
		Body: cty.ObjectVal(map[string]cty.Value{"revert_after": cty.StringVal(revertAfter.String())}),
	}), p.Other}
}
