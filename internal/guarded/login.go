package guarded

import (
	"net"
	"net/netip"
	"strings"
)

// Login is the connection by which btplan is on a device, as the device sees
// it. The zero Login is none: btplan is there already, or the device doesn't
// tell.
type Login struct{ Client, Server netip.AddrPort }

// LoginSection is the commands that print what ParseLogin reads, as the section
// "login": SSH_CONNECTION (ssh(1)). sudo takes it out of the environment, but
// has it in its own.
const LoginSection = `section login
if [ "${SSH_CONNECTION:-}" ]; then
	echo "$SSH_CONNECTION"
else
	tr '\0' '\n' 2>/dev/null </proc/$PPID/environ | sed -n 's/^SSH_CONNECTION=//p'
fi
`

// ParseLogin reads the section. Anything but four addresses and ports is no
// login.
func ParseLogin(section []byte) Login {
	f := strings.Fields(string(section))
	if len(f) != 4 {
		return Login{}
	}
	client, clientErr := netip.ParseAddrPort(net.JoinHostPort(f[0], f[1]))
	server, serverErr := netip.ParseAddrPort(net.JoinHostPort(f[2], f[3]))
	if clientErr != nil || serverErr != nil {
		return Login{}
	}
	// A server that listens on [::] sees IPv4 as ::ffff:0:0/96.
	return Login{
		netip.AddrPortFrom(client.Addr().Unmap(), client.Port()),
		netip.AddrPortFrom(server.Addr().Unmap(), server.Port()),
	}
}
