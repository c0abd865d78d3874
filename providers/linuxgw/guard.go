package linuxgw

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// login is the connection by which btplan is on the gateway, as the gateway
// sees it. The zero login is none: btplan is there already, or the gateway
// doesn't tell.
type login struct{ client, server netip.AddrPort }

// loginSection prints SSH_CONNECTION (ssh(1)). sudo takes it out of the
// environment, but has it in its own.
const loginSection = `section login
if [ "${SSH_CONNECTION:-}" ]; then
	echo "$SSH_CONNECTION"
else
	tr '\0' '\n' 2>/dev/null </proc/$PPID/environ | sed -n 's/^SSH_CONNECTION=//p'
fi
`

func parseLogin(section []byte) login {
	f := strings.Fields(string(section))
	if len(f) != 4 {
		return login{}
	}
	client, clientErr := netip.ParseAddrPort(net.JoinHostPort(f[0], f[1]))
	server, serverErr := netip.ParseAddrPort(net.JoinHostPort(f[2], f[3]))
	if clientErr != nil || serverErr != nil {
		return login{}
	}
	// A server that listens on [::] sees IPv4 as ::ffff:0:0/96.
	return login{
		netip.AddrPortFrom(client.Addr().Unmap(), client.Port()),
		netip.AddrPortFrom(server.Addr().Unmap(), server.Port()),
	}
}

// Guard refuses a forward that would take btplan's own way to the gateway
// away: packets to the port of its SSH server would go to a machine.
func (g *gateway) Guard(r plan.Rule) error {
	s := g.last
	if c, is := s.filter.(*ownChains); is && c.no6 != "" && r.To.Addr().Is6() {
		return providers.Flag(fmt.Errorf("there can be no forward to %s, an IPv6 address: %s. Or leave address6 out of the machine's block", r.To.Addr(), c.no6), providers.ErrUnsupported)
	}
	at := s.login.server
	if !at.IsValid() || r.Protocol != plan.TCP || !r.To.Addr().Is4() || !at.Addr().Is4() ||
		!r.Ports.Overlaps(plan.PortRange{First: at.Port(), Last: at.Port()}) {
		return nil
	}
	from := s.login.client.Addr()
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
