package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Refuse keeps a plan from cutting btplan off, and from asking for what this
// gateway has no program for.
func (g *gateway) Refuse(changes []plan.Change) *providers.Problem {
	for _, c := range changes {
		if c.Action == plan.NoOp {
			continue
		}
		if why := g.refuseNoLock(); why != nil {
			return why
		}
		if c.After == nil {
			continue
		}
		if why := g.refuseIPv6(*c.After); why != nil {
			return why
		}
		if why := g.refuseOwnPort(*c.After); why != nil {
			return why
		}
	}
	return nil
}

func (g *gateway) refuseNoLock() *providers.Problem {
	if g.last.canLock || !g.last.needsLock() {
		return nil
	}
	return &providers.Problem{
		Summary: "There is no flock on the gateway",
		Detail:  "Without a lock two changes at once of iptables-nft would mix. Install flock there, of the package util-linux or an applet of busybox; or have nftables hold the rules: backend = \"nftables\".",
	}
}

func (g *gateway) refuseIPv6(r plan.Rule) *providers.Problem {
	c, is := g.last.filter.(*chains)
	if !is || c.NoIPv6 == "" || !r.To.Addr().Is6() {
		return nil
	}
	return &providers.Problem{
		Summary: "No forwards over IPv6",
		Detail:  fmt.Sprintf("There can be no forward to %s, an IPv6 address: %s. Or leave address6 out of the machine's block.", r.To.Addr(), c.NoIPv6),
	}
}

// refuseOwnPort refuses a forward that would take btplan's own way to the
// gateway away: packets to the port of its SSH server would go to a machine.
func (g *gateway) refuseOwnPort(r plan.Rule) *providers.Problem {
	s := g.last
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
	return &providers.Problem{
		Summary: "btplan would be cut off",
		Detail: fmt.Sprintf("Forwarding TCP port %d would cut off btplan itself: it comes to this gateway from %s by way of %s, and that connection would be sent to %s instead. Leave the port out of wan_ports, limit sources to others, or reach the gateway by another address.",
			at.Port(), from, at, r.To.Addr()),
	}
}
