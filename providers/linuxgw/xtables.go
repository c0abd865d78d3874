package linuxgw

import (
	"iter"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
)

// xtables is what was found of iptables for one IP version.
type xtables struct {
	commands     map[variant]program        // those that are there
	saves        map[variant]*iptables.Save // what they hold, where it was listed
	ownLines     map[variant][]byte         // what of it is ours, as ownLines prints it
	legacyTables []string                   // of iptables-legacy: "filter", "nat"
	says         string                     // why they can't be listed
}

// of is what was found for an IP version.
func (f *facts) of(six bool) *xtables {
	if six {
		return &f.six
	}
	return &f.xtables
}

// listed gives the programs whose rules were listed, in order, and these.
func (f *facts) listed() iter.Seq2[program, *iptables.Save] {
	return func(yield func(program, *iptables.Save) bool) {
		for _, x := range []*xtables{&f.xtables, &f.six} {
			for _, v := range []variant{viaNft, legacy} {
				if save := x.saves[v]; save != nil && !yield(x.commands[v], save) {
					return
				}
			}
		}
	}
}

// readIptables6 is readIptables for IPv6: the same variants are listed, by
// commands of the same names. It comes behind that.
func readIptables6(project string) string {
	return `names6= vianft6= legacy6=
if [ -r /proc/net/ip6_tables_names ]; then
	while read -r name; do names6="$names6 $name"; done </proc/net/ip6_tables_names
fi
if [ "$vianft" ] && command -v "ip6${vianft#ip}" >/dev/null; then vianft6=ip6${vianft#ip}; fi
if command -v ip6tables-legacy >/dev/null; then
	legacy6=ip6tables-legacy
elif [ "$legacy" = iptables ] && command -v ip6tables >/dev/null; then
	legacy6=ip6tables
elif [ "$names6" ]; then
	case $(ip6tables --version 2>/dev/null) in
	'' | *nf_tables*) ;;
	*) legacy6=ip6tables ;;
	esac
fi
section ip6tables
echo "nf_tables $vianft6"
echo "legacy $legacy6"
echo "tables" $names6
if [ "$all" -a "$vianft6" ]; then
	` + list(program{viaNft, true, "$vianft6"}, project) + `fi
if [ "$names6" -a "$legacy6" ]; then
	` + list(program{legacy, true, "$legacy6"}, project) + `fi
`
}

// sectionOf names a section for a variant.
func sectionOf(what string, v variant, six bool) string {
	if six {
		what += "6"
	}
	return what + "-" + string(v)
}

// saysSection names the section for what can't be listed.
func saysSection(six bool) string { return commandOf("iptables", six) + "-says" }

// parseXtables reads the sections for one IP version.
func parseXtables(sections map[string][]byte, six bool) (xtables, error) {
	x := xtables{
		commands: map[variant]program{}, saves: map[variant]*iptables.Save{}, ownLines: map[variant][]byte{},
		says: strings.TrimSpace(string(sections[saysSection(six)])),
	}
	for line := range strings.Lines(string(sections[commandOf("iptables", six)])) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch v := variant(words[0]); {
		case words[0] == "tables":
			x.legacyTables = words[1:]
		case (v == viaNft || v == legacy) && isKnownCommand(words[1], six):
			x.commands[v] = program{v, six, words[1]}
		}
	}
	for v := range x.commands {
		body, found := sections[sectionOf("save", v, six)]
		if !found && v == legacy && len(x.legacyTables) == 0 {
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

// isKnownCommand says whether a gateway may have named this one.
func isKnownCommand(s string, six bool) bool {
	return slices.ContainsFunc([]string{"iptables", "iptables-nft", "iptables-legacy"}, func(known string) bool { return s == commandOf(known, six) })
}

// commandOf gives the command for an IP version by the one for IPv4.
func commandOf(command string, six bool) string {
	if six {
		return "ip6" + strings.TrimPrefix(command, "ip")
	}
	return command
}
