package netfilter

import (
	"fmt"
	"iter"
	"slices"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/nft"
)

// Manager is a program that writes the rules of a packet filter for people.
type Manager string

// The managers.
const (
	UFW       Manager = "ufw"
	Firewalld Manager = "firewalld"
)

// fills says whether a table of nftables or iptables is one that holds the
// manager's rules, by its name and those of its chains. See signs.
func (m Manager) fills(table string, chains []string) bool {
	switch m {
	case UFW:
		return slices.Contains(chains, "ufw-user-input") || slices.Contains(chains, "ufw6-user-input")
	case Firewalld: // the latter where its own back end is iptables
		return table == "firewalld" || slices.Contains(chains, "INPUT_ZONES")
	}
	return false
}

// signs are the lines by which the table of fills is known in what nft prints,
// as a pattern of the shell.
func (m Manager) signs() string {
	switch m {
	case UFW:
		return `"chain ufw-user-input "* | "chain ufw6-user-input "*`
	case Firewalld:
		return `"table "*" firewalld {" | "chain INPUT_ZONES "*`
	}
	panic("unknown manager " + string(m))
}

// NotAlone spells a shell condition: that chains on the ways to and from the
// device may be there that are not the manager's. It is a third of the cost of
// listing all rules, and on most devices the answer is no. A table of
// iptables-legacy is taken for another's.
func (m Manager) NotAlone() string {
	return `read -r name 2>/dev/null </proc/net/ip_tables_names || read -r name 2>/dev/null </proc/net/ip6_tables_names ||
nft list chains 2>/dev/null | {
	others= hooked= own=
	while read -r a b c d rest; do
		if [ "$a" = table ]; then
			[ -z "$hooked" ] || [ "$own" ] || others=yes
			hooked= own=
		fi
		case "$a $b $c $d" in
		` + m.signs() + `) own=yes ;;
		"type filter hook input" | "type filter hook output") hooked=yes ;;
		esac
	done
	[ "$others" ] || [ "$hooked" -a -z "$own" ]
}`
}

// Base is a chain that all packets on a way come by.
type Base struct {
	Chain   string // "chain input of table inet filter"
	Version Version
	Policy  string // "drop" or, of iptables, "DROP"; what becomes of the rest
	// Verdicts are the rules that decide of packets, as those of
	// Facts.Verdicts: its own in order, then those of chains that it leads to.
	Verdicts []Verdict
}

// Bases gives the chains of others that all packets on a way come by, but not
// those in tables that these managers fill.
func (f *Facts) Bases(way Way, without ...Manager) iter.Seq[Base] {
	return func(yield func(Base) bool) {
		for b := range f.nftBases(way, without) {
			if !yield(b) {
				return
			}
		}
		for on, save := range f.Listed() {
			for _, name := range []string{"mangle", "filter"} {
				t := save.Table(name)
				c, found := t.Chain(way.chain())
				if !found || anyFills(without, name, chainNames(t.Chains, func(c iptables.Chain) string { return c.Name })) {
					continue
				}
				b := Base{
					Chain:   fmt.Sprintf("chain %s of table %s of %s", c.Name, name, on.Command),
					Version: VersionOf(Family(on.Six)), Policy: c.Policy,
					Verdicts: slices.Collect(chainVerdicts(on, t, c.Name)),
				}
				if !yield(b) {
					return
				}
			}
		}
	}
}

// nftBases gives those of nftables, but for what iptables tells.
func (f *Facts) nftBases(way Way, without []Manager) iter.Seq[Base] {
	return func(yield func(Base) bool) {
		if f.Ruleset == nil {
			return
		}
		for _, c := range f.Ruleset.Chains {
			filters := c.Hook == string(way) && c.Type == "filter" && slices.Contains([]string{"ip", "ip6", "inet"}, c.Family)
			if !filters || isOurs(c.In()) || f.ToldByIptables(c.In()) {
				continue
			}
			beside := slices.DeleteFunc(slices.Clone(f.Ruleset.Chains), func(x nft.Chain) bool { return x.In() != c.In() })
			if anyFills(without, c.Table, chainNames(beside, func(x nft.Chain) string { return x.Name })) {
				continue
			}
			b := Base{Chain: c.String(), Version: VersionOf(c.Family), Policy: c.Policy}
			for _, reached := range From(f.Ruleset, func(x nft.Chain) bool { return x == c }, unconditional) {
				for _, r := range f.Ruleset.RulesOf(reached) {
					if v, is := verdictOf(r); is {
						b.Verdicts = append(b.Verdicts, v)
					}
				}
			}
			if !yield(b) {
				return
			}
		}
	}
}

func anyFills(managers []Manager, table string, chains []string) bool {
	return slices.ContainsFunc(managers, func(m Manager) bool { return m.fills(table, chains) })
}

func chainNames[C any](chains []C, name func(C) string) []string {
	out := make([]string, 0, len(chains))
	for _, c := range chains {
		out = append(out, name(c))
	}
	return out
}
