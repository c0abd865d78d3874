// Package all lists every type of device that there is. A new one is added
// here, and nowhere else.
package all

import (
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw"
	"github.com/btplan/btplan/providers/linuxgw"
	"github.com/btplan/btplan/providers/router"
	"github.com/btplan/btplan/providers/simulated"
)

// Gateways are the types that a gateway block may name, by name.
func Gateways() map[string]providers.Type {
	return byName(linuxgw.Type(), router.NATPMP(), router.PCP(), router.UPnP(), simulated.Type())
}

// Firewalls are the types that a machine's firewall block may name, by name.
func Firewalls() map[string]providers.Type {
	return byName(append(hostfw.Types(), simulated.Firewall())...)
}

func byName(types ...providers.Type) map[string]providers.Type {
	m := make(map[string]providers.Type, len(types))
	for _, t := range types {
		if _, twice := m[t.Name]; twice {
			panic("all: two types are named " + t.Name)
		}
		m[t.Name] = t
	}
	return m
}
