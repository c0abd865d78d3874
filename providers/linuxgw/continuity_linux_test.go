package linuxgw

import (
	"testing"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
)

// A change loses no packet of what it doesn't change, not even of flows that
// begin at that moment, and taking it back loses none.
func TestLabNoPacketIsLost(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy")
	for name, row := range map[string]struct {
		script string
		rounds int // so many that a table written as a whole would be noticed
	}{
		"nftables":        {"", 50},
		"iptables-nft":    {clean("nft") + dropping("nft") + withoutNft, 15},
		"iptables-legacy": {clean("legacy") + dropping("legacy") + withoutNft, 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			// Whatever has passed is forgotten, so that each datagram is new.
			nat.Gateway.Sh(row.script + "sysctl -w net.netfilter.nf_conntrack_udp_timeout=0 net.netfilter.nf_conntrack_udp_timeout_stream=0")
			g := openInside(t, nat.Gateway, "home", "wan0")
			stays := forward(t, plan.UDP, "6881-6889", lab.SeedboxLAN+":6881")
			g.make(t, stays)
			const rate = 4000
			flood := nat.Client.Flood(lab.GatewayWAN+":6881", rate, nat.Seedbox, 6881)
			for i := range row.rounds {
				// What comes and goes may lead to the same port as what stays,
				// be for one source, or need more of the table than was there.
				more := []plan.Rule{
					stays,
					forward(t, plan.TCP, "7000-7010", lab.SeedboxLAN+":7000"),
					forward(t, plan.UDP, "8000", lab.SeedboxLAN+":6885"),
					forward(t, plan.UDP, "9000", lab.DesktopLAN+":9000", "203.0.113.0/24"),
					forward(t, plan.TCP, "7006", "["+lab.SeedboxLAN6+"]:7006"),
				}
				run(t, g, more[:1+i%len(more)])
			}
			sent, lost, err := flood.Stop()
			if err != nil || lost != 0 || sent < rate {
				t.Errorf("%d of %d datagrams were lost during %d changes (%v)", lost, sent, row.rounds, err)
			}
			t.Logf("%d datagrams during %d changes", sent, row.rounds)
		})
	}
}

// run makes a change to these rules by nothing but its commands, and takes it
// back and makes it again by the same.
func run(t *testing.T, g inside, rules []plan.Rule) {
	t.Helper()
	g.plan(t, rules...)
	base := g.last
	entries := make([]entry, 0, len(rules))
	for _, r := range rules {
		entries = append(entries, entry{r, plan.Mark("home", bt) + ":" + plan.Seal(rules)})
	}
	generation := guarded.NewGeneration()
	change := "change() {\n" + base.change(entries, generation) + "}\nchange || exit\n"
	g.host.Sh("change=$(mktemp -d)\ntrap 'rm -r \"$change\"' EXIT\ncd \"$change\"\n" + base.snapshot() + change +
		"undo() {\n" + base.undo(entries, generation) + "}\nundo || exit\n" + change)
}
