package hostfw

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// ourTuple is a rule such as we make.
func ourTuple(protocol, ports, from string) tuple {
	return tuple{action: "allow", protocol: protocol, ports: ports, to: anywhere, fromPorts: anywhere, from: from, direction: "in"}
}

// maxPorts is how many ports one rule of ufw's may name; a range counts for
// two (ufw(8)).
const maxPorts = 15

// tuples spells rules of one owner, in as few rules of ufw's as there can be:
// each costs a second of its time. A rule for everyone is one, for IPv4 and
// IPv6, and has its source spelled "any".
func tuples(rules []plan.Rule) []tuple {
	type place struct{ protocol, from string }
	ports := map[place][]string{}
	count := map[place]int{}
	var out []tuple
	flush := func(p place) {
		out = append(out, ourTuple(p.protocol, strings.Join(ports[p], ","), p.from))
		ports[p], count[p] = nil, 0
	}
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, plan.Rule.Compare)
	for _, r := range sorted {
		n := min(r.Ports.Count(), 2)
		for _, from := range spelledSources(r.Sources) {
			p := place{string(r.Protocol), from}
			if count[p]+n > maxPorts {
				flush(p)
			}
			ports[p] = append(ports[p], spelledPorts(r.Ports))
			count[p] += n
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(ports), func(a, b place) int {
		return strings.Compare(a.protocol+" "+a.from, b.protocol+" "+b.from)
	}) {
		if len(ports[p]) > 0 {
			flush(p)
		}
	}
	return out
}

func spelledPorts(r plan.PortRange) string { return strings.Replace(r.String(), "-", ":", 1) }

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

// spec is the tuple as iptables lists it, with the line's end.
func (t tuple) spec(six bool) string {
	s := "-A ufw-user-input"
	if six {
		s = "-A ufw6-user-input"
	}
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
	return fmt.Sprintf("allow proto %s from %s to any port %s", t.protocol, t.from, t.ports)
}

// spelled is a rule of ours as it is written on ufw's command line: if it is
// for everyone of one IP version alone, its source is "0.0.0.0/0" or "::/0".
func (u *ufw) spelled(o ours) tuple {
	t := o.tuple
	if t.from == anywhere && u.ipv6 && o.six != [2]bool{true, true} {
		t.from = everywhere(o.six[1]).String()
	}
	return t
}

func (u *ufw) needsWhole(owned) bool { return false }

// change first adds what is to come, so that no port that stays open is shut in
// between, and then deletes what is to go. New rules come before all others:
// behind somebody's deny they would be of no use.
func (u *ufw) change(after owned) string {
	var adds, deletes, notes strings.Builder
	kept := map[int]bool{}
	for _, owner := range slices.SortedFunc(maps.Keys(after), plan.Addr.Compare) {
		mark := plan.Mark(u.project, owner)
		comment := " comment " + remote.Quote(mark)
		for _, t := range tuples(after[owner]) {
			fmt.Fprintln(&notes, written{t}.of(u.project, owner).line())
			i := slices.IndexFunc(u.ours, func(o ours) bool { return u.holds(o, t) })
			switch {
			case i < 0:
				adds.WriteString("ufw prepend " + t.args() + comment + " >/dev/null || return\n")
			case u.ours[i].flaw != "":
				// To move it or to make it whole is to make it anew.
				adds.WriteString("ufw delete " + t.args() + " >/dev/null || return\n")
				adds.WriteString("ufw prepend " + t.args() + comment + " >/dev/null || return\n")
			case u.ours[i].comment != mark || !u.ours[i].marked:
				adds.WriteString("ufw " + t.args() + comment + " >/dev/null || return\n")
			}
			kept[i] = true
		}
	}
	for i, o := range u.ours {
		if !kept[i] {
			deletes.WriteString("ufw delete " + u.spelled(o).args() + " >/dev/null || return\n")
		}
	}
	return adds.String() + deletes.String() + u.note(notes.String())
}

// holds says whether t, as [tuples] spells it, is the rule o that is there, be
// it whole or flawed.
func (u *ufw) holds(o ours, t tuple) bool {
	return u.spelled(o).same(t) || o.flaw != "" && o.same(t)
}

// note spells the commands that write down what we wrote.
func (u *ufw) note(lines string) string {
	file := ufwWritten(u.project)
	if lines == "" {
		return "rm -f " + file + " || return\nrmdir /etc/btplan 2>/dev/null || :\n"
	}
	return "mkdir -p /etc/btplan || return\ncat >" + file + " " + heredocOr(lines) + "\n"
}

