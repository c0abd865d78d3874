package hosttest

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/remote"
)

// The machine with the firewall, and another one.
const (
	MachineAddr  = "192.0.2.11"
	machineAddr6 = "2001:db8::11"
	OtherAddr    = "192.0.2.2"
	OtherAddr6   = "2001:db8::2"
)

// Pair is two hosts of the lab on one network.
type Pair struct{ Machine, Other *lab.Host }

// NewPair gives two hosts of a new lab on one network, without any firewall.
func NewPair(t *testing.T) Pair {
	t.Helper()
	l := lab.New(t)
	hosts := l.Hosts("machine", "other")
	lan := l.Network("lan")
	lan.Plug(hosts[0], "eth0", MachineAddr+"/24", machineAddr6+"/64")
	lan.Plug(hosts[1], "eth0", OtherAddr+"/24", OtherAddr6+"/64")
	return Pair{hosts[0], hosts[1]}
}

// Passes says whether a packet gets from the other host to a port of the
// machine, over IPv4 and IPv6.
func (p Pair) Passes(t *testing.T, protocol string, port int, want bool) {
	t.Helper()
	wait := lab.Brief
	if want {
		wait = lab.Patient
	}
	addrs := []string{MachineAddr, machineAddr6}
	errs := make([]error, len(addrs))
	var probes sync.WaitGroup
	for i, addr := range addrs {
		to := netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port))
		probes.Go(func() { _, errs[i] = p.Other.Probe(protocol, to.String(), wait) })
	}
	probes.Wait()
	for i, err := range errs {
		if (err == nil) != want {
			t.Errorf("%s to port %d of %s: got %v, want it to pass: %v", protocol, port, addrs[i], err, want)
		}
	}
}

// NewShell gives a pair of which the machine, whose root has the given login
// shell, lets the other in by SSH.
func NewShell(t *testing.T, shell string) Pair {
	t.Helper()
	lab.Need(t, "sshd")
	p := NewPair(t)
	p.Machine.Run("sed", "-i", `s|^\(root:.*:\)[^:]*$|\1`+shell+"|", "/etc/passwd")
	p.Machine.ServeSSH()
	p.Machine.LetIn(p.Other, MachineAddr)
	return p
}

// Login is a way to the machine from the other host, over SSH.
func (p Pair) Login(t *testing.T) *remote.Runner {
	t.Helper()
	runner := remote.Open(remote.Target{
		Host: MachineAddr, User: "root", Direct: true,
		IdentityFile: "/root/.ssh/id_ed25519", KnownHostsFile: "/root/.ssh/known_hosts",
	})
	t.Cleanup(func() { _ = runner.Close() })
	return runner
}

// AwaitDump waits until the machine has these rules again.
func (p Pair) AwaitDump(t *testing.T, dump func(*lab.Host) string, want string) {
	t.Helper()
	const limit = 30 * time.Second
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for got := dump(p.Machine); got != want; got = dump(p.Machine) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s the machine has\n%s\nand had\n%s", limit, got, want)
		}
		<-tick.C
	}
}

// GetsOut says whether a packet gets from the machine to a port of the other
// host, over IPv4 and IPv6.
func (p Pair) GetsOut(t *testing.T, protocol, port string, want bool) {
	t.Helper()
	wait := lab.Brief
	if want {
		wait = lab.Patient
	}
	for _, addr := range []string{OtherAddr, "[" + OtherAddr6 + "]"} {
		if _, err := p.Machine.Probe(protocol, addr+":"+port, wait); (err == nil) != want {
			t.Errorf("%s to %s:%s: got %v, want it to pass: %t", protocol, addr, port, err, want)
		}
	}
}
