package linuxgw

import (
	"errors"

	"github.com/btplan/btplan/providers"
)

// filter is a packet filter of a gateway as the home of our forwards, in the
// state in which it was read. It spells in POSIX sh what apply.go and boot.go
// have the gateway do; the commands it gives end with "|| return" where a
// failure is one, for they are the body of a function.
type filter interface {
	// String names what of the filter is ours: "table inet btplan_home".
	String() string
	// Listing spells the command that prints all that is ours, and nothing
	// that changes by itself; and gives what it printed.
	Listing() (command string, printed []byte)
	// needsLock says whether nothing but the lock keeps two changes at once
	// from mixing.
	needsLock() bool
	// change spells the commands that make the filter hold these entries and
	// nothing else, with the hooks that they need. Each of its transactions
	// fails if someone else has written there since it was read.
	change(entries []entry, generation string) string
	// snapshot spells the commands that put into the directory $change what
	// undo needs of the present state.
	snapshot() string
	// undo spells the commands that take the change to these entries back, of
	// as much of it as was made, and nothing once someone else has
	// written since. They are run in the directory of the snapshot.
	undo(entries []entry, generation string) string
	// load spells the commands that make the filter hold these entries
	// whatever it holds, at boot or when others have reloaded their rules.
	load(entries []entry, generation string) string
}

// holding is what was found of ours in a filter.
type holding struct {
	filter
	wan        string // the interface towards the Internet
	exists     bool
	generation string  // which writing it is; empty: it doesn't say
	entries    []entry // all that it forwards
	drift      string  // what is wrong with that on which all entries depend
	blocked    map[string]bool
	outdated   string // why it has to be written again though nobody touched it
}

// findHome reads the filter that holds our forwards, or is to.
func (g *gateway) findHome(f *facts, wan string) (*holding, error) {
	table, own, err := f.Home(g.names(), g.backend, kinds)
	switch {
	case err != nil:
		return nil, err
	case table != nil:
		return g.readTable(f, table, wan)
	}
	return g.readChains(f, own, wan)
}

// checkFirewalld refuses a gateway whose rules are firewalld's: it drops all
// hooks in its chains whenever it reloads, which it does at every change of
// its own.
func checkFirewalld(f *facts) error {
	if !f.Firewalld() {
		return nil
	}
	return providers.Flag(errors.New("the gateway's firewall is firewalld, which throws away the rules that let forwarded packets through its chains whenever it reloads. btplan can't work beside it: have the gateway's rules loaded by nftables.service or netfilter-persistent and run systemctl disable --now firewalld, or take this gateway out of the configuration"),
		providers.ErrUnsupported)
}
