//go:build unix

package hostfake

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Windows is a machine with Windows.
type Windows struct {
	// Shell is the program that plays cmd.exe, as an SSH server calls a login
	// shell: with -c and a command line.
	Shell string

	t testing.TB
	m *machine
}

// WindowsState is what a Windows has, as [Windows.Edit] shows it.
type WindowsState struct {
	Limited  bool   // who is logged in is no administrator
	NoModule bool   // PowerShell has no module NetSecurity, as before Windows 8
	NoShell  bool   // there is no PowerShell, as on Windows XP
	Language string // of netsh: "" is English, "de" German
	Networks []string
	Profiles []Profile
	Rules    []Rule // of the firewall
	// Openings are the ports of `netsh firewall`, of the domain and the
	// standard profile.
	Openings [2][]Opening
	// Programs are those that `netsh firewall` lets in, in the same profiles.
	Programs [2][]Program
}

// Profile is the firewall's settings for one category of networks.
type Profile struct {
	Name       string `json:"name"`
	Enabled    string `json:"enabled"`
	Inbound    string `json:"inbound"`
	Outbound   string `json:"outbound"`
	LocalRules string `json:"localRules"`
}

// Rule is a rule with its filters, by the names of the NetSecurity
// module in the lower case of windows.ps1.
type Rule struct {
	Name          string   `json:"name"`
	Display       string   `json:"display"`
	Description   string   `json:"description"`
	Source        string   `json:"source"`
	Direction     string   `json:"direction"`
	Enabled       string   `json:"enabled"`
	Action        string   `json:"action"`
	Profile       string   `json:"profile"`
	Protocol      string   `json:"protocol"`
	LocalPort     []string `json:"localPort"`
	RemotePort    []string `json:"remotePort"`
	LocalAddress  []string `json:"localAddress"`
	RemoteAddress []string `json:"remoteAddress"`
	Program       string   `json:"program"`
	Package       string   `json:"package"`
	Service       string   `json:"service"`
	InterfaceType string   `json:"interfaceType"`
}

// Opening is a row of `netsh firewall show portopening`.
type Opening struct {
	Protocol, Port, Mode, Name string
}

// Program is a row of `netsh firewall show allowedprogram`, and what that does not
// show: whom the program is let in from, "ALL" or a list of addresses.
type Program struct {
	Path, Name, Mode, Scope string
}

// NewWindows gives a machine that has just been installed: its firewall is on,
// and has some of the rules that every Windows has.
func NewWindows(t testing.TB) *Windows {
	t.Helper()
	dir := dirFor(t)
	w := &Windows{Shell: filepath.Join(dir, "cmd.exe"), t: t, m: &machine{path: filepath.Join(dir, "windows.json")}}
	program(t, w.Shell, player(t, dir), "cmd", w.m.path)
	help := Program{`C:\WINDOWS\system32\sessmgr.exe`, "Remote Assistance", "Enable", "ALL"}
	s := WindowsState{Networks: []string{"Private"}, Openings: [2][]Opening{{}, {}}, Programs: [2][]Program{{help}, {help}}}
	for _, name := range []string{"Domain", "Private", "Public"} {
		s.Profiles = append(s.Profiles, Profile{name, "True", "True", "Allow", "True"})
	}
	dhcp := PortRule("CoreNet-DHCP-In", "Core Networking - DHCP (DHCP-In)", "UDP", "68")
	dhcp.RemotePort, dhcp.Program, dhcp.Service = []string{"67"}, `%SystemRoot%\system32\svchost.exe`, "dhcp"
	rpc := PortRule("RemoteSvcAdmin-RPCSS-In-TCP", "Remote Service Management (RPC-EPMAP)", "TCP", "RPCEPMap")
	rpc.Enabled, rpc.RemoteAddress, rpc.Profile = "False", []string{"LocalSubnet"}, "Domain, Private"
	icmp := PortRule("CoreNet-Diag-ICMP4-EchoRequest-In", "Diagnostics", "ICMPv4", "RPC")
	dns := OutRule("CoreNet-DNS-Out-UDP", "Core Networking - DNS (UDP-Out)", "UDP", "53")
	dns.Program, dns.Service = `%SystemRoot%\system32\svchost.exe`, "dnscache"
	s.Rules = []Rule{dhcp, rpc, icmp, dns}
	w.m.store(s)
	return w
}

