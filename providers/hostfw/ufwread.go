package hostfw

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
)

// rules gives what a tuple lets in, one rule for each protocol and range. The
// error says why that is no rule of ours, or of anyone's.
func (t tuple) rules(six bool) ([]plan.Rule, error) {
	source, err := t.source(six)
	if err != nil {
		return nil, err
	}
	ports, err := t.portRanges()
	if err != nil {
		return nil, err
	}
	var out []plan.Rule
	for _, protocol := range t.protocols() {
		for _, p := range ports {
			out = append(out, plan.Rule{Kind: plan.Allow, Protocol: protocol, Ports: p, Sources: []netip.Prefix{source}})
		}
	}
	return out, nil
}

// live gives our rules.
func (u *ufw) live() []plan.Live {
	byOwner := map[plan.Addr][]ours{}
	for _, o := range u.ours {
		byOwner[o.owner] = append(byOwner[o.owner], o)
	}
	var out []plan.Live
	for owner, list := range byOwner {
		drift := u.ownerDrift(owner, list)
		var pieces []plan.Rule
		for _, o := range list {
			pieces = append(pieces, o.pieces()...)
		}
		for _, r := range joinSources(pieces) {
			l := plan.Live{Rule: r, Owner: owner, Handle: "in ufw's rules", Drift: drift}
			for _, o := range list {
				if why := o.why(); why != "" && slices.ContainsFunc(o.pieces(), r.Collides) {
					l.Drift = why
				}
			}
			out = append(out, l)
		}
	}
	return out
}

// pieces gives what ufw lets in by o.
func (o ours) pieces() []plan.Rule {
	var out []plan.Rule
	for six, there := range o.six {
		if !there {
			continue
		}
		rules, err := o.rules(six == 1)
		if err != nil {
			panic("a rule that findOurs let pass: " + err.Error())
		}
		out = append(out, rules...)
	}
	return out
}

// why says how a rule of ours is not as it has to be; empty: it is.
func (o ours) why() string {
	if !o.marked {
		return "its mark was taken off: the same rule was added by hand"
	}
	return o.flaw
}

// ownerDrift says how the rules of one owner are not those that we wrote.
func (u *ufw) ownerDrift(owner plan.Addr, list []ours) string {
	var wrote []string
	for _, w := range parseWritten(u.written) {
		if _, of, ok := plan.ParseMark(w.comment); ok && of == owner {
			wrote = append(wrote, w.line())
		}
	}
	if wrote == nil {
		return "" // nobody remembers
	}
	var has []string
	for _, o := range list {
		has = append(has, written{u.spelled(o)}.of(u.project, owner).line())
	}
	slices.Sort(wrote)
	slices.Sort(has)
	if !slices.Equal(slices.Compact(wrote), slices.Compact(has)) {
		return "changed on the machine since btplan wrote it"
	}
	return ""
}

// foreign gives the rules of others that let packets in from everywhere on the
// machine's networks. What is for one interface, address or port of the sender
// opens no port to the Internet, and is left out.
func (u *ufw) foreign() []plan.Live {
	var out []plan.Live
	seen := map[string]bool{}
	for six, tuples := range u.rules {
		for _, t := range tuples {
			verb, _, _ := strings.Cut(t.action, "_")
			if verb != "allow" && verb != "limit" || t.route || t.direction != "in" || t.to != anywhere || t.fromPorts != anywhere || u.isOurs(t) {
				continue
			}
			rules, err := t.rules(six == 1)
			if err != nil {
				continue // such as an address with a mask that is no prefix
			}
			project, _, _ := plan.ParseMark(t.comment)
			// The two halves of one rule count once.
			key := t.String() + " " + t.comment
			if seen[key] {
				continue
			}
			seen[key] = true
			for _, r := range rules {
				r.Sources = plan.CanonicalSources(r.Sources)
				out = append(out, plan.Live{Rule: r, Project: project, Handle: "ufw: " + t.String()})
			}
		}
	}
	return out
}

func (u *ufw) isOurs(t tuple) bool {
	return slices.ContainsFunc(u.ours, func(o ours) bool { return o.same(t) && t.action == "allow" })
}

// joinSources joins rules of one owner that differ in nothing but where packets
// come from, however their ports are cut up.
func joinSources(pieces []plan.Rule) []plan.Rule {
	var out []plan.Rule
	for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
		var cuts []int // first ports of what differs from the port before
		for _, p := range pieces {
			if p.Protocol == protocol {
				cuts = append(cuts, int(p.Ports.First), int(p.Ports.Last)+1)
			}
		}
		slices.Sort(cuts)
		cuts = slices.Compact(cuts)
		for i := range len(cuts) - 1 {
			ports := plan.PortRange{First: uint16(cuts[i]), Last: uint16(cuts[i+1] - 1)}
			var sources []netip.Prefix
			for _, p := range pieces {
				if p.Protocol == protocol && p.Ports.Overlaps(ports) {
					sources = append(sources, p.Sources...)
				}
			}
			if sources != nil {
				out = append(out, plan.Rule{Kind: plan.Allow, Protocol: protocol, Ports: ports, Sources: plan.CanonicalSources(sources)})
			}
		}
	}
	return plan.Coalesce(out)
}

// written is a line of the file in which we note what we wrote.
type written struct{ tuple }

// asListed is w as ufw's files have it.
func (w written) asListed() tuple {
	w.from = anyAddress(w.from)
	return w.tuple
}

// of is w as the rule of an owner.
func (w written) of(project string, owner plan.Addr) written {
	w.comment = plan.Mark(project, owner)
	return w
}

func (w written) line() string {
	return fmt.Sprintf("%s %s %s %s", w.protocol, w.ports, w.from, w.comment)
}

// parseWritten reads that file. It helps, and no more: a line that can't be
// read is none.
func parseWritten(file []byte) []written {
	var out []written
	for line := range strings.Lines(string(file)) {
		f := strings.Fields(line)
		if len(f) != 4 {
			continue
		}
		w := written{ourTuple(f[0], f[1], f[2])}
		w.comment = f[3]
		out = append(out, w)
	}
	return out
}
