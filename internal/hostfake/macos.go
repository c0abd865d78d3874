//go:build unix

package hostfake

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Mac is a machine with macOS.
type Mac struct {
	// Shell is a login shell in which there are the programs that a Mac has, as
	// far as btplan uses them, and not those that only Linux has.
	Shell string

	t testing.TB
	m *machine
}

// MacState is what a Mac has, as [Mac.Edit] shows it.
type MacState struct {
	Enabled  bool                // pf is
	Main     []string            // pf's main rules, as pfctl -s rules lists them
	Anchors  map[string][]string // the rules below anchors
	Global   int                 // of the application firewall: 0 off, 1 on, 2 blocks all
	BlockAll bool
	Apps     []App
	// FailOnce has pfctl fail the next time that its arguments, with blanks
	// between, hold it.
	FailOnce string
}

// App is a program that the application firewall knows.
type App struct {
	Path  string
	Allow bool
}

// macPrograms are those of a Mac that do there what they do here.
var macPrograms = []string{"cat", "chmod", "cp", "mkdir", "mktemp", "perl", "rm", "rmdir", "sed", "sh", "shasum", "tr"}

// NewMac gives a machine with macOS whose pf is enabled, with Apple's own rules,
// and whose application firewall is off.
func NewMac(t testing.TB) *Mac {
	t.Helper()
	dir := dirFor(t)
	mac := &Mac{Shell: filepath.Join(dir, "zsh"), t: t, m: &machine{path: filepath.Join(dir, "mac.json")}}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range macPrograms {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, name))
		}
		if err != nil {
			t.Skip("hostfake: ", err)
		}
	}
	play := player(t, dir)
	for _, name := range []string{"pfctl", "socketfilterfw"} {
		program(t, filepath.Join(bin, name), play, name, mac.m.path)
	}
	for path, script := range map[string]string{
		filepath.Join(bin, "sw_vers"): "#!/bin/sh\necho 'ProductName:\t\tmacOS'\n",
		mac.Shell:                     "#!/bin/sh\nPATH='" + bin + "' exec /bin/sh \"$@\"\n",
	} {
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mac.m.store(MacState{
		Enabled: true,
		Main:    []string{`scrub-anchor "com.apple/*" all fragment reassemble`, `anchor "com.apple/*" all`},
		Anchors: map[string][]string{}, Apps: []App{},
	})
	return mac
}

// Edit changes the machine by other means than its programs.
func (mac *Mac) Edit(edit func(*MacState)) {
	mac.t.Helper()
	m := &machine{path: mac.m.path}
	m.hold()
	defer func() { _ = m.lock.Close() }()
	var s MacState
	m.load(&s)
	edit(&s)
	m.store(s)
}

// Dump is all that pf and the application firewall have.
func (mac *Mac) Dump() string {
	text, err := os.ReadFile(mac.m.path)
	if err != nil {
		mac.t.Fatal(err)
	}
	return string(text)
}

// pfctl plays pfctl(8).
func pfctl(m *machine, args []string) int {
	m.hold()
	var s MacState
	m.load(&s)
	fmt.Fprint(os.Stderr, "No ALTQ support in kernel\nALTQ related functions disabled\n")
	fails := func(why string) int {
		fmt.Fprintln(os.Stderr, "pfctl: "+why)
		return 1
	}
	if s.FailOnce != "" && strings.Contains(strings.Join(args, " "), s.FailOnce) {
		s.FailOnce = ""
		m.store(s)
		return fails("it does not work")
	}
	anchor, show, flush, file, only := "", "", "", "", false
	for i := 0; i < len(args); i++ {
		value := func() string {
			if i++; i == len(args) {
				fail("an option of pfctl has no value")
			}
			return args[i]
		}
		switch args[i] {
		case "-q":
		case "-n":
			only = true
		case "-a":
			anchor = value()
		case "-s":
			show = value()
		case "-F":
			flush = value()
		case "-f":
			file = value()
		default:
			return fails("illegal option " + args[i])
		}
	}
	rules, there := s.Main, true
	if anchor != "" {
		rules, there = s.Anchors[anchor]
	}
	switch {
	case show == "info":
		state := "Disabled                              "
		if s.Enabled {
			state = "Enabled for 0 days 02:11:05           "
		}
		fmt.Println("Status: " + state + "Debug: Urgent")
	case show == "rules" && !there, flush == "rules" && !there:
		return fails("DIOCGETRULES: Invalid argument")
	case show == "rules":
		for _, r := range rules {
			fmt.Println(r)
		}
	case flush == "rules" && anchor != "":
		delete(s.Anchors, anchor)
		m.store(s)
	case file != "" && anchor != "":
		loaded, err := parsePF(file)
		if err != nil {
			return fails(err.Error())
		}
		if !only {
			s.Anchors[anchor] = loaded
			m.store(s)
		}
	default:
		fail(fmt.Sprintf("pfctl is called with %q", args))
	}
	return 0
}

