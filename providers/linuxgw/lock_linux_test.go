package linuxgw

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

const withoutFlock = "mount --bind /dev/null /usr/bin/flock\n"

// Two applies at once end in one of the two wanted states, on tables that were
// empty and on such as have rules of ours; also without the lock, or not at all.
func TestLabRace(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy", "flock")
	for name, test := range map[string]struct {
		script  string
		refused bool
	}{
		"nftables":                       {"", false},
		"iptables-nft":                   {clean("nft") + dropping("nft") + withoutNft, false},
		"iptables-legacy":                {clean("legacy") + dropping("legacy") + withoutNft, false},
		"nftables without flock":         {withoutFlock, false},
		"iptables-nft without flock":     {clean("nft") + dropping("nft") + withoutNft + withoutFlock, true},
		"iptables-legacy without flock":  {clean("legacy") + dropping("legacy") + withoutNft + withoutFlock, false},
		"nftables, the lock not to have": {"mkdir /run/btplan.lock", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			nat.Gateway.Sh(test.script)
			for round := range 6 {
				if round%2 == 0 && !test.refused {
					openInside(t, nat.Gateway, "home", "wan0").make(t)
				}
				before := dump(nat.Gateway)
				after, racers, errs := race(t, nat, 6000+10*round)
				for _, c := range []plan.Change{{Action: plan.Create, After: &after[0]}, {Action: plan.Delete, Before: &after[0]}} {
					if why := racers[0].Refuse([]plan.Change{c}); (why != nil) != test.refused || why != nil && !strings.Contains(why.Detail, "Install flock") {
						t.Errorf("to %s: got %v, want it refused beforehand: %t", c.Action, why, test.refused)
					}
				}
				if test.refused {
					for _, err := range errs {
						if !errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), "install flock") {
							t.Errorf("got %v, want a word about flock", err)
						}
					}
					sameDump(t, nat.Gateway, before)
					return
				}
				won := 0
				if errs[0] != nil {
					won = 1
				}
				if errs[won] != nil || !errors.Is(errs[1-won], providers.ErrConflict) {
					t.Fatalf("round %d: %v", round, errs)
				}
				if left := racers[won].plan(t, after[won]).Pending(); len(left) > 0 {
					t.Fatalf("round %d: not what the winner wanted: %+v", round, left)
				}
			}
		})
	}
}

// race has two of btplan apply at once what they planned before, each another
// port from this one on.
func race(t *testing.T, nat *lab.NAT, port int) (after [2]plan.Rule, racers [2]inside, errs [2]error) {
	t.Helper()
	var changes [2][]plan.Change
	for i := range racers {
		racers[i] = openInside(t, nat.Gateway, "home", "wan0")
		after[i] = forward(t, plan.TCP, fmt.Sprint(port+i), lab.SeedboxLAN+":6881")
		changes[i] = racers[i].plan(t, after[i]).Pending()[0].Changes
	}
	var wait sync.WaitGroup
	for i, g := range racers {
		wait.Go(func() { errs[i] = g.Apply(context.Background(), changes[i], func(plan.Change, error) {}) })
	}
	wait.Wait()
	return after, racers, errs
}

// slowTools puts a script in place of the programs that change rules. It does
// what they do, but the last of as many changes as there are directories
// /run/block.N takes a minute, and begins with the directory /run/blocked.
const slowTools = `mkdir /run/real
cp /usr/sbin/nft /usr/sbin/xtables-nft-multi /usr/sbin/xtables-legacy-multi /run/real/
for link in /usr/sbin/ip*tables*; do
	if [ -L $link ]; then ln -s "$(basename $(readlink -f $link))" /run/real/${link##*/}; fi
done
cat >/run/slow <<'END'
#!/bin/sh
name=${0##*/}
case "$name $*" in
"nft -f -" | *-restore\ *)
	if ! rmdir /run/block.2 2>/dev/null && rmdir /run/block.1 2>/dev/null; then
		mkdir /run/blocked
		exec sleep 60
	fi
	;;
esac
exec /run/real/$name "$@"
END
chmod 755 /run/slow
`

