package ufw

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// ourTuple is a rule such as we make.
func ourTuple(direction, protocol, ports, from string) tuple {
	return tuple{action: "allow", protocol: protocol, ports: ports, to: anywhere, fromPorts: anywhere, from: from, direction: direction}
}

// maxPorts is how many ports one rule of ufw's may name; a range counts for
// two (ufw(8)).
const maxPorts = 15

// tuples spells rules of one owner, in as few rules of ufw's as there can be:
// each costs a second of its time. A rule for everyone is one, for IPv4 and
// IPv6, and has its source spelled "any".
func tuples(rules []plan.Rule) []tuple {
	type place struct{ direction, protocol, from string }
	ports := map[place][]string{}
	count := map[place]int{}
	var out []tuple
	flush := func(p place) {
		out = append(out, ourTuple(p.direction, p.protocol, strings.Join(ports[p], ","), p.from))
		ports[p], count[p] = nil, 0
	}
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, plan.Rule.Compare)
	for _, r := range sorted {
		n := min(r.Ports.Count(), 2)
		for _, from := range spelledSources(r.Sources) {
			p := place{directionOf(r.Kind), string(r.Protocol), from}
			if count[p]+n > maxPorts {
				flush(p)
			}
			ports[p] = append(ports[p], host.SpelledPorts(r.Ports))
			count[p] += n
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(ports), func(a, b place) int {
		return cmp.Or(strings.Compare(a.direction, b.direction), strings.Compare(a.protocol, b.protocol), strings.Compare(a.from, b.from))
	}) {
		if len(ports[p]) > 0 {
			flush(p)
		}
	}
	return out
}

// spelledSources gives sources as ufw writes them.
func spelledSources(sources []netip.Prefix) []string {
	if len(sources) == 0 {
		return []string{anywhere}
	}
	var out []string
	for _, p := range sources {
		switch {
		case p.IsSingleIP():
			out = append(out, p.Addr().String())
		default:
			out = append(out, p.String())
		}
	}
	return out
}

// asListed is t, as [tuples] spells it, as ufw's files have it.
func (t tuple) asListed() tuple {
	t.from = anyAddress(t.from)
	return t
}

// spec is the tuple as iptables lists it, with the line's end.
func (t tuple) spec(six bool) string {
	s := "-A ufw"
	if six {
		s += "6"
	}
	s += "-user-" + t.direction + "put"
	if source, err := t.source(six); err == nil && source.Bits() > 0 {
		s += " -s " + source.String()
	}
	s += " -p " + t.protocol
	if strings.ContainsAny(t.ports, ",:") {
		s += " -m multiport --dports " + t.ports
	} else {
		s += " -m " + t.protocol + " --dport " + t.ports
	}
	return s + " -j ACCEPT\n"
}

// args spells the tuple for the command line of ufw.
func (t tuple) args() string {
	verb := "allow"
	if t.direction == outward {
		verb = "allow out"
	}
	return fmt.Sprintf("%s proto %s from %s to any port %s", verb, t.protocol, t.from, t.ports)
}
