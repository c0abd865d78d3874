package linuxgw

import (
	"errors"
	"fmt"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// state is what one read of a gateway came to.
type state struct {
	project string
	*holding
	wan    string // the interface towards the Internet
	boot   boot
	routes routes
	login  login

	rules          []plan.Live
	foreignEntries []entry // among ours, but not ours
	problems       []providers.Problem
}

// newState works out from the facts what the gateway forwards, and whether
// everything that a forward needs is there.
func newState(g *gateway, f *facts) (*state, error) {
	if err := checkFirewalld(f); err != nil {
		return nil, err
	}
	wan := g.wan
	if wan == "" {
		wan = f.routes.defaultInterface()
	}
	if wan == "" {
		return nil, errors.New("the gateway has no default route to tell which of its interfaces leads to the Internet: set wan_interface in its block")
	}
	home, err := findHome(g, f, wan)
	if err != nil {
		return nil, err
	}
	foreign, err := foreignForwards(f, home, wan)
	if err != nil {
		return nil, err
	}
	s := &state{project: g.project, holding: home, wan: wan, boot: f.boot, routes: f.routes, login: f.login}
	s.sortOut()
	s.rules = append(s.rules, foreign...)
	for i := range s.rules {
		s.rules[i].Device = g.addr
	}
	s.problems = s.findProblems(g, f)
	return s, nil
}

// sortOut tells our forwards from those that someone else put among them.
func (s *state) sortOut() {
	byOwner := map[plan.Addr][]entry{}
	for _, e := range s.entries {
		mark, _ := cutSeal(e.comment)
		of, owner, ok := plan.ParseMark(mark)
		if !ok || of != s.project {
			s.foreignEntries = append(s.foreignEntries, e)
			s.rules = append(s.rules, plan.Live{Rule: e.rule, Handle: fmt.Sprintf("in %s with no mark of this project", s.filter)})
			continue
		}
		byOwner[owner] = append(byOwner[owner], e)
	}
	outdated := s.outdated
	if s.exists && outdated == "" && !s.saved(s.entries) {
		outdated = unsaved
	}
	for owner, entries := range byOwner {
		drift := s.ownerDrift(entries)
		for _, r := range joined(entries) {
			s.rules = append(s.rules, plan.Live{
				Rule: r, Owner: owner, Handle: s.filter.String(),
				Drift: drift, Outdated: outdated,
			})
		}
	}
}