func (u *ufw) snapshot() string {
	return `cp -p /etc/ufw/user.rules /etc/ufw/user6.rules "$change" || exit
`
}

// undo puts ufw's files back and loads them as ufw itself does.
func (u *ufw) undo(owned) string {
	s := "cat user.rules >/etc/ufw/user.rules\ncat user6.rules >/etc/ufw/user6.rules\n"
	if u.active {
		s += "iptables-restore -w -n </etc/ufw/user.rules\n"
		if u.ipv6 {
			s += "ip6tables-restore -w -n </etc/ufw/user6.rules\n"
		}
	}
	return s + "undo() {\n" + u.note(string(u.written)) + "}\nundo\n"
}

func (u *ufw) overridden(rules []plan.Rule) []string {
	var names []string
	for _, r := range rules {
		for _, t := range u.shutting(r) {
			names = append(names, fmt.Sprintf("%q", t))
		}
	}
	return names
}

func (u *ufw) refuse(rules []plan.Rule) *providers.Problem {
	for _, r := range rules {
		for _, t := range u.shutting(r) {
			if t.isFor(r) {
				return &providers.Problem{
					Summary: "A rule shuts these ports",
					Detail:  fmt.Sprintf("ufw has the rule %q, which is for these very ports (%s). btplan does not open what someone has shut on purpose: delete that rule, with ufw delete, or choose other ports.", t, r),
				}
			}
		}
	}
	return u.inTheWay(rules)
}

// shutting gives the rules of others that keep out some of r's packets.
func (u *ufw) shutting(r plan.Rule) []tuple {
	var out []tuple
	ports := ourTuple(string(r.Protocol), spelledPorts(r.Ports), anywhere)
	for _, list := range u.rules {
		for _, t := range list {
			shuts := func(from string) bool { return t.shuts(r.Protocol, from) }
			if t.meets(ports) && slices.ContainsFunc(spelledSources(r.Sources), shuts) {
				out = append(out, t)
			}
		}
	}
	return out
}

// isFor says whether a deny is for nothing but ports of r, whoever sends.
func (t tuple) isFor(r plan.Rule) bool {
	ports, err := t.portRanges()
	return err == nil && t.from == anywhere && t.direction == "in" &&
		!slices.ContainsFunc(ports, func(p plan.PortRange) bool { return p.First < r.Ports.First || p.Last > r.Ports.Last })
}

// inTheWay says what keeps rules from being made at all.
func (u *ufw) inTheWay(rules []plan.Rule) *providers.Problem {
	for _, r := range rules {
		if i := slices.IndexFunc(r.Sources, func(p netip.Prefix) bool { return p.Addr().Is6() }); i >= 0 && !u.ipv6 {
			return &providers.Problem{
				Summary: "ufw does not do IPv6",
				Detail:  fmt.Sprintf("The source %s is of IPv6, and /etc/default/ufw says IPV6=no: ufw takes no rule for it. Set IPV6=yes there and run ufw reload, or leave the source out.", r.Sources[i]),
			}
		}
	}
	for _, t := range tuples(rules) {
		for _, list := range u.rules {
			i := slices.IndexFunc(list, func(x tuple) bool {
				return !u.isOurs(x) && x.same(ourTuple(t.protocol, t.ports, anyAddress(t.from)))
			})
			if i >= 0 && !u.hasEqual(rules) {
				return &providers.Problem{
					Summary: "A rule is in the way",
					Detail:  fmt.Sprintf("ufw has the rule %q, which btplan did not make, and keeps no second one for the same ports and sources. Delete it, with ufw delete, or choose other ports.", list[i]),
				}
			}
		}
	}
	return nil
}

// hasEqual says whether a foreign rule is equal to one of these, which the plan
// tells of.
func (u *ufw) hasEqual(rules []plan.Rule) bool {
	return slices.ContainsFunc(u.foreign(), func(l plan.Live) bool {
		return slices.ContainsFunc(rules, l.Rule.Equal)
	})
}

// takes counts the commands of ufw, each of which takes about a second, and
// more on a slow machine.
func (u *ufw) takes(after owned) time.Duration {
	const command = 3 * time.Second
	return time.Duration(strings.Count(u.change(after), " >/dev/null || return\n")) * command
}