// killHolders kills all that has the lock.
const killHolders = `pids=
for fd in /proc/[0-9]*/fd/9; do
	if [ "$(readlink $fd)" = /run/btplan.lock ]; then
		pid=${fd#/proc/}
		pids="$pids ${pid%%/*}"
	fi
done
kill -9 $pids 2>/dev/null || true # one may just have ended by itself
`

// The lock goes with who has it, in the middle of a change that is whole or
// half: the next one is made at once, and is not undone in the name of the first.
func TestLabLockHolderKilled(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy", "flock")
	for name, script := range map[string]string{
		"nftables":           slowTools + "mount --bind /run/slow /usr/sbin/nft; mkdir /run/block.1",
		"iptables-nft":       clean("nft") + dropping("nft") + slowTools + withoutNft + "mount --bind /run/slow /usr/sbin/xtables-nft-multi; mkdir /run/block.1",
		"iptables-nft, half": clean("nft") + dropping("nft") + slowTools + withoutNft + "mount --bind /run/slow /usr/sbin/xtables-nft-multi; mkdir /run/block.1 /run/block.2",
		"iptables-legacy, half": clean("legacy") + dropping("legacy") + slowTools + withoutNft +
			"mount --bind /run/slow /usr/sbin/xtables-legacy-multi; mkdir /run/block.1 /run/block.2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			nat.Seedbox.Listen("tcp", 6882)
			nat.Gateway.Sh(script)
			first, second := openInside(t, nat.Gateway, "home", "wan0"), openInside(t, nat.Gateway, "home", "wan0")
			first.device.RevertAfter = 5 * time.Second
			blocked, ended := nat.Gateway.SawFile("/run/blocked"), make(chan error)
			changes := first.plan(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881")).Pending()[0].Changes
			go func() { ended <- first.Apply(context.Background(), changes, func(plan.Change, error) {}) }()
			select {
			case <-blocked:
			case err := <-ended:
				t.Fatalf("the change ended before its middle: %v", err)
			}
			nat.Gateway.Sh(killHolders)
			start := time.Now()
			rule := forward(t, plan.TCP, "6882", lab.SeedboxLAN+":6882")
			second.make(t, rule)
			t.Logf("the next apply took %s", time.Since(start))
			if err := <-ended; err == nil {
				t.Error("a change that was killed has succeeded")
			}
			awaitNobody(t, nat.Gateway)
			if left := second.plan(t, rule).Pending(); len(left) > 0 {
				t.Errorf("when the first change was to be taken back, something changed: %+v", left)
			}
			passes(t, nat.Client, "tcp", 6882, "seedbox tcp 6882 from "+lab.ClientWAN)
		})
	}
}

// awaitNobody waits until nobody on the gateway waits to take a change back.
func awaitNobody(t *testing.T, gateway *lab.Host) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(lab.Patient); ; <-tick.C {
		left := waiting(gateway) + gateway.Sh("ls /run/btplan 2>/dev/null || true")
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left on the gateway: %s", left)
		}
	}
}

// waiting lists the processes of a host that wait for time to pass.
func waiting(h *lab.Host) string {
	return h.Sh(`grep -l '[s]leep' /proc/[0-9]*/cmdline || true`)
}

// heldLock has somebody else in the middle of a change of the gateway until free
// is called. The channel is closed when the lock has been asked for in vain.
func heldLock(t *testing.T, gateway *lab.Host) (refused <-chan struct{}, free func()) {
	t.Helper()
	gateway.Sh(`mkdir -p /run/real ` + script.ChangesDir + `
cp /usr/bin/flock /run/real/
printf '#!/bin/sh\n/run/real/flock "$@" || { true >/run/refused; exit 1; }\n' >/run/asked
chmod 755 /run/asked
mount --bind /run/asked /usr/bin/flock`)
	holder := gateway.Start("sh", "-c", script.Lock+"echo taken; exec sleep 60")
	holder.Await("taken")
	return gateway.SawFile("/run/refused"), holder.Stop
}

// holders counts the processes of a host that have the lock's file open.
func holders(h *lab.Host) string {
	return h.Sh(`for fd in /proc/[0-9]*/fd/9; do readlink $fd; done | grep -c '^/run/btplan.lock$'`)
}

