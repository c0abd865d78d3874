package linuxgw

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// foreignForwards gives the port forwards of others: those of other projects,
// and every rule that translates the destination of packets that come in. One
// whose ports can't be told, or that does not concern packets from the WAN
// interface, is counted with ports that collide with nobody's.
func foreignForwards(g *gateway, f *facts, home *holding) ([]plan.Live, error) {
	var out []plan.Live
	wan := home.wan
	for on, save := range f.Listed() {
		out = append(out, foreignDNAT(on, save.Table("nat"), home, wan)...)
	}
	if f.Ruleset == nil {
		return out, nil
	}
	for _, t := range f.Maps.Sets {
		if !g.names().IsOurs(t.In()) || slices.ContainsFunc(out, func(l plan.Live) bool { return l.Handle == t.In().String() }) {
			continue
		}
		if f.Own.HasTable(t.In()) {
			continue
		}
		entries, err := readEntries(f.Maps, t.In())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.In(), err)
		}
		for _, r := range joined(entries) {
			out = append(out, plan.Live{Rule: r, Handle: t.In().String()})
		}
	}
	// The chains that packets go through before they are routed, and that may
	// translate.
	translates := func(c nft.Chain) bool { return c.Type == "nat" && c.Hook == "prerouting" }
	for _, c := range netfilter.From(f.Ruleset, translates, netfilter.Any) {
		if f.ToldByIptables(c.In()) {
			continue
		}
		for _, r := range f.Ruleset.RulesOf(c) {
			out = append(out, foreignRule(f.Maps, r, wan)...)
		}
	}
	return out, nil
}

// foreignRule gives the forwards that one rule makes: none if it translates
// nothing.
func foreignRule(maps *nft.Ruleset, r nft.Rule, wan string) []plan.Live {
	m := translation{Match: netfilter.MatchIn(r.Family)}
	translates := false
	for _, s := range r.Statements {
		switch s.Name {
		case "match":
			m.Narrow(s.Body)
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
	return m.forwards(r.String(), wan)
}
