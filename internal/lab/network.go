//go:build linux

package lab

import (
	"fmt"
	"net/netip"
	"strings"
)

// Network is one Ethernet that hosts are plugged into.
type Network struct {
	lab  *Lab
	name string
}

// cable joins a host's network interface and a port of a network's bridge.
type cable struct {
	network *Network
	port    string
}

// Network makes a network. The name is that of a bridge, at most 15 letters.
func (l *Lab) Network(name string) *Network {
	l.t.Helper()
	// Without snooping, multicast reaches everyone, as on a cheap switch. No
	// packet filter sees the frames: the namespace of the bridges has no rules.
	if err := l.ip("link add %s type bridge mcast_snooping 0\nlink set %s up\n", name, name); err != nil {
		l.t.Fatalf("lab: %v", err)
	}
	return &Network{lab: l, name: name}
}

// Plug gives the host a network interface on n, with addresses such as
// 192.168.77.5/24. It is up and can be used at once. It lasts over a restart.
func (n *Network) Plug(h *Host, iface string, addrs ...string) {
	n.lab.t.Helper()
	if err := n.plug(h, iface, addrs...); err != nil {
		n.lab.t.Fatalf("lab: %v", err)
	}
}

func (n *Network) plug(h *Host, iface string, addrs ...string) error {
	var lines strings.Builder
	fmt.Fprintf(&lines, "ip link set %s up\n", iface)
	for _, addr := range addrs {
		if _, err := netip.ParsePrefix(addr); err != nil {
			return fmt.Errorf("plug in %s of %s: %w", iface, h.Name, err)
		}
		fmt.Fprintf(&lines, "ip addr add %s dev %s\n", addr, iface)
	}
	n.lab.mu.Lock()
	n.lab.ports++
	number := n.lab.ports
	n.lab.mu.Unlock()
	port := fmt.Sprintf("port%d", number)
	return h.do(func() error {
		// A computer has the same Ethernet address after a restart, and its
		// neighbours rely on that. The far end is up first, or the kernel may
		// take a second to notice that the cable is in.
		err := n.lab.ip("link add %s address 02:00:00:00:%02x:%02x netns %d type veth peer name %s\nlink set %s master %s up\n",
			iface, number>>8&0xff, number&0xff, h.holder.Process.Pid, port, port, n.name)
		if err != nil {
			return err
		}
		h.mu.Lock()
		h.cables = append(h.cables, &cable{n, port})
		h.mu.Unlock()
		_, err = h.Try("sh", "-euc", lines.String())
		return err
	})
}

// Route sends the host's packets to a prefix, or "default", by a gateway's
// address. It lasts over a restart.
func (h *Host) Route(to, via string) {
	h.lab.t.Helper()
	err := h.do(func() error {
		_, err := h.Try("ip", "route", "replace", to, "via", via)
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("lab: %v", err)
	}
}
