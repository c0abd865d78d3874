package router

import (
	"fmt"
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Advise tells what can't be seen in a plan for a router that lists nothing,
// and which changes can't come about from this computer.
func (g *portctlGateway) Advise(changes []plan.Change) []providers.Problem {
	var out []providers.Problem
	told := map[plan.Addr]bool{}
	for _, c := range changes {
		for _, rule := range []*plan.Rule{c.Before, c.After} {
			if rule == nil || told[c.Owner] || rule == c.Before && inPlace(c) {
				continue
			}
			if err := g.dialect.mine(*rule, g.seen.Local); err != nil {
				told[c.Owner] = true
				out = append(out, providers.Problem{
					Summary: fmt.Sprintf("%s will fail", c.Owner),
					Detail:  err.Error() + ".",
					Owner:   c.Owner,
				})
			}
		}
	}
	if slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Action != plan.Renew && c.After != nil }) {
		out = append(out, providers.Problem{
			Summary: "What others have mapped is not known",
			Detail: fmt.Sprintf("%s can't list what a router maps. What btplan has made is known from its memory (.btplan/memory.json); that someone else has a port shows only when apply asks for it, which then fails and moves nothing.",
				g.dialect.name()),
		})
	}
	return out
}