// A change or a reading for which the lock can't be had in time is not made at
// all, and not later either: nobody waits for it on the gateway.
func TestLabLockBusy(t *testing.T) {
	lab.Need(t, "flock")
	nat := lab.NewNAT(t)
	before := nat.Gateway.RuleSet()
	g := openInside(t, nat.Gateway, "home", "wan0")
	rule := forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881")
	changes := g.plan(t, rule).Pending()[0].Changes
	_, free := heldLock(t, nat.Gateway)
	for _, test := range []struct {
		timeout time.Duration
		says    string
	}{
		{0, "in the middle of a change of this gateway, and btplan was not to wait for that to end, so nothing was done"},
		{time.Second, "in the middle of a change of this gateway, and did not come to an end in the 1s that btplan waited, so nothing was done"},
	} {
		g.device.LockWait = providers.NewLockWait(&test.timeout)
		_, readErr := g.Read(t.Context())
		changeErr := g.Apply(t.Context(), changes, func(plan.Change, error) {})
		for what, err := range map[string]error{"reading": readErr, "changing": changeErr} {
			if !errors.Is(err, providers.ErrLocked) || errors.Is(err, providers.ErrConflict) ||
				!strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "on the gateway, fuser /run/btplan.lock tells") {
				t.Errorf("%s, with a timeout of %s: got %v", what, test.timeout, err)
			}
		}
		if n := strings.TrimSpace(holders(nat.Gateway)); n != "1" {
			t.Errorf("%s processes have the lock's file open, want 1", n)
		}
	}
	free()
	if left := waiting(nat.Gateway); left != "" {
		t.Errorf("still there: %s", left)
	}
	if after := nat.Gateway.RuleSet(); after != before {
		t.Errorf("the gateway has\n%s\nand had\n%s", after, before)
	}
	g.device.LockWait = nil
	g.make(t, rule)
}

// A change that waits for the lock is made when the lock is free, however long
// that takes in comparison with revert_after, or not at all once it is given up.
func TestLabLockWait(t *testing.T) {
	lab.Need(t, "flock")
	for name, givesUp := range map[string]bool{"long enough": false, "given up": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			before := nat.Gateway.RuleSet()
			g := openInside(t, nat.Gateway, "home", "wan0")
			rule := forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881")
			changes := g.plan(t, rule).Pending()[0].Changes
			g.device.LockWait = providers.NewLockWait(new(time.Hour))
			refused, free := heldLock(t, nat.Gateway)
			ended := make(chan error)
			go func() { ended <- g.Apply(context.Background(), changes, func(plan.Change, error) {}) }()
			select {
			case <-refused:
			case err := <-ended:
				t.Fatalf("it did not wait: %v", err)
			}
			if givesUp {
				g.device.LockWait.GiveUp()
				if err := <-ended; !errors.Is(err, providers.ErrLocked) || !strings.Contains(err.Error(), "interrupted") {
					t.Errorf("got %v", err)
				}
				free()
				if after := nat.Gateway.RuleSet(); after != before {
					t.Errorf("the gateway has\n%s\nand had\n%s", after, before)
				}
				return
			}
			free()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if left := g.plan(t, rule).Pending(); len(left) > 0 {
				t.Errorf("still to do: %+v", left)
			}
		})
	}
}

// Who waits to take a change back waits no longer than until it is known what
// becomes of the change.
func TestLabNobodyWaits(t *testing.T) {
	nat := lab.NewNAT(t)
	g := openInside(t, nat.Gateway, "home", "wan0")
	g.device.RevertAfter = time.Hour
	g.make(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"))
	if left := waiting(nat.Gateway); left != "" {
		t.Errorf("after a change that was claimed: %s", left)
	}
	changes := g.plan(t).Pending()[0].Changes
	nat.Gateway.Sh(`cp /usr/sbin/nft /run/real
printf '#!/bin/sh\n[ "$*" != "-f -" ] || exit 1\nexec /run/real "$@"\n' >/run/fails
chmod 755 /run/fails
mount --bind /run/fails /usr/sbin/nft`)
	if err := g.Apply(context.Background(), changes, func(plan.Change, error) {}); err == nil {
		t.Error("a change that can't be made was made")
	}
	if left := waiting(nat.Gateway) + nat.Gateway.Sh("ls /run/btplan 2>/dev/null || true"); left != "" {
		t.Errorf("after a change that failed: %s", left)
	}
}
