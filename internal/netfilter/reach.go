package netfilter

import (
	"encoding/json"
	"slices"

	"github.com/btplan/btplan/internal/nft"
)

// From gives those chains of others that packets come to first, by what begins
// says of base chains, and all that these lead to by rules that follow says of,
// each once, in the order in which they are come upon.
func From(rs *nft.Ruleset, begins func(nft.Chain) bool, follow func(nft.Rule) bool) []nft.Chain {
	var out, todo []nft.Chain
	for _, c := range rs.Chains {
		if c.Hook != "" && !isOurs(c.In()) && begins(c) {
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
			target := jumpsTo(r)
			if target == "" || !follow(r) {
				continue
			}
			for _, next := range rs.Chains {
				if next.In() == c.In() && next.Name == target {
					todo = append(todo, next)
				}
			}
		}
	}
	return out
}

// jumpsTo gives the chain that a rule leads to; empty: none.
func jumpsTo(r nft.Rule) string {
	for _, s := range r.Statements {
		if s.Name != "jump" && s.Name != "goto" {
			continue
		}
		var to struct{ Target string }
		if json.Unmarshal(s.Body, &to) == nil {
			return to.Target
		}
	}
	return ""
}

// Any follows every rule.
func Any(nft.Rule) bool { return true }

// unconditional says whether a rule that jumps is for all packets.
func unconditional(r nft.Rule) bool {
	return !slices.ContainsFunc(r.Statements, func(s nft.Statement) bool {
		return !slices.Contains([]string{"jump", "goto", "counter", "log"}, s.Name)
	})
}
