// Package hostfw is the firewalls that computers run for themselves: what
// opens a port on the machine that a client listens on, in the terms of
// whatever firewall is there. Each kind of firewall is a package below this one;
// what they have in common is in package host.
package hostfw

import (
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/firewalld"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/macos"
	"github.com/btplan/btplan/providers/hostfw/packetfilter"
	"github.com/btplan/btplan/providers/hostfw/ufw"
	"github.com/btplan/btplan/providers/hostfw/windows"
)

// kinds are the back ends on Linux. The type auto takes the first of them that
// is active, so those that write other people's rules for them come first.
var kinds = []host.Kind{packetfilter.Beside(ufw.Kind), packetfilter.Beside(firewalld.Kind), packetfilter.Nftables, packetfilter.Iptables}

// Types are the types that a machine's firewall block may name.
func Types() []providers.Type {
	types := []providers.Type{autoType()}
	for _, k := range kinds {
		types = append(types, host.TypeOf(k))
	}
	return append(types, macos.Type(), windows.Type())
}
