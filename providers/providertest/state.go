package providertest

import (
	"fmt"
	"net/netip"

	"github.com/btplan/btplan/plan"
)

// state is what is wanted of the device, apart from what kind of device it is.
type state map[plan.Addr][]opening

// opening is a rule before it is known which machines there are.
type opening struct {
	protocol plan.Protocol
	ports    string
	machine  int // which of Suite.Machines
	shift    int // how far the port on the machine is from that outside
	sources  []string
	out      bool // the machine's own packets, let out to these ports
}

// The owners. The key of the last is one that a device's syntax could stumble
// over.
var (
	seedbox = plan.Addr{Block: plan.BlockPortRange, Name: "seedbox"}
	laptop  = plan.Addr{Block: plan.BlockPortRange, Name: "laptop"}
	first   = plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.NumKey(0)}
	alice   = plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey("alice")}
	hostile = plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey(`é "'$(x);{}#[/:%`)}
)

// itself stands for the machine whose firewall is under test.
var itself = plan.Addr{Block: plan.BlockMachine}

// Owners are the port ranges of every project, for a device that has to know
// them to recognise its marks; that of a machine has to know Bench.Addr too.
func Owners() []plan.Addr { return []plan.Addr{seedbox, laptop, first, alice, hostile} }

func tcp(ports string) opening { return opening{protocol: plan.TCP, ports: ports} }
func udp(ports string) opening { return opening{protocol: plan.UDP, ports: ports} }

// other leads to the other machine.
func (o opening) other() opening { o.machine = 1; return o }

// shifted leads to ports that are n above those outside.
func (o opening) shifted(n int) opening { o.shift = n; return o }

// from lets only sources connect.
func (o opening) from(sources ...string) opening { o.sources = sources; return o }

// outward lets packets out to the ports, not in.
func (o opening) outward() opening { o.out = true; return o }

// one is the state in which seedbox has these rules.
func one(rules ...opening) state { return state{seedbox: rules} }

// everyOther are n single ports from 6881 on, none next to another.
func everyOther(n int) []opening {
	var list []opening
	for i := range n {
		list = append(list, tcp(fmt.Sprint(6881+2*i)))
	}
	return list
}

// on makes s what is wanted of the device under test.
func (s state) on(b *bench) wants {
	w := wants{}
	for owner, openings := range s {
		if owner == itself {
			owner = b.Addr
		}
		for _, o := range openings {
			w[owner] = append(w[owner], o.rule(b))
		}
	}
	return w
}

func (o opening) rule(b *bench) plan.Rule {
	ports, err := plan.ParsePortRange(o.ports)
	if err != nil {
		b.Fatal(err)
	}
	r := plan.Rule{Kind: b.suite.Kind, Protocol: o.protocol, Ports: ports}
	if o.out {
		r.Kind = plan.Outbound
	}
	for _, source := range o.sources {
		r.Sources = append(r.Sources, netip.MustParsePrefix(source))
	}
	r.Sources = plan.CanonicalSources(r.Sources)
	if r.Kind == plan.Forward {
		r.To = netip.AddrPortFrom(b.suite.Machines[o.machine], uint16(int(ports.First)+o.shift))
	}
	return r
}
