package hostfw

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
	machineAddr  = "192.0.2.11"
	machineAddr6 = "2001:db8::11"
	otherAddr    = "192.0.2.2"
	otherAddr6   = "2001:db8::2"
)

// pair is two hosts of the lab on one network.
type pair struct{ machine, other *lab.Host }

func newPair(t *testing.T) pair {
	t.Helper()
	l := lab.New(t)
	hosts := l.Hosts("machine", "other")
	lan := l.Network("lan")
	lan.Plug(hosts[0], "eth0", machineAddr+"/24", machineAddr6+"/64")
	lan.Plug(hosts[1], "eth0", otherAddr+"/24", otherAddr6+"/64")
	return pair{hosts[0], hosts[1]}
}

// passes says whether a packet gets from the other host to a port of the
// machine, over IPv4 and IPv6.
func (p pair) passes(t *testing.T, protocol string, port int, want bool) {
	t.Helper()
	wait := lab.Brief
	if want {
		wait = lab.Patient
	}
	addrs := []string{machineAddr, machineAddr6}
	errs := make([]error, len(addrs))
	var probes sync.WaitGroup
	for i, addr := range addrs {
		to := netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port))
		probes.Go(func() { _, errs[i] = p.other.Probe(protocol, to.String(), wait) })
	}
	probes.Wait()
	for i, err := range errs {
		if (err == nil) != want {
			t.Errorf("%s to port %d of %s: got %v, want it to pass: %v", protocol, port, addrs[i], err, want)
		}
	}
}

// newShell gives a pair of which the machine, whose root has the given login
// shell, lets the other in by SSH.
func newShell(t *testing.T, shell string) pair {
	t.Helper()
	lab.Need(t, "sshd")
	p := newPair(t)
	p.machine.Run("sed", "-i", `s|^\(root:.*:\)[^:]*$|\1`+shell+"|", "/etc/passwd")
	p.machine.ServeSSH()
	p.machine.LetIn(p.other, machineAddr)
	return p
}

// login is a way to the machine from the other host, over SSH.
func (p pair) login(t *testing.T) *remote.Runner {
	t.Helper()
	runner := remote.Open(remote.Target{
		Host: machineAddr, User: "root", Direct: true,
		IdentityFile: "/root/.ssh/id_ed25519", KnownHostsFile: "/root/.ssh/known_hosts",
	})
	t.Cleanup(func() { _ = runner.Close() })
	return runner
}

// awaitDump waits until the machine has these rules again.
func (p pair) awaitDump(t *testing.T, dump func(*lab.Host) string, want string) {
	t.Helper()
	const limit = 30 * time.Second
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for got := dump(p.machine); got != want; got = dump(p.machine) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s the machine has\n%s\nand had\n%s", limit, got, want)
		}
		<-tick.C
	}
}

// getsOut says whether a packet gets from the machine to a port of the other
// host, over IPv4 and IPv6.
func (p pair) getsOut(t *testing.T, protocol, port string, want bool) {
	t.Helper()
	wait := lab.Brief
	if want {
		wait = lab.Patient
	}
	for _, addr := range []string{otherAddr, "[" + otherAddr6 + "]"} {
		if _, err := p.machine.Probe(protocol, addr+":"+port, wait); (err == nil) != want {
			t.Errorf("%s to %s:%s: got %v, want it to pass: %t", protocol, addr, port, err, want)
		}
	}
}
