package hostfw

import (
	"errors"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// What keeps packets out in spite of our rules is told before these are made.
func TestLabPacketFilterForeseen(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	p := newPair(t)
	p.machine.Sh(iptablesDrop("legacy") + "nft 'add table inet first; add chain inet first input { type filter hook input priority -200; policy drop; }; add rule inet first input meta l4proto { icmp, ipv6-icmp } accept'")
	p.machine.Listen("tcp", 6881)
	want := owned{bt: {allow(t, plan.TCP, "6881")}}
	viaIptables, viaNft := openInside(t, p.machine, iptablesKind, "home"), openInside(t, p.machine, nftablesKind, "home")
	if got := viaIptables.warned(t, want); !strings.HasPrefix(got, "warning: A chain of nftables comes too early. The chain input of table inet first") || strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
	if got := viaNft.warned(t, want); got != "" {
		t.Errorf("got %q", got)
	}
	viaNft.makeAll(t, want)
	p.passes(t, "tcp", 6881, true)
	viaNft.destroy(t)

	// Who is banned early is not let in by our rules, but all others are.
	p.machine.Sh("iptables-legacy -t raw -A PREROUTING -s 203.0.113.9 -j DROP")
	if got := viaNft.warned(t, want); got != "" {
		t.Errorf("got %q", got)
	}
	p.machine.Sh("iptables-legacy -t raw -A PREROUTING -p tcp --dport 6000:7000 -j DROP")
	if got := viaNft.warned(t, want); !strings.HasPrefix(got, "warning: TCP ports are dropped early") {
		t.Errorf("got %q", got)
	}
}

// Without the lock two changes at once of iptables-nft would mix.
func TestLabWithoutFlock(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "ip6tables-nft", "flock")
	p := newPair(t)
	p.machine.Sh(iptablesDrop("nft") + withoutNft + "mount --bind /dev/null /usr/bin/flock")
	before := filterDump(p.machine)
	d := openInside(t, p.machine, autoKind, "home")
	want := owned{bt: {allow(t, plan.TCP, "6881")}}
	if got := d.warned(t, want); !strings.HasPrefix(got, "refused: There is no flock on the machine. Without a lock two changes at once of iptables would mix.") {
		t.Errorf("got %q", got)
	}
	// Nor is it made if flock has gone since the plan.
	err := d.Apply(t.Context(), d.plan(t, want).Pending()[0].Changes, func(plan.Change, error) {})
	if !errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), "install flock") {
		t.Errorf("got %v", err)
	}
	if after := filterDump(p.machine); after != before {
		t.Errorf("the machine has\n%s\nand had\n%s", after, before)
	}
}
