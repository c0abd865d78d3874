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
		text = s.showRules(options)
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
		"In": "In", "NotRequired": "NotRequired", "Local": "Local Setting", "Any profile": "Domain,Private,Public",
	},
	"de": {
		"True": "Ja", "False": "Nein", "": "Beliebig", "Any": "Beliebig", "Allow": "Zulassen", "Block": "Blocken",
		"In": "Eingehend", "NotRequired": "Nicht erforderlich", "Local": "Lokale Einstellung", "Any profile": "Domäne,Privat,Öffentlich",
	},
}

// showRules plays `show rule name=all dir=in verbose`.
func (s *WindowsState) showRules(options map[string]string) string {
	if options["name"] != "all" || options["dir"] != "in" {
		fail(fmt.Sprintf("show rule with %v", options))
	}
	word := func(w string) string {
		if translated, found := words[s.Language][w]; found {
			return translated
		}
		return w
	}
	var b strings.Builder
	for _, r := range s.from("Local") {
		label := labels[s.Language]
		line := func(i int, value string) { fmt.Fprintf(&b, "%-37s %s\n", label[i]+":", value) }
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
		line(3, word("In"))
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
	return b.String() + ok
}

// addRule plays `add rule`.
func (s *WindowsState) addRule(m *machine, options map[string]string) (string, int) {
	for _, needed := range []string{"name", "dir", "action", "protocol", "localport", "remoteip", "profile"} {
		if options[needed] == "" {
			return "A specified value is not valid.\n", 1
		}
	}
	if options["dir"] != "in" || options["action"] != "allow" || options["profile"] != "any" {
		fail(fmt.Sprintf("add rule with %v", options))
	}
	r := PortRule("{"+options["name"]+"}", options["name"], options["protocol"], strings.Split(options["localport"], ",")...)
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
	s.Rules = slices.DeleteFunc(s.Rules, func(r Rule) bool { return r.Source == "Local" && r.Display == options["name"] })
	n := before - len(s.Rules)
	if n == 0 {
		return "No rules match the specified criteria.\n", 1
	}
	m.store(s)
	return fmt.Sprintf("\nDeleted %d rule(s).\n", n) + ok, 0
}

// showOpenings plays `netsh firewall show portopening`.
func (s *WindowsState) showOpenings() string {
	heads, titles := []string{"Domain", "Standard"}, [2]string{"Port configuration for %s profile:", "Port   Protocol  Mode     Name"}
	if s.Language == "de" {
		heads, titles = []string{"Domänenprofil", "Standardprofil"}, [2]string{"Portkonfiguration für %s:", "Port   Protokoll  Modus   Name"}
	}
	mode := map[string]map[string]string{"de": {"Enable": "Aktivieren", "Disable": "Deaktivieren"}}[s.Language]
	var b strings.Builder
	for i, list := range s.Openings {
		fmt.Fprintf(&b, "\n"+titles[0]+"\n%s\n%s\n", heads[i], titles[1], strings.Repeat("-", 67))
		for _, o := range list {
			word := o.Mode
			if mode != nil {
				word = mode[word]
			}
			fmt.Fprintf(&b, "%-6s %-9s %-8s %s\n", o.Port, o.Protocol, word, o.Name)
		}
	}
	return b.String() + "\n"
}

// open plays `add portopening` and `set portopening`: there is one opening for
// a port.
func (s *WindowsState) open(m *machine, options map[string]string) (string, int) {
	if !isPorts(options["port"]) || strings.Contains(options["port"], "-") || options["mode"] != "ENABLE" || options["profile"] != "ALL" || options["scope"] != "ALL" {
		return "The syntax supplied for this command is not valid. Check help for the correct syntax.\n", 1
	}
	s.close(options)
	for i := range s.Openings {
		s.Openings[i] = append(s.Openings[i], Opening{options["protocol"], options["port"], "Enable", options["name"]})
	}
	m.store(s)
	return ok, 0
}

// shut plays `delete portopening`.
func (s *WindowsState) shut(m *machine, options map[string]string) (string, int) {
	if !s.close(options) {
		return "The system cannot find the file specified.\n", 1
	}
	m.store(s)
	return ok, 0
}

func (s *WindowsState) close(options map[string]string) (found bool) {
	for i := range s.Openings {
		before := len(s.Openings[i])
		s.Openings[i] = slices.DeleteFunc(s.Openings[i], func(o Opening) bool {
			return o.Protocol == options["protocol"] && o.Port == options["port"]
		})
		found = found || len(s.Openings[i]) < before
	}
	return found
}
