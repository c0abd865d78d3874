package windows

import (
	"errors"
	"fmt"
	"strings"
)

// isRuler says whether a line of netsh's is there to be looked at: it stands
// below the heading of a list.
func isRuler(line string) bool { return len(line) >= 10 && strings.Trim(line, "-") == "" }

// parseAdvRules reads `netsh advfirewall firewall show rule name=all verbose` for
// one direction:
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
func parseAdvRules(out, direction string) ([]rule, error) {
	lines := netshLines(out)
	var list []rule
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
			r.Direction = direction
			list = append(list, r)
		}
	}
	if list == nil {
		return nil, errors.New("it lists no rules, and no Windows is without some")
	}
	return list, nil
}

func netshLines(out string) []string {
	return strings.Split(strings.ReplaceAll(out, "\r\n", "\n"), "\n")
}

// parseAdvProfiles reads `netsh advfirewall show currentprofile`, which lists
// each profile that counts now, of the settings that were made on the machine
// itself; those of Group Policy it doesn't tell:
//
//	Private Profile Settings:
//	----------------------------------------------------------------------
//	State                                 ON
//	Firewall Policy                       BlockInbound,BlockOutbound
//	…
//
// The policy is in English everywhere, and the state is not: a firewall that is
// off is taken for one that is on where its word is another one.
func parseAdvProfiles(out string) ([]profile, error) {
	lines := netshLines(out)
	var list []profile
	for i := 1; i+2 < len(lines); i++ {
		if !isRuler(lines[i]) {
			continue
		}
		name, _, _ := strings.Cut(lines[i-1], " Profile Settings:")
		p := profile{Name: strings.TrimSuffix(strings.TrimSpace(name), ":"), Enabled: "True", Inbound: "True"}
		if lastWord(lines[i+1]) == "OFF" {
			p.Enabled = "False"
		}
		inbound, outbound, _ := strings.Cut(lastWord(lines[i+2]), ",")
		if inbound == "BlockInboundAlways" {
			p.Inbound = "False"
		}
		p.Outbound = strings.TrimSuffix(outbound, dirOut)
		list = append(list, p)
	}
	if list == nil {
		return nil, errors.New("it tells of no profile that counts now")
	}
	return list, nil
}

func lastWord(line string) string {
	f := strings.Fields(line)
	if len(f) == 0 {
		return ""
	}
	return f[len(f)-1]
}

// netshValue is the value of a line "label: value".
func netshValue(line string) (string, bool) {
	_, value, found := strings.Cut(line, ":")
	return strings.TrimSpace(value), found
}

// advRuleOf makes a rule of the values that stand below its name. Only rules
// for TCP and UDP have ports; no others are of interest.
func advRuleOf(name string, values []string) (rule, bool) {
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
		return rule{}, false
	}
	r := rule{
		Name: name, Display: name, Source: "Local",
		Enabled: "True", Profile: anything, Protocol: values[at],
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
		r.LocalAddress, word = strings.Split(word, ","), anything
	}
	anyOr := func(value string) []string {
		if value == word {
			return []string{anything}
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
