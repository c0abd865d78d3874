package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// labDevice is the lab's router as a host of it sees it.
func labDevice(from *lab.Host, d dialect, memory *fakeMemory) *portctlGateway {
	return &portctlGateway{
		dialect: d, project: "home", addr: homeGateway, memory: memory,
		server: portctl.Server(netip.MustParseAddr(lab.GatewayLAN)), lease: 2 * time.Hour, now: time.Now,
		client: portctl.Client{Dial: func(_ context.Context, network, address string) (net.Conn, error) {
			return from.Dial(network, address, lab.Patient)
		}},
	}
}

// toward is a rule that leads to a machine of the lab.
func toward(t *testing.T, addr string, protocol plan.Protocol, ports string, shift int) plan.Rule {
	t.Helper()
	r := rule(t, protocol, ports, shift)
	r.To = netip.AddrPortFrom(netip.MustParseAddr(addr), r.To.Port())
	return r
}

// passes sees that packets from outside come to the seedbox, as answered there.
func passes(t *testing.T, nat *lab.NAT, protocol, addr string, outside, inside uint16) {
	t.Helper()
	answer, err := nat.Client.Probe(protocol, net.JoinHostPort(addr, fmt.Sprint(outside)), lab.Patient)
	if err != nil {
		t.Errorf("%s %d is not open: %v", protocol, outside, err)
	} else if answer.Host != nat.Seedbox.Name || answer.Port != inside {
		t.Errorf("%s %d leads to %s", protocol, outside, answer)
	}
}

// closed sees that no packet comes to any machine.
func closed(t *testing.T, nat *lab.NAT, protocol, addr string, ports ...uint16) {
	t.Helper()
	for port, r := range nat.Client.ProbeAll(protocol, addr, lab.Brief, ports...) {
		if r.Err == nil {
			t.Errorf("%s %d is open: %s", protocol, port, r.Answer)
		}
	}
}

// runs waits until the router has served for so long that its clock can be
// seen to go back.
func runs(t *testing.T, dev *portctlGateway) {
	t.Helper()
	await(t, "the router's clock stands still", func() bool {
		if _, err := dev.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		return dev.seen.Epoch >= 3
	})
}

// The real server, miniupnpd: NAT-PMP from the seedbox itself, PCP from another
// computer that asks for it.
func TestLabPortctl(t *testing.T) {
	for name, c := range map[string]struct {
		dialect dialect
		from    func(*lab.NAT) *lab.Host
	}{
		"natpmp": {natpmp{}, func(n *lab.NAT) *lab.Host { return n.Seedbox }},
		"pcp":    {pcp{}, func(n *lab.NAT) *lab.Host { return n.Control }},
	} {
		t.Run(name, func(t *testing.T) {
			nat, memory := lab.NewNAT(t), &fakeMemory{}
			opts := lab.UPnP{NATPMP: true, Lines: []string{"pcp_allow_thirdparty=yes"}}
			server := nat.Gateway.ServeUPnP(opts)
			nat.Seedbox.Listen("tcp", 6880, 6881, 6889, 6890)
			nat.Seedbox.Listen("udp", 6881)
			open := func() *portctlGateway { return labDevice(c.from(nat), c.dialect, memory) }
			wanted := []plan.Rule{
				toward(t, lab.SeedboxLAN, plan.TCP, "16881-16889", -10000),
				toward(t, lab.SeedboxLAN, plan.UDP, "6881", 0),
			}
			check := func() {
				t.Helper()
				newRun(t, open(), wanted...).want("no-op").problems()
				passes(t, nat, "tcp", lab.GatewayWAN, 16881, 6881)
				passes(t, nat, "tcp", lab.GatewayWAN, 16889, 6889)
				passes(t, nat, "udp", lab.GatewayWAN, 6881, 6881)
				closed(t, nat, "tcp", lab.GatewayWAN, 16880, 16890, 6881)
			}
			before := nat.Gateway.RuleSet()
			runs(t, open())
			newRun(t, open(), wanted...).want("create").problems().apply()
			check()

			server.Stop()
			nat.Boot() // which takes away miniupnpd's rules
			nat.Gateway.ServeUPnP(opts)
			closed(t, nat, "tcp", lab.GatewayWAN, 16881)
			newRun(t, open(), wanted...).want("create").problems("The router has forgotten its mappings").apply()
			check()

			newRun(t, open()).want("delete").apply()
			if after := nat.Gateway.RuleSet(); after != before {
				t.Errorf("the router holds more than before:\n%s", after)
			}
		})
	}
}

