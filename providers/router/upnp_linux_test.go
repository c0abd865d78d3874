package router

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
)

// upnpURL is where the lab's router describes itself.
var upnpURL = fmt.Sprintf("http://%s:%d/rootDesc.xml", lab.GatewayLAN, lab.UPnPPort)

// openFrom opens the lab's router for a project, as if from a host of the lab.
func openFrom(h *lab.Host, project string, lease time.Duration, m providers.Memory) *upnp {
	d := open(project, upnpURL, lease, m)
	d.loopback = false
	d.dial = func(_ context.Context, network, address string) (net.Conn, error) {
		return h.Dial(network, address, lab.Patient)
	}
	return d
}

// upnpConnection is the lab's router, without btplan's device.
func upnpConnection(t testing.TB, h *lab.Host) *igd.Connection {
	t.Helper()
	d := openFrom(h, "", 0, nil)
	router, err := d.finder().Fetch(t.Context(), upnpURL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := router.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// The suite on the real miniupnpd, as an IGD v2; cmd/btplan has both versions.
func TestLabUPnPSuite(t *testing.T) {
	lab.Need(t, "upnpc")
	nat := lab.NewNAT(t)
	providertest.Run(t, providertest.Suite{
		Kind:     plan.Forward,
		Machines: [2]netip.Addr{netip.MustParseAddr(lab.SeedboxLAN), netip.MustParseAddr(lab.DesktopLAN)},
		Lacks:    providertest.Lacks{Sources: true, Atomicity: true, Traces: true},
		New: func(t *testing.T) *providertest.Bench {
			nat.Gateway.ServeUPnP(lab.UPnP{})
			conn := upnpConnection(t, nat.Control)
			memories := map[string]*memory{}
			return &providertest.Bench{
				Addr: home,
				Open: func(_ *testing.T, project string) providers.Device {
					if memories[project] == nil {
						memories[project] = &memory{}
					}
					return openFrom(nat.Control, project, 2*time.Hour, memories[project])
				},
				AddForeign: func(t *testing.T, r plan.Rule) {
					nat.Desktop.Run("upnpc", "-u", upnpURL, "-e", "by hand", "-a", r.To.Addr().String(), fmt.Sprint(r.To.Port()), r.Ports.String(), string(r.Protocol))
				},
				Tamper: func(t *testing.T) {
					if there, err := conn.Delete(t.Context(), plan.TCP, 6883); err != nil || !there {
						t.Fatalf("there is no mapping to take away: %v", err)
					}
				},
				Dump: func(t *testing.T) string { return upnpDump(t, conn) },
			}
		},
	})
}

// upnpDump is what the router holds, without what is left of the leases.
func upnpDump(t testing.TB, conn *igd.Connection) string {
	t.Helper()
	list, err := conn.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range list {
		lines = append(lines, fmt.Sprintf("%s %d %s:%d %q\n", m.Protocol, m.External, m.Client, m.Internal, m.Description))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// A router that grants what it likes: the lease that comes back isn't the one
// asked for, and half of it counts.
func TestLabUPnPRenew(t *testing.T) {
	nat := lab.NewNAT(t)
	nat.Gateway.ServeUPnP(lab.UPnP{})
	m := &memory{}
	w := wants(t, seedbox, "6881-6883")
	w[0].To = netip.MustParseAddrPort(lab.SeedboxLAN + ":6881")
	apply := func(lease time.Duration) (*plan.Plan, error) {
		d := openFrom(nat.Control, "home", lease, m)
		rules, err := d.Shape([]plan.Rule{w[0].Rule})
		if err != nil {
			t.Fatal(err)
		}
		var shaped []plan.Wanted
		for _, r := range rules {
			shaped = append(shaped, plan.Wanted{Rule: r, Device: home, Owner: seedbox})
		}
		reading, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, _ := plan.Diff(shaped, reading.Rules)
		var changes []plan.Change
		for _, r := range p.Resources {
			changes = append(changes, r.Changes...)
		}
		err = d.Apply(t.Context(), changes, func(plan.Change, error) {})
		if _, err := d.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		return p, err
	}
	if _, err := apply(0); err != nil {
		t.Fatal(err)
	}
	conn := upnpConnection(t, nat.Control)
	first, _, err := conn.Specific(t.Context(), plan.TCP, 6881)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a permanent mapping lasts %v", first.Lease)
	if p, err := apply(0); err != nil || p.Counts().Any() || p.Renewals() > 0 {
		t.Errorf("there is something to do: %v, %d renewals: %v", p.Counts(), p.Renewals(), err)
	}
	// A lease of which less than half is left.
	short := first
	short.Lease = time.Hour
	if err := conn.Add(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	p, err := apply(0)
	if err != nil || p.Counts().Any() || p.Renewals() != 1 {
		t.Errorf("one mapping is to be renewed, not %d: %v", p.Renewals(), err)
	}
	again, _, err := conn.Specific(t.Context(), plan.TCP, 6881)
	if err != nil || again.Lease < first.Lease-time.Minute {
		t.Errorf("after the renewal it lasts %v: %v", again.Lease, err)
	}
}

// BenchmarkUPnPRead: reading 119 mappings, where they are expected, against the
// bare calls that it takes.
func BenchmarkUPnPRead(b *testing.B) {
	nat := lab.NewNAT(b)
	nat.Gateway.ServeUPnP(lab.UPnP{})
	conn := upnpConnection(b, nat.Control)
	add119(b, conn)
	d := openFrom(nat.Control, "home", 0, &memory{})
	ports := plan.PortRange{First: 6881, Last: 6999}
	wanted := plan.Rule{Kind: plan.Forward, Protocol: plan.TCP, Ports: ports, To: netip.MustParseAddrPort(lab.SeedboxLAN + ":6881")}
	if _, err := d.Shape([]plan.Rule{wanted}); err != nil {
		b.Fatal(err)
	}
	if _, err := d.Read(b.Context()); err != nil {
		b.Fatal(err)
	}
	compare(b,
		func() {
			if list, err := conn.List(b.Context(), ports); err != nil || len(list) != 119 {
				b.Fatal(len(list), err)
			}
		},
		func() {
			if _, err := d.Read(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
}

// BenchmarkUPnPAdd: making 119 mappings against as many bare calls.
func BenchmarkUPnPAdd(b *testing.B) {
	nat := lab.NewNAT(b)
	nat.Gateway.ServeUPnP(lab.UPnP{})
	conn := upnpConnection(b, nat.Control)
	compare(b,
		func() { add119(b, conn) },
		func() {
			b.StopTimer()
			for _, m := range mappings119() {
				if _, err := conn.Delete(b.Context(), m.Protocol, m.External); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
		},
		func() {
			d := openFrom(nat.Control, "home", 0, &memory{})
			if _, err := d.Read(b.Context()); err != nil {
				b.Fatal(err)
			}
			var changes []plan.Change
			for _, m := range mappings119() {
				r, _ := ruleOf(m)
				changes = append(changes, plan.Change{Action: plan.Create, Device: home, Owner: seedbox, After: &r})
			}
			if err := d.Apply(b.Context(), changes, func(plan.Change, error) {}); err != nil {
				b.Fatal(err)
			}
		},
		func() {
			for _, m := range mappings119() {
				if _, err := conn.Delete(b.Context(), m.Protocol, m.External); err != nil {
					b.Fatal(err)
				}
			}
		})
}

// compare times the first of floor and run against each other, in turns. The
// second of each clears up, untimed.
func compare(b *testing.B, steps ...func()) {
	b.Helper()
	if len(steps) == 2 {
		steps = []func(){steps[0], func() {}, steps[1], func() {}}
	}
	var floor, run time.Duration
	for b.Loop() {
		start := time.Now()
		steps[0]()
		floor += time.Since(start)
		steps[1]()
		start = time.Now()
		steps[2]()
		run += time.Since(start)
		steps[3]()
	}
	b.ReportMetric(float64(run)/float64(floor), "x-floor")
	b.ReportMetric(float64(floor.Milliseconds())/float64(b.N), "floor-ms/op")
	b.ReportMetric(float64(run.Milliseconds())/float64(b.N), "run-ms/op")
}

func mappings119() []igd.Mapping {
	var out []igd.Mapping
	for port := uint16(6881); port <= 6999; port++ {
		out = append(out, igd.Mapping{
			Protocol: plan.TCP, External: port, Client: netip.MustParseAddr(lab.SeedboxLAN), Internal: port,
			Description: "btplan:00000000", Enabled: true,
		})
	}
	return out
}

func add119(b *testing.B, conn *igd.Connection) {
	b.Helper()
	for _, m := range mappings119() {
		if err := conn.Add(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
