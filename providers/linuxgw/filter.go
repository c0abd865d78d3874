package linuxgw

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/providers"
)

// filter is a packet filter of a gateway as the home of our forwards, in the
// state in which it was read. It spells in POSIX sh what apply.go and boot.go
// have the gateway do; the commands it gives end with "|| return" where a
// failure is one, for they are the body of a function.
type filter interface {
	// String names what of the filter is ours: "table inet btplan_home".
	String() string
	// listing spells the command that prints all that is ours, and nothing
	// that changes by itself; and gives what it printed.
	listing() (command string, printed []byte)
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
	exists     bool
	generation string  // which writing it is; empty: it doesn't say
	entries    []entry // all that it forwards
	drift      string  // what is wrong with that on which all entries depend
	blocked    map[string]bool
	outdated   string // why it has to be written again though nobody touched it
}

// findHome decides which filter holds our forwards, or is to. Where rules of
// ours are, there they stay.
func findHome(g *gateway, f *facts, wan string) (*holding, error) {
	if err := f.unread(g.backend); err != nil {
		return nil, err
	}
	var homes []*holding
	for _, read := range []func(*gateway, *facts, string) (*holding, error){readNftables, readIptablesNft, readIptablesLegacy} {
		h, err := read(g, f, wan)
		if err != nil {
			return nil, err
		}
		if h != nil && h.exists {
			homes = append(homes, h)
		}
	}
	switch {
	case len(homes) > 1:
		return nil, fmt.Errorf("the gateway holds rules of the project %s twice, as %s and as %s. Remove one of them by hand, then apply again", g.project, homes[0], homes[1])
	case len(homes) == 1:
		if is := backendOf(homes[0].filter); g.backend != auto && g.backend != is {
			return nil, fmt.Errorf("backend is %q, but the gateway holds the rules of the project %s with %s, as %s. Set backend = %q, run btplan destroy, then set %q and apply",
				string(g.backend), g.project, is, homes[0], string(is), string(g.backend))
		}
		return homes[0], nil
	}
	var home *holding
	var err error
	switch {
	case g.backend != withIptables && f.ruleset != nil:
		home, err = readNftables(g, f, wan)
	case f.iptables == legacy:
		home, err = readIptablesLegacy(g, f, wan)
	case f.iptables == viaNft:
		home, err = readIptablesNft(g, f, wan)
	}
	if home == nil && err == nil {
		err = f.noFilter(g.backend)
	}
	return home, err
}

// unread says why what was read of the filters isn't all that has to be known:
// what could not be listed is not nothing.
func (f *facts) unread(asked backend) error {
	if says := f.says + f.nftSays; f.ruleset == nil && forRootOnly(says) || forRootOnly(f.says) {
		return fmt.Errorf("%s. The gateway says: %s", rootOnly, says)
	}
	if _, there := f.commands[legacy]; there && f.saves[legacy] == nil {
		return fmt.Errorf("the rules of iptables-legacy can't be listed: %s", f.says)
	}
	if f.six.says != "" {
		return fmt.Errorf("the IPv6 rules of iptables can't be listed: %s", f.six.says)
	}
	if f.ruleset == nil && asked == withNftables {
		return f.noNft()
	}
	if s := f.saves[viaNft]; s != nil && asked != withNftables && f.iptables == viaNft && (asked == withIptables || f.ruleset == nil) {
		for _, name := range s.Incompatible {
			if slices.Contains(builtIn, tableID{false, name}) {
				return fmt.Errorf("the table %s holds something of nft that iptables can't list, and can't work beside. Set backend = \"nftables\", and install the package nftables on the gateway", name)
			}
		}
	}
	return nil
}

func backendOf(f filter) backend {
	if _, is := f.(*nftables); is {
		return withNftables
	}
	return withIptables
}

// noNft says why nftables can't be used.
func (f *facts) noNft() error {
	if f.nftSays == "" {
		return errors.New("there is no nft on the gateway: install the package nftables there")
	}
	return fmt.Errorf("nft does not work on the gateway, or not with -j (JSON): %s", f.nftSays)
}

// noFilter says why no filter can be used.
func (f *facts) noFilter(asked backend) error {
	says := strings.TrimSpace(strings.Join([]string{f.nftSays, f.says}, "\n"))
	switch {
	case says != "":
		return fmt.Errorf("no packet filter works on the gateway. It says: %s", says)
	case asked == withIptables:
		return errors.New("there is no iptables on the gateway: install the package iptables there, or set backend = \"nftables\"")
	}
	return errors.New("there is neither nft nor iptables on the gateway: install the package nftables there, or iptables")
}

// checkFirewalld refuses a gateway whose rules are firewalld's: it drops all
// hooks in its chains whenever it reloads, which it does at every change of
// its own.
func checkFirewalld(f *facts) error {
	if !f.firewalld() {
		return nil
	}
	return providers.Flag(errors.New("the gateway's firewall is firewalld, which throws away the rules that let forwarded packets through its chains whenever it reloads. btplan can't work beside it: have the gateway's rules loaded by nftables.service or netfilter-persistent and run systemctl disable --now firewalld, or take this gateway out of the configuration"),
		providers.ErrUnsupported)
}
