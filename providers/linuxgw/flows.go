package linuxgw

import (
	"cmp"
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
// To be forgotten a flow must have come for an address of the gateway, or over
// IPv6 for one of the machines: peers outside may have the same ports, and are
// none of our business.
func forgetFlows(changes []plan.Change) string {
	ports := map[bool][]plan.PortRange{} // by whether it is IPv6
	var machines []string
	for _, c := range changes {
		for _, r := range []*plan.Rule{c.Before, c.After} {
			if c.Action == plan.NoOp || r == nil || r.Protocol != plan.UDP {
				continue
			}
			six := r.To.Addr().Is6()
			ports[six] = append(ports[six], r.Ports)
			if six {
				machines = append(machines, r.To.Addr().String())
			}
		}
	}
	if len(ports) == 0 {
		return ""
	}
	slices.Sort(machines)
	var b strings.Builder
	b.WriteString(`forget() { # FAMILY ADDRESSES PORTS
	conntrack -L -p udp -f "$1" 2>/dev/null | awk -v here="$2" -v ranges="$3" '
		BEGIN {
			n = split(here, a)
			for (i = 1; i <= n; i++) ours[a[i]] = 1
			n = split(ranges, r)
		}
		{
			dst = ""
			for (i = 1; i <= NF && $i !~ /^dport=/; i++) if ($i ~ /^dst=/) dst = substr($i, 5)
			if (!(dst in ours)) next
			port = substr($i, 7) + 0
			for (i = 1; i <= n; i++) {
				split(r[i], ends, "-")
				if (port >= ends[1] + 0 && port <= ends[2] + 0) flows[dst " " port] = 1
			}
		}
		END { for (f in flows) print f }' |
	while read -r dst port; do
		conntrack -D -p udp -f "$1" --orig-dst "$dst" --orig-port-dst "$port" </dev/null >/dev/null 2>&1
	done
}
if command -v conntrack >/dev/null; then
`)
	if p := ports[false]; p != nil {
		fmt.Fprintf(&b, "\tforget ipv4 \"$(ip -o -4 addr show | awk '{ sub(\"/.*\", \"\", $4); print $4 }')\" '%s'\n", spellRanges(p))
	}
	if p := ports[true]; p != nil {
		fmt.Fprintf(&b, "\tforget ipv6 '%s' '%s'\n", strings.Join(slices.Compact(machines), " "), spellRanges(p))
	}
	b.WriteString("fi\n")
	return b.String()
}

// spellRanges spells each range with both of its ends.
func spellRanges(ranges []plan.PortRange) string {
	slices.SortFunc(ranges, func(a, b plan.PortRange) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	var out []string
	for _, p := range slices.Compact(ranges) {
		out = append(out, fmt.Sprintf("%d-%d", p.First, p.Last))
	}
	return strings.Join(out, " ")
}
