package linuxgw

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// foreignForwards gives the port forwards of others: those of other projects,
// and every rule that translates the destination of packets that come in. One
// whose ports can't be told, or that does not concern packets from the WAN
// interface, is counted with ports that collide with nobody's.
func foreignForwards(f *facts, home *holding, wan string) ([]plan.Live, error) {
	var out []plan.Live
	for on, save := range f.listed() {
		out = append(out, foreignDNAT(on, save.Table("nat"), home, wan)...)
	}
	if f.ruleset == nil {
		return out, nil
	}
	for _, t := range f.maps.Sets {
		if !isOurs(t.In()) || slices.ContainsFunc(out, func(l plan.Live) bool { return l.Handle == t.In().String() }) {
			continue
		}
		if f.own.HasTable(t.In()) {
			continue
		}
		entries, err := readEntries(f.maps, t.In())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.In(), err)
		}
		for _, r := range joined(entries) {
			out = append(out, plan.Live{Rule: r, Handle: t.In().String()})
		}
	}
	for _, c := range fromPrerouting(f.ruleset) {
		if f.toldByIptables(c.In()) {
			continue
		}
		for _, r := range f.ruleset.RulesOf(c) {
			out = append(out, foreignRule(f.maps, r, wan)...)
		}
	}
	return out, nil
}

// toldByIptables says whether a table of nftables is one that iptables has
// listed, which tells more of its rules.
func (f *facts) toldByIptables(t nft.Table) bool {
	save := f.of(t.Family == "ip6").saves[viaNft]
	return save != nil && t.Family != "inet" && t.Name == "nat" && !slices.Contains(save.Incompatible, "nat")
}

// fromPrerouting gives the chains that packets go through before they are
// routed, and that may translate: those of type nat and where they lead.
func fromPrerouting(rs *nft.Ruleset) []nft.Chain {
	var out, todo []nft.Chain
	for _, c := range rs.Chains {
		if c.Type == "nat" && c.Hook == "prerouting" && !isOurs(c.In()) {
			todo = append(todo, c)
		}
	}
	for len(todo) > 0 {
		c := todo[0]
		todo = todo[1:]
		if slices.Contains(out, c) {
			continue
		}
		out = append(out, c)
		for _, r := range rs.RulesOf(c) {
			for _, s := range r.Statements {
				if s.Name != "jump" && s.Name != "goto" {
					continue
				}
				var to struct{ Target string }
				if json.Unmarshal(s.Body, &to) != nil {
					continue
				}
				for _, next := range rs.Chains {
					if next.In() == c.In() && next.Name == to.Target {
						todo = append(todo, next)
					}
				}
			}
		}
	}
	return out
}

// foreignRule gives the forwards that one rule makes: none if it translates
// nothing.
func foreignRule(maps *nft.Ruleset, r nft.Rule, wan string) []plan.Live {
	m := match{protocols: []plan.Protocol{plan.TCP, plan.UDP}, version: versionOf(r.Family)}
	translates := false
	for _, s := range r.Statements {
		switch s.Name {
		case "match":
			m.narrow(s.Body, wan)
		case "dnat":
			translates = true
			m.dnat(maps, r.In(), s.Body)
		case "redirect":
			translates = true
		case "xt": // a target of iptables, of which nft shows only the name
			var xt struct{ Type, Name string }
			if json.Unmarshal(s.Body, &xt) == nil && (xt.Name == "DNAT" || xt.Name == "REDIRECT") {
				translates = true
			}
		}
	}
	if !translates {
		return nil
	}
	return m.forwards(r.String())
}
