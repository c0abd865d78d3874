package router

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/igdtest"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
)

var (
	home    = plan.Addr{Block: plan.BlockGateway, Name: "home"}
	seedbox = plan.Addr{Block: plan.BlockPortRange, Name: "seedbox"}
	laptop  = plan.Addr{Block: plan.BlockPortRange, Name: "laptop"}
)

// memory is a memory that lasts as long as the test.
type memory struct {
	mu   sync.Mutex
	note []byte
	// fails is the error of all that is asked of it; nil: none.
	fails error
}

func (m *memory) Load(into any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil || m.note == nil {
		return m.fails
	}
	return json.Unmarshal(m.note, into)
}

func (m *memory) Store(v any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return m.fails
	}
	note, err := json.Marshal(v)
	m.note = note
	return err
}

// open opens a router of igdtest for a project.
func open(project, url string, lease time.Duration, m providers.Memory) *upnp {
	return &upnp{
		addr: home, project: project, memory: m, lease: lease, loopback: true,
		configured: append(providertest.Owners(), seedbox, laptop),
		where:      place{url: url},
	}
}

// mappingOf is a rule as a router's owner makes it by hand.
func mappingOf(r plan.Rule, description string) igdtest.Mapping {
	protocol := map[plan.Protocol]string{plan.TCP: "TCP", plan.UDP: "UDP"}[r.Protocol]
	return igdtest.Mapping{
		Protocol: protocol, External: r.Ports.First, Client: r.To.Addr().String(), Internal: r.To.Port(),
		Description: description, Static: true,
	}
}

// suite is the conformance suite on routers with some quirks.
func suite(q igdtest.Quirks, lease time.Duration) providertest.Suite {
	return providertest.Suite{
		Kind:  plan.Forward,
		Lacks: providertest.Lacks{Sources: true, Atomicity: true, Traces: true},
		New: func(t *testing.T) *providertest.Bench {
			router := igdtest.New(q)
			t.Cleanup(router.Close)
			url := router.Serve()
			memories := map[string]*memory{}
			return &providertest.Bench{
				Addr: home,
				Open: func(t *testing.T, project string) providers.Device {
					if memories[project] == nil {
						memories[project] = &memory{}
					}
					return open(project, url, lease, memories[project])
				},
				AddForeign: func(t *testing.T, r plan.Rule) { router.Put(mappingOf(r, "by hand")) },
				Tamper: func(t *testing.T) {
					if !router.Remove("TCP", 6883) {
						t.Fatal("there is no mapping to take away")
					}
				},
				Dump: func(t *testing.T) string { return router.Dump() },
			}
		},
	}
}

func TestUPnPSuite(t *testing.T) {
	for name, s := range map[string]providertest.Suite{
		"IGD 1": suite(igdtest.Quirks{}, 0),
		"IGD 2, leases, descriptions that are cut off": suite(igdtest.Quirks{
			Version: 2, MaxLease: longestLease, KeepsDescription: true, CutsDescription: 13, // one digit of the port_range is left
		}, 2*time.Hour),
		"permanent mappings alone, all described alike": suite(igdtest.Quirks{
			RefusesFinite: 725, FixedDescription: "UPnP", SilentDelete: true, Repeats: true,
		}, time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, s)
		})
	}
}
