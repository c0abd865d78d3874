//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sync/errgroup"
)

// Gateways are many Linux gateways on one network, each with sshd, and a host
// whose root may log in to all of them. They have one host key, and forward
// packets from eth0 to a network of their own, 192.168.1.0/24 on lan0, on which
// there is nobody.
type Gateways struct {
	*Lab
	Control *Host
	All     []*Host
	Addrs   []string // of All, in that order
}

// NewGateways builds n gateways, at most 250.
func NewGateways(t testing.TB, n int) *Gateways {
	t.Helper()
	Need(t, "ip", "nft", "sshd")
	if n < 1 || n > 250 {
		t.Fatalf("lab: no network of %d gateways", n)
	}
	g := &Gateways{Lab: New(t)}
	names := []string{"control"}
	for i := range n {
		names = append(names, fmt.Sprintf("gateway%d", i+1))
		g.Addrs = append(g.Addrs, fmt.Sprintf("10.77.0.%d", i+1))
	}
	hosts := g.Hosts(names...)
	g.Control, g.All = hosts[0], hosts[1:]
	net := g.Network("net")
	net.Plug(g.Control, "eth0", "10.77.0.254/24")

	// Keys are as good if they are the same, and making them takes time.
	first := g.All[0]
	first.makeKey(hostKey)
	first.LetIn(g.Control, g.Addrs...)
	keys := map[string]string{}
	for _, path := range []string{hostKey, hostKey + ".pub", authorized} {
		keys[path] = first.ReadFile(path)
	}
	var group errgroup.Group
	group.SetLimit(2 * runtime.NumCPU())
	for i, h := range g.All {
		group.Go(func() error { return net.addGateway(h, g.Addrs[i], keys) })
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("lab: %v", err)
	}
	return g
}

func (n *Network) addGateway(h *Host, addr string, keys map[string]string) error {
	if err := n.plug(h, "eth0", addr+"/24"); err != nil {
		return err
	}
	var errs []error
	for path, key := range keys {
		errs = append(errs, h.write(path, key, os.O_CREATE|os.O_TRUNC, 0o600))
	}
	_, err := h.Try("sh", "-c", "ip link add lan0 type bridge && ip addr add 192.168.1.254/24 dev lan0 && ip link set lan0 up")
	errs = append(errs, err, h.sysctl("net.ipv4.ip_forward", "1"), h.configureSSH())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return h.startOpenSSH()
}
