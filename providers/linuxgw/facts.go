package linuxgw

import (
	"fmt"
	"math"
	"slices"
	"strconv"
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
section routes
cat /proc/net/route
section interfaces
cat /proc/net/dev
section legacy
cat /proc/net/ip_tables_names 2>/dev/null
` + bootSection(g.project)
}

// facts is what a gateway told of itself.
type facts struct {
	ruleset    *nft.Ruleset // without elements
	maps       *nft.Ruleset // the maps with theirs
	own        *nft.Ruleset // our table, whole; empty: there is none
	ownListing []byte       // the same as nft printed it
	forwarding bool         // net.ipv4.ip_forward
	// defaultInterface is the interface of the default route; empty: there
	// is no default route.
	defaultInterface string
	interfaces       []string
	legacyTables     []string // of iptables-legacy: "filter", "nat"
	boot             boot
}

// parseFacts reads what readScript printed.
func parseFacts(out []byte) (*facts, error) {
	sections := parseSections(out)
	const want = "ruleset maps table ip_forward routes interfaces legacy boot"
	for _, name := range strings.Fields(want) {
		if _, ok := sections[name]; !ok {
			return nil, fmt.Errorf("the gateway's answer is incomplete: it has no section %q", name)
		}
	}
	f := &facts{
		ownListing:   sections["table"],
		forwarding:   strings.TrimSpace(string(sections["ip_forward"])) == "1",
		interfaces:   parseInterfaces(string(sections["interfaces"])),
		legacyTables: strings.Fields(string(sections["legacy"])),
		boot:         parseBoot(sections["boot"]),
	}
	f.defaultInterface = parseDefaultInterface(string(sections["routes"]))
	for name, into := range map[string]**nft.Ruleset{"ruleset": &f.ruleset, "maps": &f.maps, "table": &f.own} {
		var err error
		if *into, err = nft.Parse(sections[name]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// parseDefaultInterface finds the interface of the best default route in
// /proc/net/route (proc(5); addresses are hexadecimal, metrics decimal).
func parseDefaultInterface(routes string) string {
	best, bestMetric := "", math.MaxInt
	for line := range strings.Lines(routes) {
		col := strings.Fields(line)
		const iface, destination, flags, metric, mask, columns = 0, 1, 3, 6, 7, 11
		if len(col) < columns || col[destination] != "00000000" || col[mask] != "00000000" {
			continue
		}
		const up, reject = 0x1, 0x200 // RTF_UP and RTF_REJECT of linux/route.h
		f, err := strconv.ParseUint(col[flags], 16, 32)
		if err != nil || f&up == 0 || f&reject != 0 || !interfaceName.MatchString(col[iface]) {
			continue
		}
		if m, err := strconv.Atoi(col[metric]); err == nil && m < bestMetric {
			best, bestMetric = col[iface], m
		}
	}
	return best
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
