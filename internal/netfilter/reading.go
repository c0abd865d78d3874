package netfilter

import (
	"fmt"

	"github.com/btplan/btplan/internal/nft"
)

// Reading is how the packet filters of a device are read.
type Reading struct {
	Names Names
	// Asked is the filter that our rules are to be in: Iptables is listed
	// then even where nft tells of its rules.
	Asked Choice
	// Maps says that the elements of nftables' maps are wanted, in which
	// forwards can hide.
	Maps bool
	// InFull is the way on which the rules of others are wanted as iptables
	// lists them, if it has made any: nft doesn't know its words. Empty: on
	// none.
	InFull Way
	// Peers says that the tables of other projects are wanted as well.
	Peers bool
	Words Words
}

// Script is the commands that print, in sections, what Parse reads. Nothing is
// changed by them: to list a table of iptables-legacy that isn't there would
// make one.
//
// Of a hundred devices, the time is what their CPUs need, and most of that is
// the starts of programs: where the shell itself can do it, it does.
func (r Reading) Script() string { return r.nft() + r.iptables() + r.ip6tables() }

// nft lists nftables. Other people's sets may hold a hundred thousand
// addresses, so the rule set is listed without elements, and maps on their
// own. Starting nft costs more than what it does: it is started only for what
// the first list says is there.
func (r Reading) nft() string {
	own, maps := r.Names.Table(), ""
	if r.Maps {
		maps = `
		case $ruleset in *'"map"'*)
			section maps
			nft -j list maps || exit ;;
		esac`
	}
	peers := ""
	if r.Peers {
		peers = `
		case $ruleset in
		*'"name": "` + r.Names.table + `'*'"name": "` + r.Names.table + `'*) peers=yes ;;
		*'"` + own.Name + `"'*) peers= ;;
		*'"` + r.Names.table + `'*) peers=yes ;;
		*) peers= ;;
		esac
		[ -z "$peers" ] ||
		for name in $(printf '%s\n' "$ruleset" | grep -o '"` + r.Names.table + `[A-Za-z0-9_-]*"' | sort -u); do
			name=${name#?} name=${name%?}
			[ $name != ` + own.Name + ` ] || continue
			section "` + peerSection + `$name"
			nft -j list table inet $name || exit
		done`
	}
	return `nft= ruleset=
if command -v nft >/dev/null; then
	if ruleset=$(nft -j -t list ruleset 2>/dev/null); then
		nft=works
		section ruleset
		printf '%s\n' "$ruleset"` + maps + `
		case $ruleset in *'"` + own.Name + `"'*)
			section table
			` + listOwn(own) + ` ;;
		esac` + peers + `
	else
		section nft-says
		nft -j -t list ruleset 2>&1 >/dev/null
	fi
fi
`
}

// peerSection begins the names of sections for tables of other projects.
const peerSection = "table of "

// listOwn spells the command that prints our table, and nothing that changes
// by itself.
func listOwn(t nft.Table) string { return "nft -j list " + t.String() + " 2>/dev/null" }

// iptables lists the nft variant of iptables where nft can't, or where it
// may be our home, and the legacy one wherever it has tables.
func (r Reading) iptables() string {
	inFull := ""
	if r.InFull != "" {
		inFull = ` | works*'"` + r.InFull.chain() + `"'*`
	}
	return `names=
if [ -r /proc/net/ip_tables_names ]; then
	while read -r name; do names="$names $name"; done </proc/net/ip_tables_names
elif [ -e /proc/net/ip_tables_names ]; then
	section iptables-says
	cat /proc/net/ip_tables_names 2>&1
fi
usual= vianft= legacy= all=
if command -v iptables-nft >/dev/null; then vianft=iptables-nft; fi
if command -v iptables-legacy >/dev/null; then legacy=iptables-legacy; fi
case $nft$ruleset in works*` + r.Names.chains + `*` + inFull + `) all=yes ;; works*) ;; *) all=yes ;; esac
if [ "$all" ] || [ ` + string(r.Asked) + ` = iptables ] || [ "$names" -a -z "$legacy" ]; then
	all=yes
	case $(iptables --version 2>/dev/null) in
	'') if [ "$vianft" ]; then usual=nf_tables; elif [ "$legacy" ]; then usual=legacy; fi ;;
	*nf_tables*) usual=nf_tables vianft=${vianft:-iptables} ;;
	*) usual=legacy legacy=${legacy:-iptables} ;;
	esac
fi
section iptables
echo "usual $usual"
echo "nf_tables $vianft"
echo "legacy $legacy"
echo "tables" $names
if [ "$all" -a "$vianft" ]; then
	` + r.list(Program{ViaNft, false, "$vianft"}) + `fi
if [ "$names" -a "$legacy" ]; then
	` + r.list(Program{Legacy, false, "$legacy"}) + `fi
`
}

// ip6tables is iptables for IPv6: the same variants are listed, by commands of
// the same names. It comes behind that.
func (r Reading) ip6tables() string {
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
	` + r.list(Program{ViaNft, true, "$vianft6"}) + `fi
if [ "$names6" -a "$legacy6" ]; then
	` + r.list(Program{Legacy, true, "$legacy6"}) + `fi
`
}

// list spells the commands that list all that one variant holds, and what of
// it is ours.
func (r Reading) list(p Program) string {
	return fmt.Sprintf(`if saved=$(%[1]s 2>/dev/null); then
		section %[2]s
		printf '%%s\n' "$saved"
		section %[3]s
		printf '%%s\n' "$saved" | %[4]s
	else
		section %[5]s
		%[1]s 2>&1 >/dev/null
	fi
`, p.save(), sectionOf("save", p.Variant, p.Six), sectionOf("own", p.Variant, p.Six), r.Names.ownLines(), saysSection(p.Six))
}

// sectionOf names a section for a variant.
func sectionOf(what string, v Variant, six bool) string {
	if six {
		what += "6"
	}
	return what + "-" + string(v)
}

// saysSection names the section for what can't be listed.
func saysSection(six bool) string { return CommandOf("iptables", six) + "-says" }
