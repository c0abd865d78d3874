//go:build unix

package hostfake

import (
	"errors"
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
	// far as btplan uses them, and not those that only Linux has. Whoever asks
	// sudo is root.
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
var macPrograms = []string{"cat", "chmod", "cp", "env", "mkdir", "mktemp", "perl", "rm", "rmdir", "sed", "sh", "shasum", "tr"}

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
		filepath.Join(bin, "sudo"):    "#!/bin/sh\n[ \"$1\" = -n ] && shift && exec env -i PATH=\"$PATH\" \"$@\"\n",
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

// pfctlCall is what pfctl(8) was asked for.
type pfctlCall struct {
	anchor            string // -a
	show, flush, file string // -s, -F, -f
	only              bool   // -n
}

// parsePfctl reads pfctl's arguments.
func parsePfctl(args []string) (c pfctlCall, err error) {
	values := map[string]*string{"-a": &c.anchor, "-s": &c.show, "-F": &c.flush, "-f": &c.file}
	for i := 0; i < len(args); i++ {
		into, takesValue := values[args[i]]
		switch {
		case args[i] == "-q":
		case args[i] == "-n":
			c.only = true
		case !takesValue:
			return c, fmt.Errorf("illegal option %s", args[i])
		case i+1 == len(args):
			return c, fmt.Errorf("option requires an argument %s", args[i])
		default:
			i++
			*into = args[i]
		}
	}
	return c, nil
}

// pfctl plays pfctl(8).
func pfctl(m *machine, args []string) int {
	m.hold()
	var s MacState
	m.load(&s)
	fmt.Fprint(os.Stderr, "No ALTQ support in kernel\nALTQ related functions disabled\n")
	call, err := parsePfctl(args)
	if s.FailOnce != "" && strings.Contains(strings.Join(args, " "), s.FailOnce) {
		s.FailOnce = ""
		m.store(s)
		err = errors.New("it does not work")
	}
	if err == nil {
		err = s.pfctl(m, call)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "pfctl: %v\n", err)
		return 1
	}
	return 0
}

// pfctl does what pfctl was asked for.
func (s *MacState) pfctl(m *machine, call pfctlCall) error {
	rules, there := s.Main, true
	if call.anchor != "" {
		rules, there = s.Anchors[call.anchor]
	}
	switch {
	case call.show == "info":
		state := "Disabled                              "
		if s.Enabled {
			state = "Enabled for 0 days 02:11:05           "
		}
		fmt.Println("Status: " + state + "Debug: Urgent")
	case call.show == "rules" && !there, call.flush == "rules" && !there:
		return errors.New("DIOCGETRULES: Invalid argument")
	case call.show == "rules":
		for _, r := range rules {
			fmt.Println(r)
		}
	case call.flush == "rules" && call.anchor != "":
		delete(s.Anchors, call.anchor)
		m.store(*s)
	case call.file != "" && call.anchor != "":
		loaded, err := parsePF(call.file)
		if err != nil || call.only {
			return err
		}
		s.Anchors[call.anchor] = loaded
		m.store(*s)
	default:
		fail(fmt.Sprintf("pfctl is called with %+v", call))
	}
	return nil
}

// pfForm is as much of the grammar of pf.conf(5) as is played here.
var pfForm = regexp.MustCompile(`^pass (in|out) quick( inet6?)? proto (tcp|udp) from (\S+) to any port (\d+):(\d+) label "([^"]{1,63})"$`)

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
		way, family, protocol, from, first, last, label := f[1], strings.TrimSpace(f[2]), f[3], f[4], f[5], f[6], f[7]
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
		if protocol == "tcp" {
			state = "flags S/SA keep state"
		}
		loaded = append(loaded, fmt.Sprintf("pass %s quick %sproto %s from %s to any port %s:%s %s label %q", way, family, protocol, from, first, last, state, label))
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
