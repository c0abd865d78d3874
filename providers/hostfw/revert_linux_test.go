package hostfw

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// tellingLegacy has the programs of iptables-legacy make a file when they have
// restored IPv6's rules, which nothing of the kernel's tells of.
const tellingLegacy = `mkdir /run/real
cp /usr/sbin/xtables-legacy-multi /run/real
cat >/run/telling <<'END'
#!/bin/sh
/run/real/xtables-legacy-multi "${0##*/}" "$@" || exit
case $0 in *ip6tables-*restore) echo >/run/changed ;; esac
END
chmod 755 /run/telling
mount --bind /run/telling /usr/sbin/xtables-legacy-multi
`

// A change that cuts btplan off is taken back by the machine itself.
func TestLabRevert(t *testing.T) {
	rules := func(name string) func(*lab.Host) <-chan struct{} {
		return func(h *lab.Host) <-chan struct{} { return h.SawRules(name) }
	}
	file := func(h *lab.Host) <-chan struct{} { return h.SawFile("/run/changed") }
	runs := func(script string) func(*lab.Host) { return func(h *lab.Host) { h.Sh(script) } }
	for name, test := range map[string]struct {
		typ      string
		firewall func(*lab.Host)
		changed  func(*lab.Host) <-chan struct{} // tells of a change
		dump     func(*lab.Host) string
	}{
		"nftables":        {"nftables", runs(nftDrop), rules("btplanhost_home"), filterDump},
		"iptables-nft":    {"iptables", runs(iptablesDrop("nft")), rules("BTPLANHOST-IN-home"), filterDump},
		"iptables-legacy": {"iptables", runs(iptablesDrop("legacy") + tellingLegacy), file, filterDump},
		"ufw":             {"ufw", (*lab.Host).ServeUFW, rules("ufw-user-input"), hosttest.UFWDump},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy", "ufw")
			const revertAfter = 5 * time.Second
			p := hosttest.NewPair(t)
			test.firewall(p.Machine)
			d := p.OpenOver(t, kindNamed(test.typ), revertAfter)
			before := test.dump(p.Machine)
			changes := d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}).Pending()[0].Changes
			changed := test.changed(p.Machine)
			result := make(chan error, 1)
			go func() { result <- d.Apply(context.Background(), changes, func(plan.Change, error) {}) }()
			<-changed
			p.Other.Cut()
			if err := <-result; !errors.Is(err, providers.ErrRolledBack) {
				t.Errorf("got %v, want it rolled back", err)
			}
			p.AwaitDump(t, test.dump, before)
			p.Other.Mend()
			d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
			d.Make(t)
		})
	}
}
