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
// "login": SSH_CONNECTION (ssh(1)), which package remote hands through sudo.
const LoginSection = `section login
echo "${SSH_CONNECTION:-}"
`

// ParseLogin reads the section. Anything but two addresses, each with a port,
// is no login.
func ParseLogin(section []byte) Login {
	f := strings.Fields(string(section))
	if len(f) != 4 {
		return Login{}
	}
	client, clientErr := netip.ParseAddrPort(net.JoinHostPort(f[0], f[1]))
	server, serverErr := netip.ParseAddrPort(net.JoinHostPort(f[2], f[3]))
	if clientErr != nil || serverErr != nil || client.Port() == 0 || server.Port() == 0 {
		return Login{}
	}
	// A server that listens on [::] sees IPv4 as ::ffff:0:0/96. A zone, which
	// may be any text, is of no use to who compares addresses with prefixes.
	plain := func(a netip.AddrPort) netip.AddrPort {
		return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	}
	return Login{plain(client), plain(server)}
}
