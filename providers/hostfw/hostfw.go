// Package hostfw is the firewalls that computers run for themselves: what
// opens a port on the machine that a client listens on, in the terms of
// whatever firewall is there. See kind.
package hostfw

import "github.com/btplan/btplan/providers"

// kinds are the back ends on Linux. The type auto takes the first of them that
// is active, so those that write other people's rules for them come first.
var kinds = []kind{ufwKind, firewalldKind, nftablesKind, iptablesKind}

// Types are the types that a machine's firewall block may name.
func Types() []providers.Type {
	types := []providers.Type{autoType()}
	for _, k := range kinds {
		types = append(types, typeOf(k))
	}
	return append(types, macosType(), windowsType())
}
