package providertest

import (
	"maps"
	"slices"
	"testing"

	"github.com/btplan/btplan/plan"
)

// walk is a way through states of a device, from nothing to nothing. Its steps
// are the transitions that a device must be able to make.
type walk struct {
	name  string
	steps []step
}

// step leads the device from the state that it is in to another.
type step struct {
	name string
	to   state
}

// walks are those that suit a kind of device.
func walks(s Suite) []walk {
	list := []walk{portsWalk, manyPortsWalk, ownersWalk}
	if s.Kind == plan.Forward {
		list = append(list, machinesWalk)
	}
	if !s.Lacks.Sources {
		list = append(list, sourcesWalk(s.Kind))
	}
	if s.Outbound {
		list = append(list, outboundWalks()...)
	}
	return list
}

var portsWalk = walk{"ports", []step{
	{"create one port", one(tcp("6881"))},
	{"move to the first port", one(tcp("1"))},
	{"move to the last port", one(tcp("65535"))},
	{"move elsewhere", one(tcp("6881-6889"))},
	{"widen", one(tcp("6881-6999"))},
	{"narrow", one(tcp("6885-6893"))},
	{"move by a part", one(tcp("6889-6897"))},
	{"cut a hole", one(tcp("6889-6891"), tcp("6894-6897"))},
	{"close a hole", one(tcp("6889-6897"))},
	{"tcp to udp", one(udp("6889-6897"))},
	{"tcp comes, udp stays", one(tcp("6889-6897"), udp("6889-6897"))},
	{"udp widens, tcp stays", one(tcp("6889-6897"), udp("6881-6899"))},
	{"udp goes, tcp stays", one(tcp("6889-6897"))},
}}

var manyPortsWalk = walk{"many ports", []step{
	{"create 119 ports in a range", one(tcp("6881-6999"))},
	{"119 single ports", one(everyOther(119)...)},
	{"one of 119 goes", one(everyOther(118)...)},
}}

var ownersWalk = walk{"owners", []step{
	{"create for several owners", state{
		seedbox: {tcp("6881-6889"), udp("6881")},
		laptop:  {tcp("6890-6899").other()},
		first:   {tcp("7000")},
		alice:   {tcp("7001")},
		hostile: {udp("7000-7001")},
	}},
	{"some owners go", state{seedbox: {tcp("6881-6889"), udp("6881")}, laptop: {tcp("6890-6899").other()}}},
	{"owners trade ports", state{laptop: {tcp("6881-6889").other()}, seedbox: {tcp("6890-6899"), udp("6881")}}},
	{"one owner comes, one goes, one stays", state{seedbox: {tcp("6890-6899"), udp("6881")}, alice: {tcp("7001")}}},
	{"ports pass from one owner to another", state{
		seedbox: {tcp("6890-6894"), udp("6881")}, laptop: {tcp("6895-6899").other()}, alice: {tcp("7001")},
	}},
}}

var machinesWalk = walk{"machines", []step{
	{"create straight and shifted side by side", one(tcp("6881-6889"), tcp("6890-6899").shifted(1000), udp("6881-6889").shifted(1000))},
	{"shifted", one(tcp("16881-16889").shifted(-10000))},
	{"shifted elsewhere", one(tcp("16881-16889").shifted(-9000))},
	{"shifted no more", one(tcp("16881-16889"))},
	{"another machine", one(tcp("16881-16889").other())},
}}

// sourcesWalk is that of rules for some senders only.
func sourcesWalk(kind plan.Kind) walk {
	w := walk{"sources", []step{
		{"create with sources", one(tcp("6881-6889").from("203.0.113.0/24"))},
		{"sources change", one(tcp("6881-6889").from("198.51.100.0/25", "203.0.113.7/32"))},
		{"sources go", one(tcp("6881-6889"))},
		{"sources come", one(tcp("6881-6889").from("203.0.113.0/24"))},
	}}
	if kind == plan.Forward {
		w.steps = append(w.steps, step{"everything at once", one(udp("16881-16899").shifted(1000).other().from("198.51.100.0/25"))})
	}
	return w
}

// outboundWalks are those with what is let out.
func outboundWalks() []walk {
	out := func(openings ...opening) state {
		for i := range openings {
			openings[i] = openings[i].outward()
		}
		return state{itself: openings}
	}
	in := one(tcp("6969"))
	both := maps.Clone(in)
	maps.Copy(both, out(tcp("6969")))
	return []walk{
		{"ways out", []step{
			{"create a way out", out(tcp("6969"))},
			{"it widens", out(tcp("6969-6971"))},
			{"it narrows", out(tcp("6970"))},
			{"it moves", out(tcp("2710"))},
			{"by tcp becomes by udp", out(udp("2710"))},
			{"several ways out", out(tcp("80"), tcp("443"), tcp("6969"), udp("1337"), udp("2710"))},
			{"some of them go", out(tcp("443"), tcp("6969"), udp("1337"))},
		}},
		{"in and out on one port", []step{
			{"create a way in", in},
			{"in becomes out", out(tcp("6969"))},
			{"in comes, out stays", both},
			{"out goes, in stays", in},
			{"out comes, in stays", both},
			{"in goes, out stays", out(tcp("6969"))},
		}},
	}
}

// testWalk takes the device through all the steps and back to nothing, which
// must leave it as it was. Where a step fails, those behind it are left out.
func testWalk(b *bench, steps []step) {
	before := b.Dump(b.T)
	at := b.look(home)
	for _, s := range slices.Concat(steps, []step{{"destroy", nil}}) {
		if !b.Run(s.name, func(t *testing.T) {
			part := b.step(t)
			at = part.lead(at, home, s.to.on(part))
		}) {
			return
		}
	}
	b.checkDump(before)
}
