package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Guard refuses a forward that would take btplan's own way to the gateway
// away: packets to the port of its SSH server would go to a machine.
func (g *gateway) Guard(r plan.Rule) error {
	s := g.last
	if c, is := s.filter.(*chains); is && c.NoIPv6 != "" && r.To.Addr().Is6() {
		return providers.Flag(fmt.Errorf("there can be no forward to %s, an IPv6 address: %s. Or leave address6 out of the machine's block", r.To.Addr(), c.NoIPv6), providers.ErrUnsupported)
	}
	at := s.login.Server
	if !at.IsValid() || r.Protocol != plan.TCP || !r.To.Addr().Is4() || !at.Addr().Is4() ||
		!r.Ports.Overlaps(plan.PortRange{First: at.Port(), Last: at.Port()}) {
		return nil
	}
	from := s.login.Client.Addr()
	if len(r.Sources) > 0 && !slices.ContainsFunc(r.Sources, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return nil
	}
	// From inside, for an address of that same side, nothing is forwarded.
	in, found := s.routes.lookup(from)
	side, _ := s.routes.lookup(at.Addr())
	if found && in.iface != s.wan && side.iface == in.iface {
		return nil
	}
	return fmt.Errorf("forwarding TCP port %d would cut off btplan itself: it comes to this gateway from %s by way of %s, and that connection would be sent to %s instead. Leave the port out of wan_ports, limit sources to others, or reach the gateway by another address",
		at.Port(), from, at, r.To.Addr())
}
