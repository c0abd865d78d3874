package hostfw

import (
	"errors"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// A change that turns out not to be right is taken back, and so it is told; one
// that somebody else has changed by then stays, and isn't told to be taken back.
func TestLabTakeBack(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-legacy", "ip6tables-legacy", "ufw", "firewall-cmd")
	for name, test := range map[string]struct {
		firewall func(*testing.T) hosttest.Pair
		dump     func(*lab.Host) string
		theirs   string
	}{
		"nftables":  {pairWith(nftDrop), filterDump, "nft delete table inet btplanhost_home"},
		"iptables":  {pairWith(iptablesDrop("legacy")), filterDump, "iptables-legacy -D INPUT 1; iptables-legacy -F; iptables-legacy -X"},
		"ufw":       {hosttest.NewUFW, hosttest.UFWDump, "ufw allow 6881/tcp"}, // takes our mark off it
		"firewalld": {hosttest.NewFirewalld, hosttest.FirewalldDump, "firewall-cmd --policy=btplan-home --add-port=7777/tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := test.firewall(t)
			d := hosttest.OpenInside(t, p.Machine, kindNamed(name), "home")
			want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}
			before := test.dump(p.Machine)
			err := d.TakenBack(t, want, func() {})
			if !errors.Is(err, providers.ErrRolledBack) || !strings.Contains(err.Error(), "the machine is as it was before") {
				t.Errorf("got %v", err)
			}
			if after := test.dump(p.Machine); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
			err = d.TakenBack(t, want, func() {
				p.Machine.Sh(test.theirs)
				before = test.dump(p.Machine)
			})
			if errors.Is(err, providers.ErrRolledBack) || !strings.Contains(err.Error(), "it is not as it should be. The change was not taken back: its rules are not as it left them") {
				t.Errorf("got %v", err)
			}
			if after := test.dump(p.Machine); after != before {
				t.Errorf("changed by others, and yet taken back:\n%s\nbefore:\n%s", after, before)
			}
			if got := p.Machine.Sh("ls -d /run/btplan/* 2>/dev/null || :"); got != "" {
				t.Errorf("files are left behind: %s", got)
			}
		})
	}
}

// pairWith gives a machine with a firewall that a script sets up.
func pairWith(script string) func(*testing.T) hosttest.Pair {
	return func(t *testing.T) hosttest.Pair {
		t.Helper()
		p := hosttest.NewPair(t)
		p.Machine.Sh(script)
		return p
	}
}
