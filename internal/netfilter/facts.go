package netfilter

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/internal/script"
)

// Facts is what a device told of its packet filters.
type Facts struct {
	Ruleset    *nft.Ruleset   // without elements; nil: nft doesn't work
	Maps       *nft.Ruleset   // the maps with theirs, if they were asked for
	Own        *nft.Ruleset   // our table, whole; empty: there is none
	Peers      []*nft.Ruleset // tables of other projects, if they were asked for
	ownListing []byte         // the same as nft printed it
	nftSays    string         // why it doesn't work; empty: it isn't there

	Usual Variant    // the one that iptables is; empty: there is none, or it wasn't asked
	x     [2]xtables // of IPv4 and IPv6
	words Words
}

// xtables is what was found of iptables for one IP version.
type xtables struct {
	commands     map[Variant]Program        // those that are there
	saves        map[Variant]*iptables.Save // what they hold, where it was listed
	ownLines     map[Variant][]byte         // what of it is ours, as Names.ownLines prints it
	legacyTables []string                   // of iptables-legacy: "filter", "nat"
	says         string                     // why they can't be listed
}

// Parse reads what the commands of a Reading printed.
func (r Reading) Parse(sections script.Printed) (*Facts, error) {
	f := &Facts{
		ownListing: sections["table"],
		nftSays:    strings.TrimSpace(string(sections["nft-says"])),
		words:      r.Words,
	}
	for _, name := range []string{"iptables", "ip6tables"} {
		if _, ok := sections[name]; !ok {
			return nil, r.Words.incomplete(name)
		}
	}
	if ruleset, works := sections["ruleset"]; works {
		for into, text := range map[**nft.Ruleset][]byte{&f.Ruleset: ruleset, &f.Maps: sections["maps"], &f.Own: sections["table"]} {
			var err error
			if *into, err = nft.Parse(bytes.TrimSpace(text)); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if _, is := strings.CutPrefix(name, peerSection); is {
			peer, err := nft.Parse(bytes.TrimSpace(sections[name]))
			if err != nil {
				return nil, err
			}
			f.Peers = append(f.Peers, peer)
		}
	}
	for line := range strings.Lines(string(sections["iptables"])) {
		words := strings.Fields(line)
		if len(words) == 2 && words[0] == "usual" && slices.Contains([]string{string(ViaNft), string(Legacy)}, words[1]) {
			f.Usual = Variant(words[1])
		}
	}
	for i, six := range []bool{false, true} {
		var err error
		if f.x[i], err = parseXtables(sections, six); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// parseXtables reads the sections for one IP version.
func parseXtables(sections script.Printed, six bool) (xtables, error) {
	x := xtables{
		commands: map[Variant]Program{}, saves: map[Variant]*iptables.Save{}, ownLines: map[Variant][]byte{},
		says: strings.TrimSpace(string(sections[saysSection(six)])),
	}
	for line := range strings.Lines(string(sections[CommandOf("iptables", six)])) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch v := Variant(words[0]); {
		case words[0] == "tables":
			x.legacyTables = words[1:]
		case (v == ViaNft || v == Legacy) && isKnownCommand(words[1], six):
			x.commands[v] = Program{v, six, words[1]}
		}
	}
	for v := range x.commands {
		body, found := sections[sectionOf("save", v, six)]
		if !found && v == Legacy && len(x.legacyTables) == 0 {
			x.saves[v] = &iptables.Save{} // nothing to list
		}
		if !found {
			continue
		}
		var err error
		if x.saves[v], err = iptables.Parse(body); err != nil {
			return x, err
		}
		x.ownLines[v] = sections[sectionOf("own", v, six)]
	}
	return x, nil
}

// of is what was found for an IP version.
func (f *Facts) of(six bool) *xtables {
	if six {
		return &f.x[1]
	}
	return &f.x[0]
}

// Save is what one variant holds for an IP version; nil: it isn't there, or
// wasn't listed.
func (f *Facts) Save(v Variant, six bool) *iptables.Save { return f.of(six).saves[v] }

// Listed gives the programs whose rules were listed, in order, and these.
func (f *Facts) Listed() iter.Seq2[Program, *iptables.Save] {
	return func(yield func(Program, *iptables.Save) bool) {
		for _, x := range f.x {
			for _, v := range []Variant{ViaNft, Legacy} {
				if save := x.saves[v]; save != nil && !yield(x.commands[v], save) {
					return
				}
			}
		}
	}
}

// Unlisted gives the commands of iptables-legacy that are not there though
// the kernel has rules of theirs in the table filter.
func (f *Facts) Unlisted() []string {
	var out []string
	for i, six := range []bool{false, true} {
		if _, there := f.x[i].commands[Legacy]; !there && slices.Contains(f.x[i].legacyTables, "filter") {
			out = append(out, CommandOf("iptables-legacy", six))
		}
	}
	return out
}

// None says whether the device has no packet filter that btplan knows.
func (f *Facts) None() bool {
	return f.Ruleset == nil && f.nftSays+f.x[0].says == "" && len(f.x[0].commands) == 0
}

// ToldByIptables says whether a table of nftables is one that iptables has
// listed, which tells more of its rules.
func (f *Facts) ToldByIptables(t nft.Table) bool {
	save := f.of(t.Family == "ip6").saves[ViaNft]
	return save != nil && t.Family != "inet" && slices.ContainsFunc(tables, func(id TableID) bool { return id.Name == t.Name }) && !slices.Contains(save.Incompatible, t.Name)
}

// Firewalld says whether the rules are firewalld's: it names its table so with
// nftables, and makes these chains with iptables.
func (f *Facts) Firewalld() bool {
	if f.Ruleset != nil && slices.ContainsFunc(f.Ruleset.Tables, func(t nft.Table) bool { return t.Name == "firewalld" }) {
		return true
	}
	for _, s := range f.x[0].saves { // of IPv4, which it never leaves out
		if _, found := s.Table("filter").Chain("FORWARD_direct"); found {
			return true
		}
	}
	return false
}
