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
	"github.com/btplan/btplan/providers/hostfw/packetfilter"
)

// What keeps packets out in spite of our rules is told before these are made.
func TestLabPacketFilterForeseen(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	p := hosttest.NewPair(t)
	p.Machine.Sh(iptablesDrop("legacy") + "nft 'add table inet first; add chain inet first input { type filter hook input priority -200; policy drop; }; add rule inet first input meta l4proto { icmp, ipv6-icmp } accept'")
	p.Machine.Listen("tcp", 6881)
	want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}
	viaIptables, viaNft := hosttest.OpenInside(t, p.Machine, packetfilter.Iptables, "home"), hosttest.OpenInside(t, p.Machine, packetfilter.Nftables, "home")
	if got := viaIptables.Warned(t, want); !strings.HasPrefix(got, "warning: A chain of nftables comes too early. The chain input of table inet first") || strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
	if got := viaNft.Warned(t, want); got != "" {
		t.Errorf("got %q", got)
	}
	viaNft.MakeAll(t, want)
	p.Passes(t, "tcp", 6881, true)
	viaNft.Destroy(t)

	// Who is banned early is not let in by our rules, but all others are.
	p.Machine.Sh("iptables-legacy -t raw -A PREROUTING -s 203.0.113.9 -j DROP")
	if got := viaNft.Warned(t, want); got != "" {
		t.Errorf("got %q", got)
	}
	p.Machine.Sh("iptables-legacy -t raw -A PREROUTING -p tcp --dport 6000:7000 -j DROP")
	if got := viaNft.Warned(t, want); !strings.HasPrefix(got, "warning: TCP ports are dropped early") {
		t.Errorf("got %q", got)
	}
}

// Without the lock two changes at once of iptables-nft would mix.
func TestLabWithoutFlock(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "ip6tables-nft", "flock")
	p := hosttest.NewPair(t)
	p.Machine.Sh(iptablesDrop("nft") + withoutNft + "mount --bind /dev/null /usr/bin/flock")
	before := filterDump(p.Machine)
	d := hosttest.OpenInside(t, p.Machine, autoKind, "home")
	want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}
	if got := d.Warned(t, want); !strings.HasPrefix(got, "refused: There is no flock on the machine. Without a lock two changes at once of iptables would mix.") {
		t.Errorf("got %q", got)
	}
	// Nor is it made if flock has gone since the plan.
	err := d.Apply(t.Context(), d.Plan(t, want).Pending()[0].Changes, func(plan.Change, error) {})
	if !errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), "install flock") {
		t.Errorf("got %v", err)
	}
	if after := filterDump(p.Machine); after != before {
		t.Errorf("the machine has\n%s\nand had\n%s", after, before)
	}
}
