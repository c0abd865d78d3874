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
			continue
		}
		byOwner[owner] = append(byOwner[owner], o)
	}
	for owner, list := range byOwner {
		why := drift
		if !sealed(list) {
			unmarked := missingFrom(list, others)
			if unmarked == nil {
				why = "changed on the machine since btplan wrote it"
			}
			others = slices.DeleteFunc(others, func(o opening) bool { return slices.ContainsFunc(unmarked, o.equal) })
			for _, o := range unmarked {
				live = append(live, plan.Live{Rule: o.rule, Owner: owner, Handle: where, Drift: "it has lost btplan's mark"})
			}
		}
		for _, r := range rulesOf(list) {
			live = append(live, plan.Live{Rule: r, Owner: owner, Handle: where, Drift: why})
		}
	}
	for _, o := range others {
		live = append(live, plan.Live{Rule: o.rule, Handle: "in " + where + " with no mark of this project"})
	}
	return live, others
}

// sealed says whether these openings of one owner are all that were written.
func sealed(list []opening, more ...opening) bool {
	seal := plan.Seal(rulesOf(slices.Concat(list, more)))
	return !slices.ContainsFunc(list, func(o opening) bool { _, has := cutSeal(o.comment); return has != seal })
}

// missingFrom gives those of the openings of nobody that belong to these of one
// owner, by their seal: someone has made them again without their mark. nil: none
// do.
func missingFrom(list, unmarked []opening) []opening {
	const most = 100 // nobody does that by hand to more, and each is tried
	if len(unmarked) > most {
		return nil
	}
	for i := range unmarked {
		if sealed(list, unmarked[i]) {
			return []opening{unmarked[i]}
		}
	}
	if len(unmarked) > 0 && sealed(list, unmarked...) {
		return slices.Clone(unmarked)
	}
	return nil
}

func (o opening) equal(other opening) bool {
	return o.comment == other.comment && o.rule.Equal(other.rule)
}

// rulesOf gives the rules of some openings in the form that Shape gives them.
func rulesOf(list []opening) []plan.Rule {
	rules := make([]plan.Rule, 0, len(list))
	for _, o := range list {
		rules = append(rules, o.rule)
	}
	return plan.Coalesce(rules)
}
