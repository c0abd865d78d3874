package providertest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/plan"
)

// transition leads from one state of the device to another.
type transition struct {
	name          string
	before, after state
}

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

// transitions are the steps that a device must be able to take. Each is taken
// from nothing by way of before to after, and back to nothing.
func transitions(kind plan.Kind) []transition {
	ten := one(tcp("6881-6889"))
	list := []transition{
		{"create", nil, ten},
		{"create one port", nil, one(tcp("6881"))},
		{"create the first port", nil, one(tcp("1"))},
		{"create the last port", nil, one(tcp("65535"))},
		{"widen", ten, one(tcp("6881-6999"))},
		{"narrow", ten, one(tcp("6883-6885"))},
		{"move by a part", ten, one(tcp("6885-6893"))},
		{"move elsewhere", ten, one(tcp("51413-51421"))},
		{"cut a hole", ten, one(tcp("6881-6883"), tcp("6886-6889"))},
		{"close a hole", one(tcp("6881-6883"), tcp("6886-6889")), ten},
		{"tcp to udp", ten, one(udp("6881-6889"))},
		{"tcp and udp", nil, one(tcp("6881-6889"), udp("6881-6889"))},
		{"udp goes, tcp stays", one(tcp("6881-6889"), udp("6881-6889")), ten},
		{"udp widens, tcp stays", one(tcp("6881-6889"), udp("6881-6889")), one(tcp("6881-6889"), udp("6881-6899"))},
		{"sources come", ten, one(tcp("6881-6889").from("203.0.113.0/24"))},
		{"sources change", one(tcp("6881-6889").from("203.0.113.0/24")), one(tcp("6881-6889").from("198.51.100.0/25", "203.0.113.7/32"))},
		{"sources go", one(tcp("6881-6889").from("203.0.113.0/24")), ten},
		{"119 ports in a range", nil, one(tcp("6881-6999"))},
		{"119 single ports", nil, one(everyOther(119)...)},
		{"one of 119 goes", one(everyOther(119)...), one(everyOther(118)...)},
		{"several owners", nil, state{
			seedbox: {tcp("6881-6889"), udp("6881")},
			laptop:  {tcp("6890-6899").other()},
			first:   {tcp("7000")},
			alice:   {tcp("7001")},
			hostile: {udp("7000-7001")},
		}},
		{"one owner comes, one goes, one stays", state{
			seedbox: {tcp("6881-6889")}, laptop: {tcp("6890-6899").other()},
		}, state{
			seedbox: {tcp("6881-6889")}, alice: {tcp("7001")},
		}},
		{"ports pass from one owner to another", state{
			seedbox: {tcp("6881-6889")},
		}, state{
			seedbox: {tcp("6881-6884")}, laptop: {tcp("6885-6889").other()},
		}},
		{"owners trade ports", state{
			seedbox: {tcp("6881-6889")}, laptop: {tcp("6890-6899").other()},
		}, state{
			laptop: {tcp("6881-6889").other()}, seedbox: {tcp("6890-6899")},
		}},
	}
	if kind == plan.Forward {
		list = append(list, []transition{
			{"another machine", ten, one(tcp("6881-6889").other())},
			{"shifted", nil, one(tcp("16881-16889").shifted(-10000))},
			{"shifted elsewhere", one(tcp("16881-16889").shifted(-10000)), one(tcp("16881-16889").shifted(-9000))},
			{"shifted no more", one(tcp("6881-6889").shifted(1000)), ten},
			{"straight and shifted side by side", nil, one(tcp("6881-6889"), tcp("6890-6899").shifted(1000), udp("6881-6889").shifted(1000))},
			{"everything at once", one(tcp("6881-6889")), one(udp("16881-16899").shifted(1000).other().from("203.0.113.0/24"))},
		}...)
	}
	return list
}

// outboundTransitions are the steps with what is let out.
func outboundTransitions() []transition {
	out := func(openings ...opening) state {
		for i := range openings {
			openings[i] = openings[i].outward()
		}
		return state{itself: openings}
	}
	with := func(s, more state) state {
		both := maps.Clone(s)
		maps.Copy(both, more)
		return both
	}
	return []transition{
		{"a way out", nil, out(tcp("6969"))},
		{"a way out widens", out(tcp("6969")), out(tcp("6969-6970"))},
		{"a way out narrows", out(tcp("6969-6971")), out(tcp("6970"))},
		{"a way out moves", out(tcp("6969")), out(tcp("2710"))},
		{"a way out by tcp becomes one by udp", out(tcp("6969")), out(udp("6969"))},
		{"several ways out", nil, out(tcp("80"), tcp("443"), tcp("6969"), udp("1337"), udp("6969"))},
		{"one of several ways out goes", out(tcp("80"), tcp("6969"), udp("1337")), out(tcp("6969"), udp("1337"))},
		{"in and out on one port", one(tcp("6969")), with(one(tcp("6969")), out(tcp("6969")))},
		{"in goes, out stays", with(one(tcp("6969")), out(tcp("6969"))), out(tcp("6969"))},
		{"out goes, in stays", with(one(tcp("6969")), out(tcp("6969"))), one(tcp("6969"))},
		{"in becomes out", one(tcp("6969")), out(tcp("6969"))},
	}
}

// hasSources says whether any rule on the way has sources.
func (t transition) hasSources() bool {
	for _, s := range []state{t.before, t.after} {
		for _, openings := range s {
			if slices.ContainsFunc(openings, func(o opening) bool { return o.sources != nil }) {
				return true
			}
		}
	}
	return false
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

// testTransition takes the device from nothing by way of before to after, and
// back to nothing.
func testTransition(b *bench, before, after state) {
	dump := b.Dump(b.T)
	b.converge(home, before.on(b))
	b.converge(home, after.on(b))
	b.converge(home, nil)
	b.checkDump(dump)
}
