package hostfw

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// Whatever firewall it is, one that somebody else is changing is neither read
// nor changed, and is waited for as long as was said: not at all.
func TestLabLocked(t *testing.T) {
	t.Parallel()
	lab.Need(t, "nft", "iptables-nft", "flock")
	p := hosttest.NewShell(t, "/bin/sh")
	runner := p.Login(t)
	type opened struct {
		hosttest.OverSSH
		pending *plan.Plan
	}
	devices := map[string]opened{}
	for _, typ := range []providers.Type{autoType(), host.TypeOf(kindNamed("nftables")), host.TypeOf(kindNamed("iptables"))} {
		open := typ.Open
		typ.Open = func(s providers.Settings) (providers.Device, error) {
			s.LockWait = providers.NewLockWait(new(time.Duration(0)))
			return open(s)
		}
		d := p.Open(t, runner, typ, "home", nil)
		devices[typ.Name] = opened{d, d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}})}
	}
	before := filterDump(p.Machine)
	holder := p.Machine.Start("sh", "-c", "mkdir -p "+script.ChangesDir+"\n"+script.Lock+"echo taken; exec sleep 60")
	holder.Await("taken")
	for name, d := range devices {
		_, readErr := d.Read(t.Context())
		for what, err := range map[string]error{"reading": readErr, "changing": d.CarryOut(t, d.pending)} {
			if !errors.Is(err, providers.ErrLocked) || !strings.Contains(err.Error(), "change of this machine, and btplan was not to wait") {
				t.Errorf("%s %s: got %v", what, name, err)
			}
		}
	}
	holder.Stop()
	if after := filterDump(p.Machine); after != before {
		t.Errorf("the machine has\n%s\nand had\n%s", after, before)
	}
	d := devices["auto"]
	if err := d.CarryOut(t, d.pending); err != nil {
		t.Errorf("with the lock free: %v", err)
	}
}
