package netfilter

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/internal/script"
)

// Choice is which packet filter is to hold our rules.
type Choice string

// The choices.
const (
	Auto     Choice = "auto" // the one that is there
	Nftables Choice = "nftables"
	Iptables Choice = "iptables"
)

// Words are what a kind of device is called, and how its block names a filter.
type Words struct {
	Device  string // "gateway"
	Setting string // "backend = %q"
}

func (w Words) incomplete(section string) error {
	return fmt.Errorf("the %s's answer is incomplete: it has no section %q", w.Device, section)
}

// set spells a choice as the block has it.
func (w Words) set(c Choice) string { return fmt.Sprintf(w.Setting, string(c)) }

// Home finds the filter that holds our rules, or is to: a table of nftables or,
// in chains of these kinds, one variant of iptables. Where rules of ours are,
// there they stay.
func (f *Facts) Home(names Names, asked Choice, kinds []Kind) (*Table, *Chains, error) {
	if err := f.unread(asked); err != nil {
		return nil, nil, err
	}
	table := f.table(names)
	chains := map[Variant]*Chains{}
	var homes []string
	var is Choice
	if table != nil && table.Exists {
		homes, is = append(homes, table.String()), Nftables
	}
	var home *Chains
	for _, v := range []Variant{ViaNft, Legacy} {
		c, err := f.chains(v, names, kinds)
		if err != nil {
			return nil, nil, err
		}
		chains[v] = c
		if c != nil && c.Exists() {
			homes, is, home = append(homes, c.String()), Iptables, c
		}
	}
	switch {
	case len(homes) > 1:
		return nil, nil, fmt.Errorf("the %s holds rules of the project %s twice, as %s and as %s. Remove one of them by hand, then apply again", f.words.Device, names.Project, homes[0], homes[1])
	case len(homes) == 1 && asked != Auto && asked != is:
		return nil, nil, fmt.Errorf("the block says %s, but the %s holds the rules of the project %s with %s, as %s. Set %s, run btplan destroy, then set %s and apply",
			f.words.set(asked), f.words.Device, names.Project, is, homes[0], f.words.set(is), strconv.Quote(string(asked)))
	case home != nil:
		return nil, home, nil
	case len(homes) == 1, asked != Iptables && table != nil:
		return table, nil, nil
	case chains[f.Usual] != nil:
		return nil, chains[f.Usual], nil
	}
	return nil, nil, f.noFilter(asked)
}

// unread says why what was read of the filters isn't all that has to be known:
// what could not be listed is not nothing.
func (f *Facts) unread(asked Choice) error {
	x := f.x[0]
	if says := strings.TrimSpace(x.says + "\n" + f.nftSays); f.Ruleset == nil && script.ForRootOnly(says) || script.ForRootOnly(x.says) {
		first, _, _ := strings.Cut(says, "\n")
		return fmt.Errorf("%s. The %s says: %s", script.RootOnly, f.words.Device, first)
	}
	if _, there := x.commands[Legacy]; there && x.saves[Legacy] == nil {
		return fmt.Errorf("the rules of iptables-legacy can't be listed: %s", x.says)
	}
	if f.x[1].says != "" {
		return fmt.Errorf("the IPv6 rules of iptables can't be listed: %s", f.x[1].says)
	}
	if f.Ruleset == nil && asked == Nftables {
		return f.noNft()
	}
	if s := x.saves[ViaNft]; s != nil && asked != Nftables && f.Usual == ViaNft && (asked == Iptables || f.Ruleset == nil) {
		for _, name := range s.Incompatible {
			if slices.Contains(tables, TableID{false, name}) {
				return fmt.Errorf("the table %s holds something of nft that iptables can't list, and can't work beside. Set %s, and install the package nftables on the %s", name, f.words.set(Nftables), f.words.Device)
			}
		}
	}
	return nil
}

// noNft says why nftables can't be used.
func (f *Facts) noNft() error {
	if f.nftSays == "" {
		return fmt.Errorf("there is no nft on the %s: install the package nftables there", f.words.Device)
	}
	return fmt.Errorf("nft does not work on the %s, or not with -j (JSON): %s", f.words.Device, f.nftSays)
}

// noFilter says why no filter can be used.
func (f *Facts) noFilter(asked Choice) error {
	says := strings.TrimSpace(strings.Join([]string{f.nftSays, f.x[0].says}, "\n"))
	switch {
	case says != "":
		return fmt.Errorf("no packet filter works on the %s. It says: %s", f.words.Device, says)
	case asked == Iptables:
		return fmt.Errorf("there is no iptables on the %s: install the package iptables there, or set %s", f.words.Device, f.words.set(Nftables))
	}
	return errors.New("there is neither nft nor iptables on the " + f.words.Device + ": install the package nftables there, or iptables")
}
