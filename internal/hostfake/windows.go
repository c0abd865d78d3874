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
	Language string // of netsh: "" is English, "de" German
	Networks []string
	Profiles []Profile
	Rules    []Rule // of the firewall
	// Openings are the ports of `netsh firewall`, of the domain and the
	// standard profile.
	Openings [2][]Opening
}

// Profile is the firewall's settings for one category of networks.
type Profile struct {
	Name       string `json:"name"`
	Enabled    string `json:"enabled"`
	Inbound    string `json:"inbound"`
	LocalRules string `json:"localRules"`
}

// Rule is an inbound rule with its filters, by the names of the NetSecurity
// module in the lower case of windows.ps1.
type Rule struct {
	Name          string   `json:"name"`
	Display       string   `json:"display"`
	Description   string   `json:"description"`
	Source        string   `json:"source"`
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

// NewWindows gives a machine that has just been installed: its firewall is on,
// and has some of the rules that every Windows has.
func NewWindows(t testing.TB) *Windows {
	t.Helper()
	dir := dirFor(t)
	w := &Windows{Shell: filepath.Join(dir, "cmd.exe"), t: t, m: &machine{path: filepath.Join(dir, "windows.json")}}
	program(t, w.Shell, player(t, dir), "cmd", w.m.path)
	s := WindowsState{Networks: []string{"Private"}, Openings: [2][]Opening{{}, {}}}
	for _, name := range []string{"Domain", "Private", "Public"} {
		s.Profiles = append(s.Profiles, Profile{name, "True", "True", "True"})
	}
	dhcp := PortRule("CoreNet-DHCP-In", "Core Networking - DHCP (DHCP-In)", "UDP", "68")
	dhcp.RemotePort, dhcp.Program, dhcp.Service = []string{"67"}, `%SystemRoot%\system32\svchost.exe`, "dhcp"
	rpc := PortRule("RemoteSvcAdmin-RPCSS-In-TCP", "Remote Service Management (RPC-EPMAP)", "TCP", "RPCEPMap")
	rpc.Enabled, rpc.RemoteAddress, rpc.Profile = "False", []string{"LocalSubnet"}, "Domain, Private"
	icmp := PortRule("CoreNet-Diag-ICMP4-EchoRequest-In", "Diagnostics", "ICMPv4", "RPC")
	s.Rules = []Rule{dhcp, rpc, icmp}
	w.m.store(s)
	return w
}

// PortRule is a rule such as New-NetFirewallRule makes when it is told a
// protocol and ports and nothing else.
func PortRule(name, display, protocol string, ports ...string) Rule {
	any := []string{"Any"}
	return Rule{
		Name: name, Display: display, Source: "Local", Enabled: "True", Action: "Allow", Profile: "Any", Protocol: protocol,
		LocalPort: ports, RemotePort: any, LocalAddress: any, RemoteAddress: any, Program: "Any", Service: "Any", InterfaceType: "Any",
	}
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
		if len(argv) == 4 && slices.Equal(argv[1:3], []string{"/d", "/c"}) && argv[3] == "set SSH_CONNECTION" {
			if at, found := os.LookupEnv("SSH_CONNECTION"); found {
				fmt.Print("SSH_CONNECTION=" + at + "\r\n")
				return 0
			}
			fmt.Fprint(os.Stderr, "Environment variable SSH_CONNECTION not defined\r\n")
			return 1
		}
	}
	fmt.Fprintf(os.Stderr, "'%s' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", argv[0])
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
