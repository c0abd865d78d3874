package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Refuse keeps btplan's hands off the port by which it comes in, and off ports
// that someone has shut on purpose; and off a machine on which two changes at
// once could mix.
func (d *Device) Refuse(changes []plan.Change) *providers.Problem {
	if d.Last.NeedsLock() && !d.Last.canLock {
		return &providers.Problem{
			Summary: "There is no flock on the machine",
			Detail:  fmt.Sprintf("Without a lock two changes at once of %s would mix. Install flock there, of the package util-linux.", d.Last.Filter),
		}
	}
	after := WantedOf(changes)
	if why := d.Last.Guard(changes, after); why != nil {
		return why
	}
	return d.Last.Refuse(after)
}

// MaxNamed is how many rules a warning names.
const MaxNamed = 5

// Advise tells of what keeps packets out whatever rules there are, and of rules
// of others that ours come before.
func (d *Device) Advise(changes []plan.Change) []providers.Problem {
	rules := WantedOf(changes)
	var out []providers.Problem
	if f, is := d.Last.Filter.(foreseeing); is {
		out = f.Obstacles(rules)
	}
	if d.Last.Beside != nil {
		out = append(out, d.Last.Beside(rules)...)
	}
	// What is refused is not made, and so overrides nothing.
	names := d.Last.Overridden(slices.DeleteFunc(rules, func(r plan.Rule) bool { return d.Last.Refuse([]plan.Rule{r}) != nil }))
	slices.Sort(names)
	names = slices.Compact(names)
	n := len(names)
	if n == 0 {
		return out
	}
	list := strings.Join(names[:min(n, MaxNamed)], ", ")
	if n > MaxNamed {
		list += fmt.Sprintf(" and %d more", n-MaxNamed)
	}
	return append(out, providers.Problem{
		Summary: "Rules are overridden",
		Detail:  fmt.Sprintf("%s has rules that would keep packets out of the ports that are to be opened: %s. btplan's rules come before them, so that these packets pass all the same.", d.Last.Filter, list),
	})
}

// WantedOf gives the rules that changes lead to.
func WantedOf(changes []plan.Change) []plan.Rule {
	var after []plan.Rule
	for _, c := range changes {
		if c.After != nil {
			after = append(after, *c.After)
		}
	}
	return after
}

// Guard refuses changes that have to do with the port of the SSH server. A
// rule for it is not made, for whoever destroys it later locks himself out; one
// that is there goes only where another lets btplan in.
func (s *State) Guard(changes []plan.Change, after []plan.Rule) *providers.Problem {
	at := s.Login.Server
	if !at.IsValid() {
		return nil
	}
	for _, c := range changes {
		switch {
		case c.Action == plan.NoOp:
		case c.After != nil && s.letsIn(*c.After) && (c.Before == nil || !s.letsIn(*c.Before)):
			return &providers.Problem{
				Summary: fmt.Sprintf("TCP port %d is SSH's", at.Port()),
				Detail:  fmt.Sprintf("btplan comes to this machine by its TCP port %d, and never touches the rule that lets it in: whoever took it away later would be locked out. Leave the port out of the range, and open it by hand if need be.", at.Port()),
			}
		case c.Before != nil && s.letsIn(*c.Before) && !slices.ContainsFunc(after, s.letsIn) && s.Active && !s.foreignLetsIn():
			return &providers.Problem{
				Summary: "btplan would lock itself out",
				Detail:  fmt.Sprintf("The rule %s lets btplan itself in: it comes to this machine from %s by TCP port %d, and no other rule that it knows of lets it. Open that port by hand before this rule goes.", c.Before, s.Login.Client.Addr(), at.Port()),
			}
		}
	}
	return nil
}

// letsIn says whether a rule lets in the connection by which btplan is there.
func (s *State) letsIn(r plan.Rule) bool {
	port, from := s.Login.Server.Port(), s.Login.Client.Addr()
	return r.Kind == plan.Allow && r.Protocol == plan.TCP && r.Ports.Overlaps(plan.PortRange{First: port, Last: port}) &&
		(len(r.Sources) == 0 || slices.ContainsFunc(r.Sources, func(p netip.Prefix) bool { return p.Contains(from) }))
}

func (s *State) foreignLetsIn() bool {
	return slices.ContainsFunc(s.Rules, func(l plan.Live) bool { return l.Owner.IsZero() && s.letsIn(l.Rule) })
}
