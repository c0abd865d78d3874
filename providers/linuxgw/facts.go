package linuxgw

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// readScript prints what is to be known of a gateway, in sections that begin
// with an ASCII record separator and a name. Everything is read in one round
// trip, and nothing is changed by it: to list a table of iptables-legacy that
// isn't there would make one.
//
// Of a hundred gateways, the time is what their CPUs need, and most of that is
// the starts of programs: where the shell itself can do it, it does.
func (g *gateway) readScript() string {
	return scriptHead + sectionHead + sharedLock + g.readSections() + "exit 0\n"
}

func (g *gateway) readSections() string {
	return readNft(ownTable(g.project)) + readIptables(g.project, g.backend) + readIptables6(g.project) + `section network
cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding /proc/net/route /proc/net/dev 2>/dev/null
` + loginSection + bootSection(g.project)
}

// readNft lists nftables. Other people's sets may hold a hundred thousand
// addresses, so the rule set is listed without elements, and maps, in which
// forwards can hide, on their own. Starting nft costs more than what it does:
// it is started only for what the first list says is there.
func readNft(own nft.Table) string {
	return `nft= ruleset=
if command -v nft >/dev/null; then
	if ruleset=$(nft -j -t list ruleset 2>/dev/null); then
		nft=works
		section ruleset
		printf '%s\n' "$ruleset"
		case $ruleset in *'"map"'*)
			section maps
			nft -j list maps || exit ;;
		esac
		case $ruleset in *'"` + own.Name + `"'*)
			section table
			` + listOwn(own) + ` ;;
		esac
	else
		section nft-says
		nft -j -t list ruleset 2>&1 >/dev/null
	fi
fi
`
}

// readIptables lists the nft variant of iptables where nft can't, or where it
// may be our home, and the legacy one wherever it has tables.
func readIptables(project string, asked backend) string {
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
case $nft$ruleset in works*` + chainPrefix + `*) all=yes ;; works*) ;; *) all=yes ;; esac
if [ "$all" ] || [ ` + string(asked) + ` = iptables ] || [ "$names" -a -z "$legacy" ]; then
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
	` + list(program{viaNft, false, "$vianft"}, project) + `fi
if [ "$names" -a "$legacy" ]; then
	` + list(program{legacy, false, "$legacy"}, project) + `fi
`
}

// list spells the commands that list all that one variant holds, and what of
// it is ours.
func list(p program, project string) string {
	return fmt.Sprintf(`if saved=$(%[1]s 2>/dev/null); then
		section %[2]s
		printf '%%s\n' "$saved"
		section %[3]s
		printf '%%s\n' "$saved" | %[4]s
	else
		section %[5]s
		%[1]s 2>&1 >/dev/null
	fi
`, p.save(), sectionOf("save", p.variant, p.six), sectionOf("own", p.variant, p.six), ownLines(project), saysSection(p.six))
}

// facts is what a gateway told of itself.
type facts struct {
	ruleset    *nft.Ruleset // without elements; nil: nft doesn't work
	maps       *nft.Ruleset // the maps with theirs
	own        *nft.Ruleset // our table, whole; empty: there is none
	ownListing []byte       // the same as nft printed it
	nftSays    string       // why it doesn't work; empty: it isn't there

	iptables variant // the one that iptables is; empty: there is none, or it wasn't asked
	xtables          // of IPv4
	six      xtables

	forwarding  bool // net.ipv4.ip_forward
	forwarding6 bool // net.ipv6.conf.all.forwarding
	routes      routes
	interfaces  []string
	login       login
	boot        boot
}

// parseFacts reads what readScript printed.
func parseFacts(out []byte) (*facts, error) {
	sections := parseSections(out)
	const want = "iptables ip6tables network login boot"
	for _, name := range strings.Fields(want) {
		if _, ok := sections[name]; !ok {
			return nil, fmt.Errorf("the gateway's answer is incomplete: it has no section %q", name)
		}
	}
	network := string(sections["network"])
	f := &facts{
		ownListing: sections["table"],
		nftSays:    strings.TrimSpace(string(sections["nft-says"])),
		routes:     parseRoutes(network),
		interfaces: parseInterfaces(network),
		login:      parseLogin(sections["login"]),
		boot:       parseBoot(sections["boot"]),
	}
	f.forwarding, f.forwarding6 = parseForwarding(network)
	if ruleset, works := sections["ruleset"]; works {
		for into, text := range map[**nft.Ruleset][]byte{&f.ruleset: ruleset, &f.maps: sections["maps"], &f.own: sections["table"]} {
			var err error
			if *into, err = nft.Parse(bytes.TrimSpace(text)); err != nil {
				return nil, err
			}
		}
	}
	return f, f.parseIptables(sections)
}

// parseIptables reads what readIptables and readIptables6 printed.
func (f *facts) parseIptables(sections map[string][]byte) (err error) {
	for line := range strings.Lines(string(sections["iptables"])) {
		words := strings.Fields(line)
		if len(words) == 2 && words[0] == "usual" && slices.Contains([]string{string(viaNft), string(legacy)}, words[1]) {
			f.iptables = variant(words[1])
		}
	}
	if f.xtables, err = parseXtables(sections, false); err != nil {
		return err
	}
	f.six, err = parseXtables(sections, true)
	return err
}

// firewalld says whether the gateway's rules are firewalld's: it names its
// table so with nftables, and makes these chains with iptables.
func (f *facts) firewalld() bool {
	if f.ruleset != nil && slices.ContainsFunc(f.ruleset.Tables, func(t nft.Table) bool { return t.Name == "firewalld" }) {
		return true
	}
	for _, s := range f.saves { // of IPv4, which it never leaves out
		if _, found := s.Table("filter").Chain("FORWARD_direct"); found {
			return true
		}
	}
	return false
}

// parseForwarding reads the values of net.ipv4.ip_forward and, where there is
// IPv6, of net.ipv6.conf.all.forwarding: a line each, above the first table.
func parseForwarding(network string) (four, six bool) {
	var on []bool
	for line := range strings.Lines(network) {
		value := strings.TrimSpace(line)
		if len(value) != 1 {
			break
		}
		on = append(on, value == "1")
	}
	return len(on) > 0 && on[0], len(on) > 1 && on[1]
}

// parseInterfaces gives the names in /proc/net/dev: those before the colons,
// below two lines of headings. A name may hold a colon of its own.
func parseInterfaces(dev string) []string {
	var out []string
	for line := range strings.Lines(dev) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.Contains(line, "|") {
			continue
		}
		if i := strings.LastIndexByte(fields[0], ':'); i > 0 {
			out = append(out, fields[0][:i])
		}
	}
	slices.Sort(out)
	return out
}