// A lease ends by itself, and one that is renewed goes on. What is renewed gets
// a lease that no test lasts: of two short ones, the clock of a busy computer
// would choose which is seen to end.
func TestLabPortctlRenew(t *testing.T) {
	nat := lab.NewNAT(t)
	nat.Gateway.ServeUPnP(lab.UPnP{NATPMP: true, MinLifetime: 1})
	nat.Seedbox.Listen("tcp", 6881, 6882)
	memories := [2]*fakeMemory{{}, {}}
	rules := [2]plan.Rule{toward(t, lab.SeedboxLAN, plan.TCP, "6881", 0), toward(t, lab.SeedboxLAN, plan.TCP, "6882", 0)}
	for i, memory := range memories {
		dev := labDevice(nat.Seedbox, pcp{}, memory)
		dev.lease = 5 * time.Second
		newRun(t, dev, rules[i]).apply()
	}
	renewing := newRun(t, labDevice(nat.Seedbox, pcp{}, memories[0]), rules[0])
	renewing.plan.Resources[0].Changes[0].Action = plan.Renew // whenever this is
	renewing.apply()
	await(t, "the lease that nobody renews does not end", func() bool {
		_, err := nat.Client.Probe("tcp", lab.GatewayWAN+":6882", lab.Brief)
		return err != nil
	})
	// The other one, which was the first to be made, would be over by now.
	passes(t, nat, "tcp", lab.GatewayWAN, 6881, 6881)
	newRun(t, labDevice(nat.Seedbox, pcp{}, memories[0]), rules[0]).want("no-op").problems()
	// The answer to a request is later than the lease's beginning, and so is
	// what is known here of its end.
	var over *run
	await(t, "the end of the lease is not noticed", func() bool {
		over = newRun(t, labDevice(nat.Seedbox, pcp{}, memories[1]), rules[1])
		_, text := over.changes()
		return text == "create"
	})
	over.problems("Leases are over")
}

// await waits until something is so.
func await(t *testing.T, not string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(lab.Patient); !is(); <-time.After(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(not)
		}
	}
}

// miniupnpd gives another port for one that is taken, and so for PCP in spite
// of PREFER_FAILURE. It is given back.
func TestLabPortctlTaken(t *testing.T) {
	nat := lab.NewNAT(t)
	nat.Gateway.ServeUPnP(lab.UPnP{NATPMP: true})
	newRun(t, labDevice(nat.Desktop, natpmp{}, &fakeMemory{}), toward(t, lab.DesktopLAN, plan.TCP, "6881", 0)).apply()
	before := nat.Gateway.RuleSet()
	for name, d := range dialects {
		err := newRun(t, labDevice(nat.Seedbox, d, &fakeMemory{}), toward(t, lab.SeedboxLAN, plan.TCP, "6881", 0)).try(t.Context())
		if err == nil || !strings.Contains(err.Error(), "gave port 6882 in its place, which was given back") {
			t.Errorf("%s: got %v", name, err)
		}
		if after := nat.Gateway.RuleSet(); after != before {
			t.Errorf("%s: the router does not hold what it did:\n%s", name, after)
		}
	}
}

// PCP opens ports of IPv6 addresses, which have no NAT.
func TestLabPCPIPv6(t *testing.T) {
	nat, memory := lab.NewNAT(t), &fakeMemory{}
	nat.Gateway.ServeUPnP(lab.UPnP{NATPMP: true, Lines: []string{"pcp_allow_thirdparty=yes"}})
	nat.Seedbox.Listen("tcp", 6881, 6882)
	before := nat.Gateway.RuleSet()
	wanted := toward(t, lab.SeedboxLAN6, plan.TCP, "6881", 0)
	newRun(t, labDevice(nat.Seedbox, pcp{}, memory), wanted).want("create").apply()
	newRun(t, labDevice(nat.Seedbox, pcp{}, memory), wanted).want("no-op").problems()
	passes(t, nat, "tcp", lab.SeedboxLAN6, 6881, 6881)
	closed(t, nat, "tcp", lab.SeedboxLAN6, 6882)
	newRun(t, labDevice(nat.Seedbox, pcp{}, memory)).want("delete").apply()
	if after := nat.Gateway.RuleSet(); after != before {
		t.Errorf("the router holds more than before:\n%s", after)
	}
}

// What the router does not allow is told as such.
func TestLabPortctlRefuses(t *testing.T) {
	nat := lab.NewNAT(t)
	server := nat.Gateway.ServeUPnP(lab.UPnP{NATPMP: true, Private: true})
	dev := labDevice(nat.Control, pcp{}, &fakeMemory{})
	err := newRun(t, dev, toward(t, lab.SeedboxLAN, plan.TCP, "6881", 0)).try(t.Context())
	if !errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), "pcp_allow_thirdparty=yes") {
		t.Errorf("without THIRD_PARTY: %v", err)
	}
	newRun(t, labDevice(nat.Control, natpmp{}, &fakeMemory{})).problems("The router has no address on the outside")

	server.Stop()
	for name, d := range dialects {
		_, err = labDevice(nat.Control, d, &fakeMemory{}).Read(t.Context())
		if !errors.Is(err, providers.ErrUnreachable) || !strings.Contains(err.Error(), "nothing listens") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
