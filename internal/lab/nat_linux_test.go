package lab

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"
)

var protocols = []string{"tcp", "udp"}

// reach probes, and wants this host to answer on this port and to see the
// probe come from this address.
func reach(t *testing.T, from *Host, protocol, to string, host *Host, port uint16, peer string) {
	t.Helper()
	got, err := from.Probe(protocol, to, Patient)
	if err != nil {
		t.Error(err)
		return
	}
	want := Answer{Host: host.Name, Protocol: protocol, Port: port,
		Peer: netip.AddrPortFrom(netip.MustParseAddr(peer), got.Peer.Port())}
	if got != want || got.Peer.Port() == 0 {
		t.Errorf("%s to %s: the answer is %q, want %q", from.Name, to, got, want)
	}
}

// miss probes by both protocols and at once all of these, and wants this error.
func miss(t *testing.T, want error, from *Host, to ...string) {
	t.Helper()
	var wait sync.WaitGroup
	for _, protocol := range protocols {
		for _, to := range to {
			wait.Go(func() {
				if got, err := from.Probe(protocol, to, Brief); !errors.Is(err, want) {
					t.Errorf("%s to %s %s: answer %q, error %v; want %v", from.Name, protocol, to, got, err, want)
				}
			})
		}
	}
	wait.Wait()
}

func TestNAT(t *testing.T) {
	start := time.Now()
	n := NewNAT(t)
	t.Logf("built in %v", time.Since(start))
	for _, h := range []*Host{n.Client, n.Seedbox, n.Desktop} {
		for _, protocol := range protocols {
			h.Listen(protocol, 6881, 6882)
		}
	}
	// With a route to the home, only the gateway's filter is in the way.
	n.Client.Run("ip", "route", "add", "192.168.77.0/24", "via", GatewayWAN)

	t.Run("out", func(t *testing.T) {
		for _, protocol := range protocols {
			reach(t, n.Seedbox, protocol, ClientWAN+":6881", n.Client, 6881, GatewayWAN)
			reach(t, n.Desktop, protocol, "["+ClientWAN6+"]:6882", n.Client, 6882, DesktopLAN6)
			reach(t, n.Desktop, protocol, SeedboxLAN+":6882", n.Seedbox, 6882, DesktopLAN)
		}
	})
	t.Run("in", func(t *testing.T) {
		miss(t, ErrTimeout, n.Client,
			SeedboxLAN+":6881", "["+SeedboxLAN6+"]:6881", GatewayWAN+":6881", GatewayWAN+":22", "["+GatewayWAN6+"]:22")
		miss(t, ErrRefused, n.Desktop, SeedboxLAN+":6883", "["+SeedboxLAN6+"]:6883")
	})
	t.Run("open", func(t *testing.T) {
		before := n.Gateway.RuleSet()
		n.Gateway.Run("nft", `
			add table ip test
			add chain ip test pre { type nat hook prerouting priority dstnat; }
			add rule ip test pre iifname wan0 meta l4proto { tcp, udp } th dport 16881 dnat to `+SeedboxLAN+`:6881
			insert rule inet filter forward ct status dnat accept`)
		for _, protocol := range protocols {
			reach(t, n.Client, protocol, GatewayWAN+":16881", n.Seedbox, 6881, ClientWAN)
			reach(t, n.Stranger, protocol, GatewayWAN+":16881", n.Seedbox, 6881, StrangerWAN)
		}
		miss(t, ErrTimeout, n.Client, GatewayWAN+":16882")
		if n.Gateway.RuleSet() == before {
			t.Error("RuleSet doesn't show the rule")
		}
		n.Boot()
		miss(t, ErrTimeout, n.Client, GatewayWAN+":16881")
		if after := n.Gateway.RuleSet(); after != before {
			t.Errorf("after Boot the rules are\n%s\nand were\n%s", after, before)
		}
	})
}

func TestProbeAll(t *testing.T) {
	n := NewNAT(t)
	listener := n.Seedbox.Listen("tcp", 6881, 6883)
	results := n.Desktop.ProbeAll("tcp", SeedboxLAN, Patient, 6881, 6882, 6883)
	for port, open := range map[uint16]bool{6881: true, 6882: false, 6883: true} {
		result := results[port]
		if open && (result.Err != nil || result.Port != port) || !open && !errors.Is(result.Err, ErrRefused) {
			t.Errorf("port %d: answer %q, error %v", port, result.Answer, result.Err)
		}
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	miss(t, ErrRefused, n.Desktop, SeedboxLAN+":6881")

	start := time.Now()
	for port, result := range n.Client.ProbeAll("udp", GatewayWAN, Brief, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20) {
		if !errors.Is(result.Err, ErrTimeout) {
			t.Errorf("port %d: answer %q, error %v", port, result.Answer, result.Err)
		}
	}
	if took := time.Since(start); took > 10*Brief {
		t.Errorf("20 probes took %v, one after the other", took)
	}
}

func TestSSH(t *testing.T) {
	Need(t, "ssh")
	n := NewNAT(t)
	for _, addr := range []string{GatewayLAN, GatewayLAN6} {
		if got := n.Control.Run("ssh", "-o", "BatchMode=yes", "root@"+addr, "hostname; echo $HOME"); got != "gateway\n/root\n" {
			t.Errorf("by SSH %s says %q", addr, got)
		}
	}
	if out, err := n.Desktop.Try("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "root@"+GatewayLAN, "hostname"); err == nil {
		t.Errorf("a host without a key may log in: %q", out)
	}
	if out, err := n.Control.Try("ssh", "-o", "BatchMode=yes", "root@"+SeedboxLAN, "hostname"); err == nil {
		t.Errorf("a host without sshd lets in: %q", out)
	}
}

// Labs know nothing of each other, though their addresses are the same.
func TestSideBySide(t *testing.T) {
	for range 3 {
		t.Run("lab", func(t *testing.T) {
			t.Parallel()
			n := NewNAT(t)
			n.Client.Listen("tcp", 80)
			reach(t, n.Seedbox, "tcp", ClientWAN+":80", n.Client, 80, GatewayWAN)
		})
	}
}
