package windows

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
)

// icfOpening is one row of `netsh firewall show portopening`.
type icfOpening struct {
	protocol string
	port     uint16
	mode     string // "Enable", "Disable", or a word of another language
	name     string
}

// parseICF reads `netsh firewall show portopening`: a list for the domain
// profile and one for the standard profile, and there may be others for single
// interfaces. Rows have the direction, too, since Vista:
//
//	Port   Protocol  Mode     Name
//	-------------------------------------------------------------------
//	6881   TCP       Enable   btplan:home:bt
//	6881   TCP       Enable   Inbound              btplan:home:bt
func parseICF(out string) ([][]icfOpening, error) {
	var lists [][]icfOpening
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if isRuler(line) {
			lists = append(lists, []icfOpening{})
			continue
		}
		f := strings.Fields(line)
		if len(lists) == 0 || len(f) < 4 || !slices.Contains([]string{"TCP", "UDP"}, f[1]) {
			continue
		}
		port, err := strconv.ParseUint(f[0], 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("the line %q has no port", line)
		}
		name := strings.Join(f[3:], " ")
		if _, _, ours := parseASCIIMark(f[len(f)-1]); ours {
			name = f[len(f)-1]
		}
		lists[len(lists)-1] = append(lists[len(lists)-1], icfOpening{f[1], uint16(port), f[2], name})
	}
	if lists == nil {
		return nil, errors.New("it has no list of ports")
	}
	return lists, nil
}

// icfEntry is one row of `netsh firewall show allowedprogram`.
type icfEntry struct {
	mode    string // as icfOpening's
	name    string
	program string // its path
}

// parseICFPrograms reads `netsh firewall show allowedprogram`, which has a list
// for each profile, too. Rows have the direction, too, since Vista. What an entry
// lets in from where is not listed:
//
//	Mode     Name / Program
//	-------------------------------------------------------------------
//	Enable   Remote Assistance / C:\WINDOWS\system32\sessmgr.exe
//	Enable   Inbound              btplan:home:bt tcp 6881-6889 / C:\Azureus.exe
func parseICFPrograms(out string) ([][]icfEntry, error) {
	var lists [][]icfEntry
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if isRuler(line) {
			lists = append(lists, []icfEntry{})
			continue
		}
		row, program, found := cutLast(line, " / ") // no path has a slash
		mode, name, named := strings.Cut(row, " ")
		if len(lists) == 0 || !found || !named {
			continue
		}
		if i := strings.Index(name, "btplan:"); i >= 0 {
			name = name[i:]
		}
		lists[len(lists)-1] = append(lists[len(lists)-1], icfEntry{mode, strings.TrimSpace(name), strings.TrimSpace(program)})
	}
	if lists == nil {
		return nil, errors.New("it has no list of programs")
	}
	return lists, nil
}

// icfPart is what one port_range, or machine, of one project has in the name of
// an entry.
type icfPart struct {
	project string
	owner   plan.Addr
	rules   []plan.Rule
}

// icfName spells the name of an entry, which keeps account of what it is for:
// "btplan:home:bt tcp 6881-6889,6900 from 203.0.113.0/24; btplan:home:bt udp 6881".
func icfName(parts []icfPart) string {
	var out []string
	for _, p := range parts {
		for _, r := range (&windows{}).windowsRules(p.rules) {
			text := asciiMark(p.project, p.owner) + " " + strings.ToLower(r.Protocol) + " " + strings.Join(r.Ports, ",")
			if !isAny(r.Sources...) {
				text += " from " + strings.Join(r.Sources, ",")
			}
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// parseICFName reads what icfName wrote, and nothing else.
func parseICFName(name string) ([]icfPart, bool) {
	type party struct {
		project string
		owner   plan.Addr
	}
	var parts []icfPart
	at := map[party]int{} // in parts
	for text := range strings.SplitSeq(name, "; ") {
		f := strings.Fields(text)
		if len(f) != 3 && (len(f) != 5 || f[3] != "from") {
			return nil, false
		}
		project, owner, marked := parseASCIIMark(f[0])
		r := rule{Direction: dirIn, Protocol: f[1], LocalPort: strings.Split(f[2], ",")}
		if len(f) == 5 {
			r.RemoteAddress = strings.Split(f[4], ",")
		}
		rules, err := r.rules()
		if !marked || err != nil {
			return nil, false
		}
		i, known := at[party{project, owner}]
		if !known {
			i = len(parts)
			at[party{project, owner}] = i
			parts = append(parts, icfPart{project: project, owner: owner})
		}
		parts[i].rules = append(parts[i].rules, rules...)
	}
	return parts, icfName(parts) == name
}
