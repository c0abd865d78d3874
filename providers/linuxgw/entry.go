package linuxgw

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
)

// entry is one forward as a filter holds it. Its comment holds mark and seal;
// one that someone else put there has whatever comment they gave it.
type entry struct {
	rule    plan.Rule
	comment string
}

// hasIPv6 says whether some entry is for IPv6.
func hasIPv6(entries []entry) bool { return versionsOf(entries).Six }

// versionsOf gives the IP versions that entries are for.
func versionsOf(entries []entry) netfilter.Versions {
	var v netfilter.Versions
	for _, e := range entries {
		v.Six = v.Six || e.rule.To.Addr().Is6()
		v.Four = v.Four || e.rule.To.Addr().Is4()
	}
	return v
}

// ofVersion are those entries that are for IPv6, or for IPv4.
func ofVersion(entries []entry, six bool) []entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.rule.To.Addr().Is6() != six })
}

// isTranslated says whether packets have to be led to a rule's machine. Over
// IPv6 they come for the machine itself.
func isTranslated(r plan.Rule) bool { return r.To.Addr().Is4() || isShifted(r) }

// joinEntries joins entries that a filter holds in pieces: those that differ in
// nothing but the source, and shifted ones, which it holds port by port.
func joinEntries(pieces []entry) []entry {
	type same struct {
		protocol plan.Protocol
		ports    plan.PortRange
		to       netip.AddrPort
		comment  string
	}
	var order []same
	sources := map[same][]netip.Prefix{}
	for _, e := range pieces {
		k := same{e.rule.Protocol, e.rule.Ports, e.rule.To, e.comment}
		if sources[k] == nil {
			order = append(order, k)
		}
		sources[k] = append(sources[k], e.rule.Sources...)
	}
	var out []entry
	for _, k := range order {
		r := plan.Rule{Kind: plan.Forward, Protocol: k.protocol, Ports: k.ports, To: k.to, Sources: plan.CanonicalSources(sources[k])}
		out = append(out, entry{r, k.comment})
	}
	return joinShifted(out)
}

// isShifted says whether the ports on the machine differ from those outside.
func isShifted(r plan.Rule) bool { return r.To.Port() != r.Ports.First }

// joinShifted makes ranges of entries of single ports.
func joinShifted(entries []entry) []entry {
	var out []entry
	byComment := map[string][]plan.Rule{}
	for _, e := range entries {
		if isShifted(e.rule) {
			byComment[e.comment] = append(byComment[e.comment], e.rule)
		} else {
			out = append(out, e)
		}
	}
	for comment, rules := range byComment {
		for _, r := range plan.Coalesce(rules) {
			out = append(out, entry{r, comment})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return a.rule.Compare(b.rule) })
	return out
}

// joined gives the rules of some entries in the form that Shape gives them.
func joined(entries []entry) []plan.Rule {
	rules := make([]plan.Rule, 0, len(entries))
	for _, e := range entries {
		rules = append(rules, e.rule)
	}
	return plan.Coalesce(rules)
}

// cutSeal takes the seal off a comment.
func cutSeal(comment string) (mark, seal string) {
	i := strings.LastIndexByte(comment, ':')
	if i < 0 {
		return comment, ""
	}
	return comment[:i], comment[i+1:]
}

// ownerDrift says how the entries of one owner, or what they need, are not as
// btplan wrote them.
func (h *holding) ownerDrift(entries []entry) string {
	seal := plan.Seal(joined(entries))
	for _, e := range entries {
		if _, has := cutSeal(e.comment); has != seal {
			return "changed on the gateway since btplan wrote it"
		}
	}
	if h.drift != "" {
		return h.drift
	}
	for _, e := range entries {
		if h.blocked[passTarget(e.rule.To.Addr(), e.rule.Protocol)] {
			return "which of its packets may pass was changed on the gateway"
		}
	}
	return ""
}
