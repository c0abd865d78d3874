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

// Network makes a network. The name is that of a bridge, at most 15 letters.
func (l *Lab) Network(name string) *Network {
	l.t.Helper()
	// Without snooping, multicast reaches everyone, as on a cheap switch. No
	// packet filter sees the frames: the namespace of the bridges has no rules.
	l.ip("link add %s type bridge mcast_snooping 0\nlink set %s up\n", name, name)
	return &Network{lab: l, name: name}
}

// Plug gives the host a network interface on n, with addresses such as
// 192.168.77.5/24. It is up and can be used at once.
func (n *Network) Plug(h *Host, iface string, addrs ...string) {
	t := n.lab.t
	t.Helper()
	var lines strings.Builder
	for _, addr := range addrs {
		if _, err := netip.ParsePrefix(addr); err != nil {
			t.Fatalf("lab: plug in %s of %s: %v", iface, h.Name, err)
		}
		fmt.Fprintf(&lines, "ip addr add %s dev %s\n", addr, iface)
	}
	n.lab.mu.Lock()
	n.lab.ports++
	port := fmt.Sprintf("port%d", n.lab.ports)
	n.lab.mu.Unlock()
	// The far end is up first, or the kernel may take a second to notice
	// that the cable is in.
	n.lab.ip("link add %s netns %d type veth peer name %s\nlink set %s master %s up\n",
		iface, h.holder.Process.Pid, port, port, n.name)
	h.Sh(fmt.Sprintf("ip link set %s up\n%s", iface, &lines))
}
