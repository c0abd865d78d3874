package linuxgw

import (
	"errors"
	"fmt"
	"slices"

	"github.com/btplan/btplan/internal/boot"
	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// state is what one read of a gateway came to.
type state struct {
	on *gateway
	*holding
	boot        boot.State
	routes      routes
	login       guarded.Login
	canLock     bool
	forwarding6 bool
	early       []netfilter.Verdict // the rules of others that drop packets before ours see them

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
	home, err := g.findHome(f, wan)
	if err != nil {
		return nil, err
	}
	foreign, err := foreignForwards(g, f, home)
	if err != nil {
		return nil, err
	}
	s := &state{on: g, holding: home, boot: f.boot, routes: f.routes, login: f.login,
		canLock: f.canLock, forwarding6: f.forwarding6, early: slices.Collect(f.EarlyDrops())}
	s.sortOut()
	s.rules = append(s.rules, foreign...)
	for i := range s.rules {
		s.rules[i].Device = g.addr
	}
	s.problems = s.findProblems(f)
	return s, nil
}

// sortOut tells our forwards from those that someone else put among them.
func (s *state) sortOut() {
	byOwner := map[plan.Addr][]entry{}
	for _, e := range s.entries {
		mark, _ := cutSeal(e.comment)
		of, owner, ok := plan.ParseMark(mark)
		if !ok || of != s.on.project {
			s.foreignEntries = append(s.foreignEntries, e)
			s.rules = append(s.rules, plan.Live{Rule: e.rule, Handle: fmt.Sprintf("in %s with no mark of this project", s.filter)})
			continue
		}
		byOwner[owner] = append(byOwner[owner], e)
	}
	outdated := s.outdated
	if len(s.entries) > 0 && outdated == "" && !s.saved(s.entries) {
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

// bootText spells the script that makes the gateway hold these entries at boot.
func (s *state) bootText(entries []entry, generation string) string {
	return s.on.boot().Text(s.load(entries, generation))
}

// saved says whether the gateway will hold at its next boot what it holds
// now.
func (s *state) saved(entries []entry) bool {
	return s.on.boot().Holds(s.boot, s.bootText(entries, s.generation))
}

// saveScript spells what makes these entries last, or what removes all trace
// of that when there are none. It ends with a code other than 0 when it can't.
func (s *state) saveScript(entries []entry, generation string) string {
	if len(entries) == 0 {
		return s.on.boot().Forget(s.boot)
	}
	return s.on.boot().Save(s.boot, s.bootText(entries, generation), "BTPLAN_"+generation)
}

// unsaved is why rules are written again that are in force, but will not be
// after the next boot.
const unsaved = "it isn't saved as it is for the next boot"

// nowSaved takes note that what is in force has been saved, and that nothing is
// if nothing is in force.
func (s *state) nowSaved() {
	for i := range s.rules {
		if s.rules[i].Outdated == unsaved {
			s.rules[i].Outdated = ""
		}
	}
	returning := s.returning()
	s.problems = slices.DeleteFunc(s.problems, func(p providers.Problem) bool { return slices.Contains(returning, p) })
}
