package packetfilter

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// opening is one rule as a packet filter of the kernel holds it. Its comment
// holds mark and seal; one that someone else put there has whatever comment
// they gave it.
type opening struct {
	rule    plan.Rule
	comment string
}

// openingsOf gives the openings for rules of a project, beside those that are
// not its own.
func openingsOf(project string, rules host.Owned, others []opening) []opening {
	out := slices.Clone(others)
	for _, owner := range slices.SortedFunc(maps.Keys(rules), plan.Addr.Compare) {
		comment := plan.Mark(project, owner) + ":" + plan.Seal(rules[owner])
		for _, r := range rules[owner] {
			out = append(out, opening{r, comment})
		}
	}
	slices.SortFunc(out, func(a, b opening) int { return a.rule.Compare(b.rule) })
	return out
}

// cutSeal takes the seal off a comment.
func cutSeal(comment string) (mark, seal string) {
	i := strings.LastIndexByte(comment, ':')
	if i < 0 {
		return comment, ""
	}
	return comment[:i], comment[i+1:]
}

// joinOpenings joins openings that a filter holds in pieces, which differ in
// nothing but the source.
func joinOpenings(pieces []opening) []opening {
	type same struct {
		kind     plan.Kind
		protocol plan.Protocol
		ports    plan.PortRange
		comment  string
	}
	var order []same
	sources := map[same][]netip.Prefix{}
	for _, o := range pieces {
		k := same{o.rule.Kind, o.rule.Protocol, o.rule.Ports, o.comment}
		if sources[k] == nil {
			order = append(order, k)
		}
		sources[k] = append(sources[k], o.rule.Sources...)
	}
	var out []opening
	for _, k := range order {
		out = append(out, opening{plan.Rule{Kind: k.kind, Protocol: k.protocol, Ports: k.ports, Sources: plan.CanonicalSources(sources[k])}, k.comment})
	}
	slices.SortFunc(out, func(a, b opening) int { return a.rule.Compare(b.rule) })
	return out
}

// versionsOf gives the IP versions of the packets of some openings.
func versionsOf(list []opening) netfilter.Versions {
	var v netfilter.Versions
	for _, o := range list {
		v.Four = v.Four || len(host.SourcesOf(o.rule, false)) > 0
		v.Six = v.Six || len(host.SourcesOf(o.rule, true)) > 0
	}
	return v
}

// liveOpenings tells the rules of a project from those that someone else put
// among them. drift is what is wrong with that on which all depend.
func liveOpenings(project, where, drift string, list []opening) (live []plan.Live, others []opening) {
	byOwner := map[plan.Addr][]opening{}
	for _, o := range list {
		mark, _ := cutSeal(o.comment)
		of, owner, ok := plan.ParseMark(mark)
		if !ok || of != project {
			others = append(others, o)
			live = append(live, plan.Live{Rule: o.rule, Handle: "in " + where + " with no mark of this project"})
			continue
		}
		byOwner[owner] = append(byOwner[owner], o)
	}
	for owner, list := range byOwner {
		rules := rulesOf(list)
		seal, why := plan.Seal(rules), drift
		if slices.ContainsFunc(list, func(o opening) bool { _, has := cutSeal(o.comment); return has != seal }) {
			why = "changed on the machine since btplan wrote it"
		}
		for _, r := range rules {
			live = append(live, plan.Live{Rule: r, Owner: owner, Handle: where, Drift: why})
		}
	}
	return live, others
}

// rulesOf gives the rules of some openings in the form that Shape gives them.
func rulesOf(list []opening) []plan.Rule {
	rules := make([]plan.Rule, 0, len(list))
	for _, o := range list {
		rules = append(rules, o.rule)
	}
	return plan.Coalesce(rules)
}
