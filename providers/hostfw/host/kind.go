// Package host is what the firewalls of machines have in common, whichever they
// are: a [Device] reads one, sees to it that no change shuts btplan out, and has
// the machine make changes that are taken back unless they are claimed. What is
// a firewall's own is its [Kind], one package each.
package host

import (
	"maps"
	"slices"
	"time"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Kind is one back end: a host firewall by the way it is read. All the rest
// follows from what it read.
type Kind struct {
	Name string // of the type
	// Script spells, in POSIX sh, the commands that print what Read reads, in
	// sections whose names begin with the back end's. They change nothing, and
	// print nothing where the firewall isn't installed. Those for the whole of
	// it print the same, and behind it what few changes need; see Filter.
	Script func(project string, whole bool) string
	// Read makes of what was printed what the firewall holds; nil where it
	// isn't installed.
	Read func(project string, p script.Printed) (*Holding, error)
}

// Holding is what a host firewall was found to hold.
type Holding struct {
	Filter
	Found  string // its name, where that was to be found out; see providers.Reading
	Active bool   // packets are filtered by it now
	// DropsOutbound is providers.Reading's.
	DropsOutbound bool
	Rules         []plan.Live // ours, and others that let packets in
	Problems      []providers.Problem
	Returning     []providers.Problem // those of them that are of rules saved for the next boot, and are gone when these are
	// Beside tells of other filters that drop packets of these rules; nil: they
	// were not looked at.
	Beside func(rules []plan.Rule) []providers.Problem
}

// Filter is a host firewall in the state in which it was read, as the home of
// our rules. It spells in POSIX sh what Device.Apply has the machine do; the
// commands of Change end with "|| return" where a failure is one, for they are
// the body of a function.
type Filter interface {
	// String names it: "ufw".
	String() string
	// Listing spells the command that prints all that a change is made from,
	// and nothing that changes by itself; and gives what it printed.
	Listing() (command string, printed []byte)
	// NeedsWhole says whether a change to these rules has to be made from the
	// whole of the firewall.
	NeedsWhole(after Owned) bool
	// Change spells the commands that make the firewall hold these rules of
	// ours and no others, now and after its own reload and a reboot.
	Change(after Owned) string
	// Snapshot spells the commands that put into the directory $change what
	// Undo needs of the present state.
	Snapshot() string
	// Undo spells the commands that take a change back, of as much of it as
	// was made. They are run in the directory of the snapshot.
	Undo(after Owned) string
	// Save spells the commands that make a change last over a reboot, where
	// that needs more than Change. They end the script with another code than
	// 0 when they can't.
	Save(after Owned) string
	// Takes is how long a change may take, where that is more than a moment.
	Takes(after Owned) time.Duration
	// NeedsLock says whether nothing but the lock keeps two changes at once
	// from mixing.
	NeedsLock() bool
	// Overridden names the rules of others that keep packets from these rules,
	// and that these come before: what they mean is lost.
	Overridden(rules []plan.Rule) []string
	// Refuse says why these rules, all of one owner, must not be made; nil:
	// they may.
	Refuse(rules []plan.Rule) *providers.Problem
}

// foreseeing is a filter that can tell what keeps packets from the ports of
// rules however right these are.
type foreseeing interface {
	Obstacles(rules []plan.Rule) []providers.Problem
}

// KeepsRules is a part of filters that keep their rules in files of their own,
// which they load at boot, and that know of no transactions.
type KeepsRules struct{}

// Save has nothing to do.
func (KeepsRules) Save(Owned) string { return "" }

// Takes says that a change takes but a moment.
func (KeepsRules) Takes(Owned) time.Duration { return 0 }

// NeedsLock says that it does.
func (KeepsRules) NeedsLock() bool { return true }

// Owned is rules by their owner.
type Owned map[plan.Addr][]plan.Rule

// Rules gives them all, in one order.
func (o Owned) Rules() []plan.Rule {
	out := slices.Concat(slices.Collect(maps.Values(o))...)
	slices.SortFunc(out, plan.Rule.Compare)
	return out
}

// Unsaved is why rules are written again that are in force, but will not be
// after the next boot.
const Unsaved = "it isn't saved as it is for the next boot"

// nowSaved takes note that what is in force has been saved, and that nothing is
// if nothing is in force.
func (h *Holding) nowSaved() {
	for i := range h.Rules {
		if h.Rules[i].Outdated == Unsaved {
			h.Rules[i].Outdated = ""
		}
	}
	h.Problems = slices.DeleteFunc(h.Problems, func(p providers.Problem) bool { return slices.Contains(h.Returning, p) })
}
