package plan

import (
	"cmp"
	"slices"
)

// needed leaves out those outbound rules that foreign ones make needless: a
// firewall that drops what its machine sends mostly lets out the Web, and a
// second accept for port 443 would change nothing. One that is ours already
// stays, so that a foreign rule that comes and goes takes nothing with it. Both
// lists are sorted; wanted is changed.
func needed(wanted []*Wanted, ours []*Live, foreign map[place]foreignRules) []*Wanted {
	return slices.DeleteFunc(wanted, func(w *Wanted) bool {
		return w.Kind == Outbound && foreign[placeOf(w.Device, w.Rule)].letOut(w.Ports) && !stands(w, ours)
	})
}

// stands says whether w is there already.
func stands(w *Wanted, ours []*Live) bool {
	_, found := slices.BinarySearchFunc(ours, w, func(l *Live, w *Wanted) int {
		return cmp.Or(compareOwners(l.Device, l.Owner, w.Device, w.Owner), l.Rule.Compare(w.Rule))
	})
	return found
}

// letOut says whether one of the rules is for all of these ports.
func (f foreignRules) letOut(ports PortRange) bool {
	return !f.eachOverlapping(0, len(f.rules), ports, func(l *Live) bool {
		return l.Ports.First > ports.First || l.Ports.Last < ports.Last
	})
}
