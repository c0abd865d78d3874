//go:build unix

package hostfake

import (
	"fmt"
	"slices"
	"strings"
)

// netsh plays netsh, whose errors are on its standard output.
func netsh(m *machine, args []string) int {
	m.hold()
	var s WindowsState
	m.load(&s)
	words, options := args, map[string]string{}
	for i, a := range args {
		if strings.Contains(a, "=") {
			words = args[:i]
			for _, option := range args[i:] {
				if option == "verbose" {
					words = append(slices.Clone(words), option)
					continue
				}
				name, value, _ := strings.Cut(option, "=")
				options[name] = value
			}
			break
		}
	}
	var text string
	code := 0
	switch strings.Join(words, " ") {
	case "advfirewall firewall show rule verbose":
		text, code = s.showRules(options)
	case "advfirewall show currentprofile":
		text = s.showProfiles()
	case "advfirewall firewall add rule":
		text, code = s.addRule(m, options)
	case "advfirewall firewall delete rule":
		text, code = s.deleteRules(m, options)
	case "firewall show portopening":
		text = s.showOpenings()
	case "firewall add portopening", "firewall set portopening":
		text, code = s.open(m, options)
	case "firewall delete portopening":
		text, code = s.shut(m, options)
	case "firewall show allowedprogram":
		text = s.showPrograms()
	case "firewall add allowedprogram", "firewall set allowedprogram":
		text, code = s.letIn(m, options)
	case "firewall delete allowedprogram":
		text, code = s.keepOut(m, options)
	default:
		text, code = "The following command was not found: "+strings.Join(args, " ")+".\n", 1
	}
	fmt.Print(strings.ReplaceAll(text, "\n", "\r\n"))
	return code
}

// ok is how netsh says that it did what it was told.
const ok = "Ok.\n\n"

// labels are those of a rule in `show rule verbose`, and words are its values.
var labels = map[string][]string{
	"":   {"Rule Name", "Description", "Enabled", "Direction", "Profiles", "Grouping", "LocalIP", "RemoteIP", "Protocol", "LocalPort", "RemotePort", "Edge traversal", "Program", "Service", "InterfaceTypes", "Security", "Rule source", "Action"},
	"de": {"Regelname", "Beschreibung", "Aktiviert", "Richtung", "Profile", "Gruppierung", "Lokales IP", "Remote-IP", "Protokoll", "Lokaler Port", "Remoteport", "Edgeausnahme", "Programm", "Dienst", "Schnittstellentypen", "Sicherheit", "Regelquelle", "Aktion"},
}

var words = map[string]map[string]string{
	"": {
		"True": "Yes", "False": "No", "": "Any",
		"Inbound": "In", "Outbound": "Out", "NotRequired": "NotRequired", "Local": "Local Setting", "Any profile": "Domain,Private,Public",
	},
	"de": {
		"True": "Ja", "False": "Nein", "": "Beliebig", "Any": "Beliebig", "Allow": "Zulassen", "Block": "Blocken",
		"Inbound": "Eingehend", "Outbound": "Ausgehend", "NotRequired": "Nicht erforderlich", "Local": "Lokale Einstellung", "Any profile": "Domäne,Privat,Öffentlich",
	},
}

// direction is what dir=in or dir=out stands for.
func direction(options map[string]string) string {
	is, known := map[string]string{"in": "Inbound", "out": "Outbound"}[options["dir"]]
	if !known {
		fail(fmt.Sprintf("dir=%q", options["dir"]))
	}
	return is
}

// showProfiles plays `netsh advfirewall show currentprofile`, without the
// settings of logging.
func (s *WindowsState) showProfiles() string {
	head, state, off, policy := "%s Profile Settings:", "State", map[bool]string{false: "ON", true: "OFF"}, "Firewall Policy"
	if s.Language == "de" {
		head, state, off, policy = "%s-Profileinstellungen:", "Status", map[bool]string{false: "EIN", true: "AUS"}, "Firewallrichtlinie"
	}
	var b strings.Builder
	for _, p := range s.Profiles {
		if !slices.ContainsFunc(s.Networks, func(category string) bool { return strings.HasPrefix(category, p.Name) }) {
			continue
		}
		inbound := map[bool]string{false: "BlockInbound", true: "BlockInboundAlways"}[p.Inbound == "False"]
		fmt.Fprintf(&b, "\n"+head+"\n%s\n", p.Name, strings.Repeat("-", 70))
		fmt.Fprintf(&b, "%-37s %s\n%-37s %s,%sOutbound\n\n", state, off[p.Enabled == "False"], policy, inbound, p.Outbound)
	}
	return b.String() + ok
}

