package hostfw

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// isRuler says whether a line of netsh's is there to be looked at: it stands
// below the heading of a list.
func isRuler(line string) bool { return len(line) >= 10 && strings.Trim(line, "-") == "" }

// parseAdvRules reads `netsh advfirewall firewall show rule name=all verbose`:
//
//	Rule Name:                            btplan:home:bt:0123456789ab
//	----------------------------------------------------------------------
//	Enabled:                              Yes
//	Direction:                            In
//	Profiles:                             Domain,Private,Public
//	Grouping:
//	LocalIP:                              Any
//	RemoteIP:                             203.0.113.0/24
//	Protocol:                             TCP
//	LocalPort:                            6881-6889
//	RemotePort:                           Any
//	Edge traversal:                       No
//	Program:                              C:\Azureus.exe
//	…
//	Action:                               Allow
func parseAdvRules(out string) ([]windowsRule, error) {
	lines := strings.Split(strings.ReplaceAll(out, "\r\n", "\n"), "\n")
	var list []windowsRule
	for i := 1; i < len(lines); i++ {
		if !isRuler(lines[i]) {
			continue
		}
		name, named := netshValue(lines[i-1])
		if !named {
			return nil, fmt.Errorf("the line %q names no rule", lines[i-1])
		}
		var values []string
		for i++; i < len(lines); i++ {
			value, ok := netshValue(lines[i])
			if !ok {
				break
			}
			values = append(values, value)
		}
		if r, known := advRuleOf(name, values); known {
			list = append(list, r)
		}
	}
	if list == nil {
		return nil, errors.New("it lists no rules, and no Windows is without some")
	}
	return list, nil
}

// netshValue is the value of a line "label: value".
func netshValue(line string) (string, bool) {
	_, value, found := strings.Cut(line, ":")
	return strings.TrimSpace(value), found
}

// advRuleOf makes a rule of the values that stand below its name. Only rules
// for TCP and UDP have ports; no others are of interest.
func advRuleOf(name string, values []string) (windowsRule, bool) {
	// The protocol comes right behind two addresses, and a description, which
	// may hold anything, before all.
	at := -1
	for i, v := range values {
		if i >= 6 && (v == "TCP" || v == "UDP") {
			at = i
			break
		}
	}
	if at < 0 || at+5 > len(values)-1 {
		return windowsRule{}, false
	}
	r := windowsRule{
		Name: name, Display: name, Source: "Local",
		Enabled: "True", Profile: windowsAny, Protocol: values[at],
	}
	if values[at-6] == "No" {
		r.Enabled = "False"
	}
	switch action := values[len(values)-1]; action {
	case "Allow", "Block":
		r.Action = action
	}
	if strings.Count(values[at-4], ",") != 2 {
		r.Profile = values[at-4]
	}
	// No rule of ours has a local address, so that what stands there is the word
	// for any.
	word := values[at-2]
	if _, err := parseWindowsAddress(strings.Split(word, ",")[0]); err == nil {
		r.LocalAddress, word = strings.Split(word, ","), windowsAny
	}
	anyOr := func(value string) []string {
		if value == word {
			return []string{windowsAny}
		}
		return strings.Split(value, ",")
	}
	r.RemoteAddress, r.LocalPort, r.RemotePort = anyOr(values[at-1]), anyOr(values[at+1]), anyOr(values[at+2])
	r.Program = anyOr(values[at+4])[0]
	if strings.Contains(values[at+4], ",") && values[at+4] != word {
		r.Program = values[at+4]
	}
	return r, true
}

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
