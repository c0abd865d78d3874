package router

import (
	"net/netip"
	"testing"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
)

// portctlSuite is what a device of the two protocols passes, by a router that
// answers as the RFCs have it.
func portctlSuite(d dialect, machines [2]netip.Addr) providertest.Suite {
	return providertest.Suite{
		Kind:     plan.Forward,
		Machines: machines,
		Lacks:    providertest.Lacks{Sources: true, Atomicity: true, Traces: true, Listing: true},
		New: func(t *testing.T) *providertest.Bench {
			r := newFakeRouter(t)
			memories := map[string]*fakeMemory{}
			return &providertest.Bench{
				Addr: homeGateway,
				Open: func(_ *testing.T, project string) providers.Device {
					if memories[project] == nil {
						memories[project] = &fakeMemory{}
					}
					return r.device(d, memories[project], project)
				},
				AddForeign: func(_ *testing.T, rule plan.Rule) {
					r.do(func() {
						r.put(fakeMapping{rule.Protocol, rule.Ports.First, rule.To, "", r.now.Add(time.Hour)})
					})
				},
				Dump: func(*testing.T) string { return r.dump() },
			}
		},
	}
}

func TestPCPSuite(t *testing.T) {
	providertest.Run(t, portctlSuite(pcp{}, [2]netip.Addr{}))
}

// With NAT-PMP, all machines are this computer.
func TestNATPMPSuite(t *testing.T) {
	providertest.Run(t, portctlSuite(natpmp{}, [2]netip.Addr{here, here}))
}