// PortRule is a rule such as New-NetFirewallRule -Direction Inbound makes when it
// is told a protocol and ports and nothing else.
func PortRule(name, display, protocol string, ports ...string) Rule {
	any := []string{"Any"}
	return Rule{
		Name: name, Display: display, Source: "Local", Direction: "Inbound", Enabled: "True", Action: "Allow", Profile: "Any", Protocol: protocol,
		LocalPort: ports, RemotePort: any, LocalAddress: any, RemoteAddress: any, Program: "Any", Service: "Any", InterfaceType: "Any",
	}
}

// OutRule is the same with -Direction Outbound, for ports of other machines.
func OutRule(name, display, protocol string, ports ...string) Rule {
	r := PortRule(name, display, protocol, "Any")
	r.Direction, r.RemotePort = "Outbound", ports
	return r
}

// Edit changes the machine by other means than its programs.
func (w *Windows) Edit(edit func(*WindowsState)) {
	w.t.Helper()
	m := &machine{path: w.m.path}
	m.hold()
	defer func() { _ = m.lock.Close() }()
	var s WindowsState
	m.load(&s)
	edit(&s)
	m.store(s)
}

// Dump is all that the machine has, with our rules under names that are the
// same whenever they were made.
func (w *Windows) Dump() string {
	w.t.Helper()
	text := ""
	w.Edit(func(s *WindowsState) {
		slices.SortFunc(s.Rules, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
		b, err := json.MarshalIndent(s, "", " ")
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(b)
	})
	return text
}

// windowsShell plays cmd.exe /c.
func windowsShell(m *machine, args []string) int {
	if len(args) != 2 || args[0] != "-c" {
		fail(fmt.Sprintf("cmd.exe is called with %q", args))
	}
	if strings.HasPrefix(args[1], "sh ") {
		return unknownCommand("sh")
	}
	if len(args[1]) > 8191 {
		fmt.Fprintln(os.Stderr, "The command line is too long.")
		return 1
	}
	argv := cmdWords(args[1])
	switch strings.ToLower(argv[0]) {
	case "powershell.exe":
		return powershell(m, argv[1:])
	case "netsh":
		return netsh(m, argv[1:])
	case "cmd.exe":
		if slices.Equal(argv[1:], []string{"/d", "/c", "ver"}) {
			fmt.Print("\r\nMicrosoft Windows [Version 10.0.19045.3803]\r\n")
			return 0
		}
		if len(argv) == 4 && slices.Equal(argv[1:3], []string{"/d", "/c"}) && argv[3] == "set SSH_CONNECTION" {
			if at, found := os.LookupEnv("SSH_CONNECTION"); found {
				fmt.Print("SSH_CONNECTION=" + at + "\r\n")
				return 0
			}
			fmt.Fprint(os.Stderr, "Environment variable SSH_CONNECTION not defined\r\n")
			return 1
		}
	}
	return unknownCommand(argv[0])
}

func unknownCommand(name string) int {
	fmt.Fprintf(os.Stderr, "'%s' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", name)
	return 1
}

// cmdWords takes a command line apart as cmd.exe and then a program's start do,
// as far as it has no characters that mean something to cmd.exe.
func cmdWords(line string) []string {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for _, c := range line {
		switch {
		case c == '"':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		case c == '%' || !quoted && strings.ContainsRune("&|<>^()@!,;", c):
			fail(fmt.Sprintf("cmd.exe would act on %q in %s", c, line))
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if quoted {
		fail("a quote is not closed in " + line)
	}
	if begun {
		words = append(words, word.String())
	}
	if len(words) == 0 {
		fail("there is no command")
	}
	return words
}
