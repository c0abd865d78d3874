package linuxgw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/providers"
)

// problems tells of what keeps packets from passing however right the rules
// are.
func problems(g *gateway, f *facts) []providers.Problem {
	var out []providers.Problem
	if !f.forwarding {
		out = append(out, providers.Problem{
			Summary: "IP forwarding is off",
			Detail:  "net.ipv4.ip_forward is 0, so the kernel passes no packet from one interface to another. Turn it on with sysctl -w net.ipv4.ip_forward=1, and for the next boot in a file of /etc/sysctl.d.",
		})
	}
	if g.wan != "" && !slices.Contains(f.interfaces, g.wan) {
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("There is no interface %s", g.wan),
			Detail:  fmt.Sprintf("The rules are for packets that come in on wan_interface, but the gateway has only %s. If %s comes up later, all is well.", strings.Join(f.interfaces, ", "), g.wan),
		})
	}
	if slices.Contains(f.legacyTables, "filter") {
		out = append(out, providers.Problem{
			Summary: "iptables-legacy is in use too",
			Detail:  "Its rules are apart from those of nftables. If they drop forwarded packets (iptables-legacy -S FORWARD shows them), a port that btplan opens in nftables stays closed. Move them to nftables, by iptables-legacy-save | iptables-nft-restore.",
		})
	}
	return append(out, bootProblem(f.boot)...)
}
