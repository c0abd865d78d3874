package linuxgw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
)

// forgetFlows spells the commands that make the kernel forget the UDP flows
// that these changes concern. A flow that it has seen already goes on as it
// began, past a forward that is new and by one that is gone, for as long as
// packets keep coming. TCP needs nothing of the kind: a peer connects again.
//
// To be forgotten a flow must have come for an address of the gateway: peers
// outside may have the same ports, and are none of our business.
func forgetFlows(changes []plan.Change) string {
	var ports []plan.PortRange
	for _, c := range changes {
		for _, r := range []*plan.Rule{c.Before, c.After} {
			if c.Action != plan.NoOp && r != nil && r.Protocol == plan.UDP {
				ports = append(ports, r.Ports)
			}
		}
	}
	if len(ports) == 0 {
		return ""
	}
	slices.SortFunc(ports, func(a, b plan.PortRange) int { return int(a.First) - int(b.First) })
	var conditions []string
	for _, p := range slices.Compact(ports) {
		conditions = append(conditions, fmt.Sprintf("port >= %d && port <= %d", p.First, p.Last))
	}
	return fmt.Sprintf(`if command -v conntrack >/dev/null; then
	here=$(ip -o -4 addr show | awk '{ sub("/.*", "", $4); print $4 }')
	conntrack -L -p udp -f ipv4 2>/dev/null | awk -v here="$here" '
		BEGIN { n = split(here, a); for (i = 1; i <= n; i++) ours[a[i]] = 1 }
		{
			dst = ""
			for (i = 1; i <= NF && $i !~ /^dport=/; i++) if ($i ~ /^dst=/) dst = substr($i, 5)
			port = substr($i, 7) + 0
			if ((dst in ours) && (%s)) flows[dst " " port] = 1
		}
		END { for (f in flows) print f }' |
	while read -r dst port; do
		conntrack -D -p udp --orig-dst "$dst" --orig-port-dst "$port" </dev/null >/dev/null 2>&1
	done
fi
`, strings.Join(conditions, " || "))
}
