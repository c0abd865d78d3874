package hostfw

import (
	"maps"
	"slices"
	"time"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// kind is one back end: a host firewall by the way it is read. All the rest
// follows from what it read.
type kind struct {
	name string // of the type
	// script spells, in POSIX sh, the commands that print what read reads, in
	// sections whose names begin with the back end's. They change nothing, and
	// print nothing where the firewall isn't installed. Those for the whole of
	// it print the same, and behind it what few changes need; see filter.
	script func(project string, whole bool) string
	// read makes of what was printed what the firewall holds; nil where it
	// isn't installed.
	read func(project string, p script.Printed) (*holding, error)
}

// holding is what a host firewall was found to hold.
type holding struct {
	filter
	found  string // its name, where that was to be found out; see providers.Reading
	active bool   // packets are filtered by it now
	// dropsOutbound is providers.Reading's.
	dropsOutbound bool
	rules         []plan.Live // ours, and others that let packets in
	problems      []providers.Problem
	returning     []providers.Problem // those of them that are of rules saved for the next boot, and are gone when these are
}

// filter is a host firewall in the state in which it was read, as the home of
// our rules. It spells in POSIX sh what apply.go has the machine do; the
// commands of change end with "|| return" where a failure is one, for they are
// the body of a function.
type filter interface {
	// String names it: "ufw".
	String() string
	// listing spells the command that prints all that a change is made from,
	// and nothing that changes by itself; and gives what it printed.
	listing() (command string, printed []byte)
	// needsWhole says whether a change to these rules has to be made from the
	// whole of the firewall.
	needsWhole(after owned) bool
	// change spells the commands that make the firewall hold these rules of
	// ours and no others, now and after its own reload and a reboot.
	change(after owned) string
	// snapshot spells the commands that put into the directory $change what
	// undo needs of the present state.
	snapshot() string
	// undo spells the commands that take a change back, of as much of it as
	// was made. They are run in the directory of the snapshot.
	undo(after owned) string
	// save spells the commands that make a change last over a reboot, where
	// that needs more than change. They end the script with another code than
	// 0 when they can't.
	save(after owned) string
	// takes is how long a change may take, where that is more than a moment.
	takes(after owned) time.Duration
	// needsLock says whether nothing but the lock keeps two changes at once
	// from mixing.
	needsLock() bool
	// overridden names the rules of others that keep packets from these rules,
	// and that these come before: what they mean is lost.
	overridden(rules []plan.Rule) []string
	// refuse says why these rules, all of one owner, must not be made; nil:
	// they may.
	refuse(rules []plan.Rule) *providers.Problem
}

// foreseeing is a filter that can tell what keeps packets from the ports of
// rules however right these are.
type foreseeing interface {
	obstacles(rules []plan.Rule) []providers.Problem
}

// keepsRules is a part of filters that keep their rules in files of their own,
// which they load at boot, and that know of no transactions.
type keepsRules struct{}

func (keepsRules) save(owned) string         { return "" }
func (keepsRules) takes(owned) time.Duration { return 0 }
func (keepsRules) needsLock() bool           { return true }

// owned is rules by their owner.
type owned map[plan.Addr][]plan.Rule

// rules gives them all, in one order.
func (o owned) rules() []plan.Rule {
	out := slices.Concat(slices.Collect(maps.Values(o))...)
	slices.SortFunc(out, plan.Rule.Compare)
	return out
}

// unsaved is why rules are written again that are in force, but will not be
// after the next boot.
const unsaved = "it isn't saved as it is for the next boot"

// nowSaved takes note that what is in force has been saved, and that nothing is
// if nothing is in force.
func (h *holding) nowSaved() {
	for i := range h.rules {
		if h.rules[i].Outdated == unsaved {
			h.rules[i].Outdated = ""
		}
	}
	h.problems = slices.DeleteFunc(h.problems, func(p providers.Problem) bool { return slices.Contains(h.returning, p) })
}
