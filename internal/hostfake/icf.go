//go:build unix

package hostfake

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

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
		return badSyntax, 1
	}
	s.close(options["protocol"], options["port"], "ALL")
	for i := range s.Openings {
		s.Openings[i] = append(s.Openings[i], Opening{options["protocol"], options["port"], "Enable", options["name"]})
	}
	m.store(s)
	return ok, 0
}

// shut plays `delete portopening`.
func (s *WindowsState) shut(m *machine, options map[string]string) (string, int) {
	if !s.close(options["protocol"], options["port"], options["profile"]) {
		return "The system cannot find the file specified.\n", 1
	}
	m.store(s)
	return ok, 0
}

func (s *WindowsState) close(protocol, port, profile string) (found bool) {
	for i, name := range profiles {
		if profile != name && profile != "ALL" {
			continue
		}
		before := len(s.Openings[i])
		s.Openings[i] = slices.DeleteFunc(s.Openings[i], func(o Opening) bool { return o.Protocol == protocol && o.Port == port })
		found = found || len(s.Openings[i]) < before
	}
	return found
}

// profiles are the words of netsh firewall for the lists of openings and of
// programs.
var profiles = [2]string{"DOMAIN", "STANDARD"}

// showPrograms plays `netsh firewall show allowedprogram`.
func (s *WindowsState) showPrograms() string {
	heads, titles := []string{"Domain", "Standard"}, [2]string{"Allowed programs configuration for %s profile:", "Mode     Name / Program"}
	if s.Language == "de" {
		heads, titles = []string{"Domänenprofil", "Standardprofil"}, [2]string{"Zugelassene Programme für %s:", "Modus    Name / Programm"}
	}
	mode := map[string]map[string]string{"de": {"Enable": "Aktivieren", "Disable": "Deaktivieren"}}[s.Language]
	var b strings.Builder
	for i, list := range s.Programs {
		fmt.Fprintf(&b, "\n"+titles[0]+"\n%s\n%s\n", heads[i], titles[1], strings.Repeat("-", 67))
		for _, p := range list {
			word := p.Mode
			if mode != nil {
				word = mode[word]
			}
			fmt.Fprintf(&b, "%-8s %s / %s\n", word, p.Name, p.Path)
		}
	}
	return b.String() + "\n"
}

// letIn plays `add allowedprogram` and `set allowedprogram`: there is one entry
// for a program.
func (s *WindowsState) letIn(m *machine, options map[string]string) (string, int) {
	scope := options["scope"]
	if options["program"] == "" || options["name"] == "" || options["mode"] != "ENABLE" || options["profile"] != "ALL" ||
		(scope == "CUSTOM") != (options["addresses"] != "") || scope != "CUSTOM" && scope != "ALL" {
		return badSyntax, 1
	}
	if scope == "CUSTOM" {
		scope = options["addresses"]
		for a := range strings.SplitSeq(scope, ",") {
			p, err := netip.ParsePrefix(a)
			if err != nil || !p.Addr().Is4() || p.Bits() == 0 {
				return badSyntax, 1
			}
		}
	}
	s.shutOut(options["program"], "ALL")
	for i := range s.Programs {
		s.Programs[i] = append(s.Programs[i], Program{options["program"], options["name"], "Enable", scope})
	}
	m.store(s)
	return ok, 0
}

// keepOut plays `delete allowedprogram`.
func (s *WindowsState) keepOut(m *machine, options map[string]string) (string, int) {
	if !s.shutOut(options["program"], options["profile"]) {
		return "The system cannot find the file specified.\n", 1
	}
	m.store(s)
	return ok, 0
}

func (s *WindowsState) shutOut(path, profile string) (found bool) {
	for i, name := range profiles {
		if profile != name && profile != "ALL" {
			continue
		}
		before := len(s.Programs[i])
		s.Programs[i] = slices.DeleteFunc(s.Programs[i], func(p Program) bool { return strings.EqualFold(p.Path, path) })
		found = found || len(s.Programs[i]) < before
	}
	return found
}

const badSyntax = "The syntax supplied for this command is not valid. Check help for the correct syntax.\n"