// pfForm is as much of the grammar of pf.conf(5) as is played here.
var pfForm = regexp.MustCompile(`^pass in quick( inet6?)? proto (tcp|udp) from (\S+) to any port (\d+):(\d+) label "([^"]{1,63})"$`)

// parsePF reads a file of rules and gives them as pfctl lists them: a rule for
// addresses has their family, and TCP is matched by its first packet.
func parsePF(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	loaded := []string{}
	for n, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		f := pfForm.FindStringSubmatch(line)
		if f == nil {
			return nil, fmt.Errorf("%s:%d: syntax error", file, n+1)
		}
		family, from := strings.TrimSpace(f[1]), f[3]
		if from != "any" {
			p, err := netip.ParsePrefix(from)
			if err != nil {
				a, err := netip.ParseAddr(from)
				if err != nil {
					return nil, fmt.Errorf("%s:%d: no IP address found for %s", file, n+1, from)
				}
				p = netip.PrefixFrom(a, a.BitLen())
			}
			own := map[bool]string{true: "inet6", false: "inet"}[p.Addr().Is6()]
			if family != "" && family != own {
				return nil, fmt.Errorf("%s:%d: rule expands to no valid combination", file, n+1)
			}
			family, from = own, p.Masked().String()
			if p.IsSingleIP() {
				from = p.Addr().String()
			}
		}
		if family != "" {
			family += " "
		}
		state := "keep state"
		if f[2] == "tcp" {
			state = "flags S/SA keep state"
		}
		loaded = append(loaded, fmt.Sprintf("pass in quick %sproto %s from %s to any port %s:%s %s label %q", family, f[2], from, f[4], f[5], state, f[6]))
	}
	return loaded, nil
}

// socketfilterfw plays Apple's program of that name.
func socketfilterfw(m *machine, args []string) int {
	if len(args) == 2 && args[0] == "--getglobalstate" && args[1] == "--getblockall" {
		return socketfilterfw(m, args[:1]) + socketfilterfw(m, args[1:])
	}
	m.hold()
	var s MacState
	m.load(&s)
	path := ""
	if len(args) == 2 {
		path = args[1]
	}
	at := slices.IndexFunc(s.Apps, func(a App) bool { return a.Path == path })
	if len(args) == 0 {
		fail("socketfilterfw is called without arguments")
	}
	switch args[0] {
	case "--getglobalstate":
		fmt.Printf("Firewall is %s. (State = %d)\n", map[bool]string{true: "enabled", false: "disabled"}[s.Global > 0], s.Global)
	case "--getblockall":
		fmt.Printf("Firewall has block all state set to %s.\n", map[bool]string{true: "enabled", false: "disabled"}[s.BlockAll])
	case "--listapps":
		fmt.Printf("Total number of apps = %d \n", len(s.Apps))
		for i, a := range s.Apps {
			fmt.Printf("%d : %s \n             (%s incoming connections) \n\n", i+1, a.Path, map[bool]string{true: "Allow", false: "Block"}[a.Allow])
		}
	case "--add":
		if at < 0 {
			s.Apps = append(s.Apps, App{path, true})
		}
		fmt.Printf("Application at path ( %s ) added to firewall \n", path)
	case "--unblockapp":
		if at < 0 {
			fmt.Println("The application is not part of the firewall")
			return 1
		}
		s.Apps[at].Allow = true
		fmt.Println("Incoming connection to the application is permitted ")
	case "--remove":
		if at < 0 {
			fmt.Println("The application is not part of the firewall")
			return 1
		}
		s.Apps = slices.Delete(s.Apps, at, at+1)
		fmt.Printf("Application at path ( %s ) removed from firewall \n", path)
	default:
		fail(fmt.Sprintf("socketfilterfw is called with %q", args))
	}
	m.store(s)
	return 0
}