// showRules plays `show rule name=all dir=in verbose`, and dir=out.
func (s *WindowsState) showRules(options map[string]string) (string, int) {
	if options["name"] != "all" {
		fail(fmt.Sprintf("show rule with %v", options))
	}
	var b strings.Builder
	for _, r := range s.Rules {
		if r.Source == "Local" && r.Direction == direction(options) {
			s.showRule(&b, r)
		}
	}
	if b.Len() == 0 {
		return noMatch, 1
	}
	return b.String() + ok, 0
}

const noMatch = "No rules match the specified criteria.\n"

func (s *WindowsState) showRule(b *strings.Builder, r Rule) {
	word := func(w string) string {
		if translated, found := words[s.Language][w]; found {
			return translated
		}
		return w
	}
	label := labels[s.Language]
	line := func(i int, value string) { fmt.Fprintf(b, "%-37s %s\n", label[i]+":", value) }
	list := func(i int, values []string) {
		var out []string
		for _, v := range values {
			out = append(out, word(v))
		}
		line(i, strings.Join(out, ","))
	}
	b.WriteString("\n")
	line(0, r.Display)
	b.WriteString(strings.Repeat("-", 70) + "\n")
	if r.Description != "" {
		line(1, r.Description)
	}
	line(2, word(r.Enabled))
	line(3, word(r.Direction))
	profile := strings.ReplaceAll(r.Profile, ", ", ",")
	if profile == "Any" {
		profile = word("Any profile")
	}
	line(4, profile)
	line(5, "")
	list(6, r.LocalAddress)
	var remote []string
	for _, a := range r.RemoteAddress {
		if !strings.ContainsAny(a, "/") && strings.ContainsAny(a, ".:") {
			a += map[bool]string{true: "/128", false: "/32"}[strings.Contains(a, ":")]
		}
		remote = append(remote, a)
	}
	list(7, remote)
	line(8, r.Protocol)
	if r.Protocol == "TCP" || r.Protocol == "UDP" {
		list(9, r.LocalPort)
		list(10, r.RemotePort)
	}
	line(11, word("False"))
	line(12, word(r.Program))
	line(13, word(r.Service))
	line(14, word(r.InterfaceType))
	line(15, word("NotRequired"))
	line(16, word("Local"))
	line(17, word(r.Action))
}

// addRule plays `add rule`.
func (s *WindowsState) addRule(m *machine, options map[string]string) (string, int) {
	rule, ports := PortRule, options["localport"]
	if direction(options) == "Outbound" {
		rule, ports = OutRule, options["remoteport"]
	}
	for _, needed := range []string{options["name"], options["protocol"], ports, options["remoteip"]} {
		if needed == "" {
			return "A specified value is not valid.\n", 1
		}
	}
	if options["action"] != "allow" || options["profile"] != "any" || options["localport"] != "" && options["remoteport"] != "" {
		fail(fmt.Sprintf("add rule with %v", options))
	}
	r := rule("{"+options["name"]+"}", options["name"], options["protocol"], strings.Split(ports, ",")...)
	r.RemoteAddress = strings.Split(options["remoteip"], ",")
	if program, found := options["program"]; found {
		r.Program = program
	}
	if err := s.add(m, r); err != nil {
		return "A specified value is not valid.\n", 1
	}
	return ok, 0
}

// deleteRules plays `delete rule`, which deletes all that have the name.
func (s *WindowsState) deleteRules(m *machine, options map[string]string) (string, int) {
	before := len(s.Rules)
	s.Rules = slices.DeleteFunc(s.Rules, func(r Rule) bool {
		return r.Source == "Local" && r.Display == options["name"] && r.Direction == direction(options)
	})
	n := before - len(s.Rules)
	if n == 0 {
		return noMatch, 1
	}
	m.store(s)
	return fmt.Sprintf("\nDeleted %d rule(s).\n", n) + ok, 0
}
