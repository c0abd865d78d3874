package linuxgw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// readScript prints what is to be known of a gateway, in sections that begin
// with an ASCII record separator and a name. Everything is read in one round
// trip. Other people's sets may hold a hundred thousand addresses, so the
// rule set is listed without elements, and maps, in which forwards can
// hide, on their own.
func (g *gateway) readScript() string {
	return scriptHead + sectionHead + g.readSections() + "exit 0\n"
}

func (g *gateway) readSections() string {
	return `section ruleset
nft -j -t list ruleset || exit
section maps
nft -j list maps || exit
section table
` + listOwn(g.table) + `
section ip_forward
cat /proc/sys/net/ipv4/ip_forward
section ip6_forward
cat /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null
section routes
cat /proc/net/route
section interfaces
cat /proc/net/dev
section legacy
cat /proc/net/ip_tables_names 2>/dev/null
` + loginSection + bootSection(g.project)
}

// facts is what a gateway told of itself.
type facts struct {
	ruleset      *nft.Ruleset // without elements
	maps         *nft.Ruleset // the maps with theirs
	own          *nft.Ruleset // our table, whole; empty: there is none
	ownListing   []byte       // the same as nft printed it
	forwarding   bool         // net.ipv4.ip_forward
	forwarding6  bool         // net.ipv6.conf.all.forwarding
	routes       routes
	interfaces   []string
	legacyTables []string // of iptables-legacy: "filter", "nat"
	login        login
	boot         boot
}

// parseFacts reads what readScript printed.
func parseFacts(out []byte) (*facts, error) {
	sections := parseSections(out)
	const want = "ruleset maps table ip_forward ip6_forward routes interfaces legacy login boot"
	for _, name := range strings.Fields(want) {
		if _, ok := sections[name]; !ok {
			return nil, fmt.Errorf("the gateway's answer is incomplete: it has no section %q", name)
		}
	}
	f := &facts{
		ownListing:   sections["table"],
		forwarding:   strings.TrimSpace(string(sections["ip_forward"])) == "1",
		forwarding6:  strings.TrimSpace(string(sections["ip6_forward"])) == "1",
		routes:       parseRoutes(string(sections["routes"])),
		login:        parseLogin(sections["login"]),
		interfaces:   parseInterfaces(string(sections["interfaces"])),
		legacyTables: strings.Fields(string(sections["legacy"])),
		boot:         parseBoot(sections["boot"]),
	}
	for name, into := range map[string]**nft.Ruleset{"ruleset": &f.ruleset, "maps": &f.maps, "table": &f.own} {
		var err error
		if *into, err = nft.Parse(sections[name]); err != nil {
			return nil, err
		}
	}
	return f, nil
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
