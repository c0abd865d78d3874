//go:build linux

package lab

import (
	"testing"
)

// The addresses of [NAT]: those of RFC 5737 and RFC 3849 for the Internet, and
// private ones for the home.
const (
	ClientWAN   = "198.51.100.2"
	StrangerWAN = "198.51.100.3"
	GatewayWAN  = "198.51.100.1"
	GatewayLAN  = "192.168.77.1"
	ControlLAN  = "192.168.77.5"
	SeedboxLAN  = "192.168.77.11"
	DesktopLAN  = "192.168.77.12"

	ClientWAN6   = "2001:db8:100::2"
	StrangerWAN6 = "2001:db8:100::3"
	GatewayWAN6  = "2001:db8:100::1"
	GatewayLAN6  = "fd77::1"
	ControlLAN6  = "fd77::5"
	SeedboxLAN6  = "fd77::11"
	DesktopLAN6  = "fd77::12"
)

// NAT is a home network behind a Linux gateway that lets nothing in, and two
// hosts outside. The gateway's interfaces are wan0 and lan0, all others eth0.
type NAT struct {
	*Lab
	Client, Stranger *Host // on the Internet
	Gateway          *Host // with sshd on port 22 and a packet filter in /etc/nftables.conf
	Seedbox, Desktop *Host // behind it
	Control          *Host // behind it; its root may log in to the gateway as root
}

// ownRules is the gateway's /etc/nftables.conf, in the manner of Debian's.
const ownRules = `#!/usr/sbin/nft -f
flush ruleset

table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iifname { "lo", "lan0" } accept
		meta l4proto { icmp, ipv6-icmp } accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname "lan0" oifname "wan0" accept
	}
}

table ip nat {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "wan0" masquerade
	}
}
`

// NewNAT builds the network, with the gateway's own rules in force.
func NewNAT(t testing.TB) *NAT {
	t.Helper()
	Need(t, "ip", "nft", "sshd")
	l := New(t)
	hosts := l.Hosts("client", "stranger", "gateway", "seedbox", "desktop", "control")
	n := &NAT{Lab: l, Client: hosts[0], Stranger: hosts[1], Gateway: hosts[2],
		Seedbox: hosts[3], Desktop: hosts[4], Control: hosts[5]}

	wan, lan := l.Network("wan"), l.Network("lan")
	wan.Plug(n.Gateway, "wan0", GatewayWAN+"/24", GatewayWAN6+"/64")
	lan.Plug(n.Gateway, "lan0", GatewayLAN+"/24", GatewayLAN6+"/64")
	for h, addrs := range map[*Host][2]string{
		n.Client:   {ClientWAN, ClientWAN6},
		n.Stranger: {StrangerWAN, StrangerWAN6},
	} {
		wan.Plug(h, "eth0", addrs[0]+"/24", addrs[1]+"/64")
		// The home's IPv6 addresses are routed to it; there is no NAT.
		h.Route("fd77::/64", GatewayWAN6)
	}
	for h, addrs := range map[*Host][2]string{
		n.Seedbox: {SeedboxLAN, SeedboxLAN6},
		n.Desktop: {DesktopLAN, DesktopLAN6},
		n.Control: {ControlLAN, ControlLAN6},
	} {
		lan.Plug(h, "eth0", addrs[0]+"/24", addrs[1]+"/64")
		h.Route("default", GatewayLAN)
		h.Route("default", GatewayLAN6)
	}

	n.Gateway.Sysctl("net.ipv4.ip_forward", "1")
	n.Gateway.Sysctl("net.ipv6.conf.all.forwarding", "1")
	n.Gateway.WriteFile("/etc/nftables.conf", ownRules, 0o755)
	n.Boot()
	n.Gateway.ServeSSH()
	n.Gateway.LetIn(n.Control, GatewayLAN, GatewayLAN6)
	return n
}

// Boot makes the gateway load its own rules in place of all that it has, as
// `systemctl restart nftables` does on Debian.
func (n *NAT) Boot() {
	n.t.Helper()
	n.Gateway.Run("nft", "-f", "/etc/nftables.conf")
}
