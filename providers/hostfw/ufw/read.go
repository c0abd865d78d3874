package ufw

import (
	"net/netip"
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// rules gives what a tuple lets in or out, one rule for each protocol and range,
// in one IP version: that of the rule's one source, for an outbound one too. The
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
			out = append(out, plan.Rule{Kind: t.kind(), Protocol: protocol, Ports: p, Sources: []netip.Prefix{source}})
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
		for _, r := range host.JoinSources(pieces) {
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
// machine's networks, or out to everyone. What is for one interface, address or
// port of the sender opens no port to the Internet, and is left out.
func (u *ufw) foreign() []plan.Live {
	var out []plan.Live
	seen := map[string]bool{}
	for six, tuples := range u.rules {
		for _, t := range tuples {
			if !t.lets() || u.isOurs(t) || t.direction == outward && !u.letsOut(t) {
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
				r.Sources = host.SourcesIn(r.Kind, r.Sources)
				out = append(out, plan.Live{Rule: r, Project: project, Handle: "ufw: " + t.String()})
			}
		}
	}
	return out
}

// lets says whether t lets packets in or out, be it not too many at once.
func (t tuple) lets() bool {
	return t.isPlain() && (t.verb() == "allow" || t.verb() == "limit")
}

// letsOut says whether t lets out what it is for, over both IP versions: it
// does not where it stands behind a deny.
func (u *ufw) letsOut(t tuple) bool {
	for six, tuples := range u.rules {
		if six == 1 && !u.ipv6 {
			continue
		}
		i := slices.IndexFunc(tuples, func(x tuple) bool { return x.same(t) && x.lets() })
		if i < 0 || slices.ContainsFunc(tuples[:i], t.isBehind) {
			return false
		}
	}
	return true
}

func (u *ufw) isOurs(t tuple) bool {
	return slices.ContainsFunc(u.ours, func(o ours) bool { return o.same(t) && t.action == "allow" })
}
