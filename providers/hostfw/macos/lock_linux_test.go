package macos

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// Who reads shares the lock with other readers; who changes has it alone, and
// while somebody else has it nothing is done.
func TestLabMacosLock(t *testing.T) {
	t.Parallel()
	lab.Need(t, "flock")
	m := hosttest.NewMac(t)
	typ := Type()
	open := typ.Open
	typ.Open = func(s providers.Settings) (providers.Device, error) {
		s.LockWait = providers.NewLockWait(new(time.Duration(0)))
		return open(s)
	}
	d := m.Open(t, m.Login(t), typ, "home", nil)
	p := d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}})
	before := m.Holds()
	for how, mayRead := range map[string]bool{"-sn": true, "-xn": false} {
		holder := m.Machine.Start("sh", "-c", "exec 9>>"+lockFile+"; flock "+how+" 9 && echo taken; exec sleep 60")
		holder.Await("taken")
		if _, err := d.Read(t.Context()); errors.Is(err, providers.ErrLocked) == mayRead || mayRead && err != nil {
			t.Errorf("flock %s: reading gives %v", how, err)
		}
		err := d.CarryOut(t, p)
		if !errors.Is(err, providers.ErrLocked) || !strings.Contains(err.Error(), "on the machine, fuser /var/run/btplan.lock tells") {
			t.Errorf("flock %s: changing gives %v", how, err)
		}
		holder.Stop()
	}
	if after := m.Holds(); after != before {
		t.Errorf("something was done:\n%s\nbefore:\n%s", after, before)
	}
	if err := d.CarryOut(t, p); err != nil {
		t.Errorf("with the lock free: %v", err)
	}
}
