package linuxgw

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
)

func TestLabSuite(t *testing.T) {
	nat := lab.NewNAT(t)
	providertest.Run(t, providertest.Suite{
		Kind:     plan.Forward,
		Machines: [2]netip.Addr{netip.MustParseAddr(lab.SeedboxLAN), netip.MustParseAddr(lab.DesktopLAN)},
		New: func(t *testing.T) *providertest.Bench {
			nat.Boot()
			nat.Gateway.Sh(`nft 'add table ip hand; add chain ip hand pre { type nat hook prerouting priority dstnat; }'`)
			return &providertest.Bench{
				Addr: openInside(t, nat.Gateway, "home", "wan0").addr,
				Open: func(t *testing.T, project string) providers.Device {
					return openInside(t, nat.Gateway, project, "wan0")
				},
				AddForeign: func(t *testing.T, r plan.Rule) {
					nat.Gateway.Sh(fmt.Sprintf(`nft add rule ip hand pre iifname wan0 %s dport %s dnat to %s:%d`, r.Protocol, r.Ports, r.To.Addr(), r.To.Port()))
				},
				Tamper: func(t *testing.T) {
					own, err := nft.Parse([]byte(nat.Gateway.Sh("nft -j list table inet btplan_home")))
					if err != nil {
						t.Fatal(err)
					}
					for _, m := range own.Sets {
						elements, err := m.Elements()
						if err != nil {
							t.Fatal(err)
						}
						if m.IsMap && len(elements) > 0 {
							k := elements[0].Key
							nat.Gateway.Sh(fmt.Sprintf("nft delete element %s %s %s '{ %s . %s . %s }'", m.Family, m.Table, m.Name, k[0], k[1], k[2]))
							return
						}
					}
					t.Fatal("there is no rule to take away")
				},
				Dump: func(t *testing.T) string { return nat.Gateway.RuleSet() },
			}
		},
	})
}
