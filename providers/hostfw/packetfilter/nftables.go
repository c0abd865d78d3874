package packetfilter

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// nftables is our table of nftables as the home of our rules.
type nftables struct{ *netfilter.Table }

// openingSet is a set of our table that holds openings.
type openingSet struct {
	name   string
	kind   plan.Kind
	family string // of the source, which is then a part of the key; empty: from anyone
}

// The sets. That of those who may be talked to is there only if there are any;
// so are those for sources, since not every kernel takes IPv6.
var openingSets = []openingSet{
	{"in", plan.Allow, ""},
	{"in4", plan.Allow, "ip"},
	{"in6", plan.Allow, "ip6"},
	{"out", plan.Outbound, ""},
}

// key is what of a packet on its way to the ports is looked up in the set.
func (s openingSet) key() string {
	if s.family == "" {
		return "meta l4proto . th dport"
	}
	return "meta l4proto . th dport . " + s.family + " saddr"
}

// back is the same of a packet that answers.
func (s openingSet) back() string {
	return "ct direction reply " + strings.NewReplacer("dport", "sport", "saddr", "daddr").Replace(s.key())
}

// elements gives what the set holds of an opening; none: it has no place there.
func (s openingSet) elements(o opening) []netfilter.Element {
	if o.rule.Kind != s.kind {
		return nil
	}
	key := string(o.rule.Protocol) + " . " + o.rule.Ports.String()
	if len(o.rule.Sources) == 0 {
		if s.family == "" {
			return []netfilter.Element{{Key: key, Comment: o.comment}}
		}
		return nil
	}
	var out []netfilter.Element
	for _, p := range o.rule.Sources {
		if s.family == netfilter.Family(p.Addr().Is6()) {
			out = append(out, netfilter.Element{Key: key + " . " + p.String(), Comment: o.comment})
		}
	}
	return out
}

// content is what our table has to hold; nil: there is to be none.
func (n nftables) content(list []opening, generation string) *netfilter.Content {
	if len(list) == 0 {
		return nil
	}
	var sets []netfilter.Set
	for _, s := range setsFor(list) {
		set := netfilter.Set{Name: s.name, Header: "typeof " + s.key() + "; flags interval"}
		for _, o := range list {
			set.Elements = append(set.Elements, s.elements(o)...)
		}
		sets = append(sets, set)
	}
	return &netfilter.Content{Generation: generation, Sets: sets, Chains: n.machinery(list), Hooked: versionsOf(list)}
}

// setsFor gives the sets that are needed for some openings.
func setsFor(list []opening) []openingSet {
	var out []openingSet
	for _, s := range openingSets {
		needed := s == openingSets[0]
		for _, o := range list {
			needed = needed || len(s.elements(o)) > 0
		}
		if needed {
			out = append(out, s)
		}
	}
	return out
}

// machinery is the chains of our table: they mark the packets that the sets are
// for, and where somebody drops what the machine sends, the answers too. Marks
// are set twice: before the earliest chain that may drop, and once more behind
// those that set the whole mark to something else (mangle, -150) and before
// those that usually drop (filter, 0).
//
// Only then is conntrack asked, for it tracks from then on all that the machine
// sends and receives.
func (n nftables) machinery(list []opening) []netfilter.Chain {
	mark := netfilter.SetMark(netfilter.PassMark)
	var in, out []netfilter.Rule
	for _, s := range setsFor(list) {
		to := netfilter.Rule{Name: s.name, Text: s.key() + " @" + s.name + mark}
		back := netfilter.Rule{Name: s.name + "-reply", Text: s.back() + " @" + s.name + mark}
		if s.kind == plan.Outbound {
			in, out = append(in, back), append(out, to)
		} else {
			in, out = append(in, to), append(out, back)
		}
	}
	chains := bothTimes("input", "let_in", in)
	if n.Hooks.Needed(netfilter.Output, false) || n.Hooks.Needed(netfilter.Output, true) {
		chains = append(chains, bothTimes("output", "let_out", out)...)
	}
	return chains
}

// bothTimes gives a chain with these rules, and two base chains that lead to it.
func bothTimes(hook, name string, rules []netfilter.Rule) []netfilter.Chain {
	base := func(chain string, priority int, rule string) netfilter.Chain {
		return netfilter.Chain{
			Chain: nft.Chain{Name: chain, Type: "filter", Hook: hook, Priority: priority, Policy: "accept"},
			Rules: []netfilter.Rule{{Name: rule, Text: "jump " + name}},
		}
	}
	return []netfilter.Chain{
		base(hook+"_first", -1000, "mark-first"), base(hook, -10, "mark-again"),
		{Chain: nft.Chain{Name: name}, Rules: rules},
	}
}

func (n nftables) where() string   { return n.String() }
func (n nftables) NeedsLock() bool { return false }
func (n nftables) writing() string { return n.Generation }

func (n nftables) change(list []opening, generation string) string {
	return n.Table.Change(n.content(list, generation))
}

func (n nftables) Snapshot() string { return n.Table.Snapshot() }

func (n nftables) undo(list []opening, generation string) string {
	return n.Table.Undo(n.content(list, generation))
}

func (n nftables) load(list []opening, generation string) string {
	return n.Table.Load(n.content(list, generation))
}

// read gives what our table holds.
func (n nftables) read(f *netfilter.Facts) (list []opening, drift string, err error) {
	if !n.Exists {
		return nil, "", nil
	}
	if list, err = readOpenings(f.Own, n.Table.Table); err != nil {
		return nil, "", n.Senseless(err)
	}
	n.Hold(f.Own, n.content(list, n.Generation))
	return list, n.Drift(f.Own, n.machinery(list), versionsOf(list)), nil
}

// readOpenings reads the openings of a table of btplan's.
func readOpenings(rs *nft.Ruleset, t nft.Table) ([]opening, error) {
	var out []opening
	for _, s := range openingSets {
		set, _ := rs.Set(t, s.name)
		elements, err := set.Elements()
		if err != nil {
			return nil, err
		}
		for _, e := range elements {
			r, err := s.read(e)
			if err != nil {
				return nil, fmt.Errorf("set %s has an element that can't be read: %w", s.name, err)
			}
			if strings.ContainsFunc(e.Comment, func(c rune) bool { return c == '"' || c < ' ' || c == 0x7f }) {
				return nil, errors.New("a comment in it has a quote or a control character")
			}
			out = append(out, opening{r, e.Comment})
		}
	}
	return joinOpenings(out), nil
}

// read reads one element of the set.
func (s openingSet) read(e nft.Element) (r plan.Rule, err error) {
	parts := 2
	if s.family != "" {
		parts = 3
	}
	if len(e.Key) != parts || len(e.Value) > 0 {
		return r, fmt.Errorf("it has %d and %d parts", len(e.Key), len(e.Value))
	}
	r = plan.Rule{Kind: s.kind, Protocol: plan.Protocol(e.Key[0].String())}
	if r.Ports, err = e.Key[1].Ports(); err != nil {
		return r, err
	}
	r.Sources = []netip.Prefix{host.Everywhere(false), host.Everywhere(true)}
	if s.family != "" {
		source, err := e.Key[2].Prefix()
		if err != nil {
			return r, err
		}
		if netfilter.Family(source.Addr().Is6()) != s.family {
			return r, fmt.Errorf("%s is not of %s", source, s.family)
		}
		r.Sources = []netip.Prefix{source}
	}
	check := r
	check.Sources = nil // not joined yet
	return r, check.Check()
}
