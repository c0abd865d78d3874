package hostfw

import (
	"net/netip"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// A change loses no packet of what it doesn't change, and taking it back loses
// none.
func TestLabNoPacketIsLost(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	for name, row := range map[string]struct {
		firewall, typ string
		rounds        int // so many that a table written as a whole would be noticed
	}{
		"nftables":        {nftDrop + outputDrop, "nftables", 50},
		"iptables-nft":    {iptablesDrop("nft") + withoutNft, "iptables", 15},
		"iptables-legacy": {iptablesDrop("legacy") + withoutNft, "iptables", 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := hosttest.NewPair(t)
			p.Machine.Sh(row.firewall)
			d := hosttest.OpenInside(t, p.Machine, kindNamed(row.typ), "home")
			stays := plan.Rule{Kind: plan.Allow, Protocol: plan.UDP, Ports: plan.PortRange{First: 6881, Last: 6889}}
			d.Make(t, stays)
			more := []plan.Rule{
				stays,
				{Kind: plan.Allow, Protocol: plan.TCP, Ports: plan.PortRange{First: 6881, Last: 6889}},
				// These need sets of their own.
				{Kind: plan.Allow, Protocol: plan.UDP, Ports: plan.PortRange{First: 8000, Last: 8000}, Sources: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}},
				{Kind: plan.Allow, Protocol: plan.UDP, Ports: plan.PortRange{First: 9000, Last: 9000}, Sources: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/48")}},
			}
			const rate = 4000
			flood := p.Other.Flood(hosttest.MachineAddr+":6881", rate, p.Machine, 6881)
			for i := range row.rounds {
				d.BackAndForth(t, host.Owned{hosttest.BT: more[:1+i%len(more)]})
			}
			sent, lost, err := flood.Stop()
			if err != nil || lost != 0 || sent < rate {
				t.Errorf("%d of %d datagrams were lost during %d changes (%v)", lost, sent, row.rounds, err)
			}
		})
	}
}
