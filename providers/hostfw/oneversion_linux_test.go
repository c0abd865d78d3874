package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// What others let out over one IP version alone makes a rule for a tracker
// needless only where nothing is dropped over the other.
func TestLabLetOutOverOneVersion(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-legacy", "ip6tables-legacy")
	const (
		nftOutput = "nft 'add table inet shut; add chain inet shut output { type filter hook output priority 0; policy drop; }'\n"
		allow443  = "-P OUTPUT DROP; $I -A OUTPUT -p tcp --dport 443 -j ACCEPT\n"
	)
	for name, test := range map[string]struct {
		typ, script string
		needless    bool
	}{
		"nftables, both":            {"nftables", nftOutput + "nft add rule inet shut output tcp dport 443 accept", true},
		"nftables, IPv4":            {"nftables", nftOutput + "nft add rule inet shut output meta nfproto ipv4 tcp dport 443 accept", false},
		"nftables, one and another": {"nftables", nftOutput + "nft 'add rule inet shut output meta nfproto ipv6 tcp dport 443 accept; add rule inet shut output meta nfproto ipv4 tcp dport 443 accept'", true},
		"nftables, all of IPv4":     {"nftables", strings.ReplaceAll(nftOutput, "inet", "ip") + "nft add rule ip shut output tcp dport 443 accept", true},
		"iptables, both":            {"iptables", "for I in iptables-legacy ip6tables-legacy; do $I " + allow443 + "done", true},
		"iptables, IPv4":            {"iptables", "I=iptables-legacy; $I " + allow443 + "ip6tables-legacy -P OUTPUT DROP", false},
		"iptables, all of IPv4":     {"iptables", "I=iptables-legacy; $I " + allow443, true},
		"iptables, by a rule":       {"iptables", "I=iptables-legacy; $I " + allow443 + "ip6tables-legacy -A OUTPUT -j REJECT", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := hosttest.NewPair(t)
			p.Machine.Sh(iptablesDrop("legacy") + test.script)
			d := hosttest.OpenInside(t, p.Machine, kindNamed(test.typ), "home")
			left := d.Plan(t, host.Owned{hosttest.Seedbox: {hosttest.Out(t, plan.TCP, "443")}}).Pending()
			if len(left) == 0 != test.needless {
				t.Errorf("to do: %+v", left)
			}
		})
	}
}
