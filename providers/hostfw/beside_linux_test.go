package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// What other filters drop beside ufw and firewalld is told by name before
// anything is changed, as long as it is dropped; what these drop themselves is
// not.
func TestLabBeside(t *testing.T) {
	const strict = "nft 'add table inet strict; add chain inet strict input { type filter hook input priority 0; policy drop; }; " +
		"add rule inet strict input meta l4proto { icmp, ipv6-icmp } accept; add rule inet strict input ct state established accept'"
	for name, serve := range map[string]func(*testing.T) hosttest.Pair{"ufw": hosttest.NewUFW, "firewalld": hosttest.NewFirewalld} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, "nft", "iptables-legacy", "iptables-nft")
			p := serve(t)
			p.Machine.Listen("tcp", 6881)
			want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}
			warned := func(names ...string) {
				t.Helper()
				for _, kind := range []string{name, autoName} {
					got := hosttest.OpenInside(t, p.Machine, kindNamed(kind), "home").Warned(t, want)
					if (got == "") != (len(names) == 0) {
						t.Errorf("%s: got %q, want %q", kind, got, names)
					}
					for _, n := range names {
						if !strings.HasPrefix(got, "warning: Another filter drops packets too. ") || !strings.Contains(got, n) || !strings.Contains(got, "btplan opens ports in "+name+" only") {
							t.Errorf("%s: got %q, want %q", kind, got, n)
						}
					}
				}
			}
			warned()
			p.Machine.Sh(strict + "; iptables-legacy -A INPUT -p tcp --dport 6000:7000 -j DROP")
			warned("chain input of table inet strict (policy drop); ", "rule -A INPUT -p tcp -m tcp --dport 6000:7000 -j DROP of chain INPUT of table filter of iptables-legacy")
			p.Machine.Sh("iptables-legacy -F INPUT; nft add rule inet strict input tcp dport 6881-6889 accept")
			warned()
			p.Machine.Sh("nft flush chain inet strict input")

			// When all is made and shut out all the same, each plan says so.
			d := hosttest.OpenInside(t, p.Machine, kindNamed(autoName), "home")
			d.MakeAll(t, want)
			p.Passes(t, "tcp", 6881, false)
			if problems := d.ReadBack().Problems; len(problems) != 1 || problems[0].Summary != "Another filter drops packets too" {
				t.Errorf("got %+v", problems)
			}
			p.Machine.Sh("nft delete table inet strict")
			d.MakeAll(t, want)
			p.Passes(t, "tcp", 6881, true)
			if problems := d.ReadBack().Problems; len(problems) > 0 {
				t.Errorf("got %+v", problems)
			}
			if name == "ufw" {
				return
			}
			d.Destroy(t) // reloads firewalld, which flushes iptables
			p.Machine.Sh("iptables-nft -A INPUT -i lo -j ACCEPT; iptables-nft -A INPUT -j REJECT")
			warned("rule -A INPUT -j REJECT --reject-with icmp-port-unreachable of chain INPUT of table filter of iptables-nft")
		})
	}
}
