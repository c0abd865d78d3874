// Package macos is the two firewalls of macOS: pf, and the application firewall.
package macos

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// Type is the two firewalls of macOS: pf, which knows ports, and the
// application firewall, which knows programs. pf is off unless somebody has
// turned it on; btplan never does, nor takes a reference to it (pfctl -E): where
// nobody wants it, nothing shuts the ports.
//
// Its rules only let packets pass, and stand in an anchor of their own: no change
// can cut off who makes it, so that there is nothing for a revert timer to do.
func Type() providers.Type {
	return providers.Type{
		Name:   Name,
		Remote: true,
		Spec: hcldec.ObjectSpec{
			"program": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "program", Type: cty.String},
				Func:    checkMacosProgram,
			},
		},
		Open: func(s providers.Settings) (providers.Device, error) {
			k := Kind(host.OptionalText(s.Body.GetAttr("program")))
			d := device{host.NewDevice(k, s)}
			d.Guarded.LockFile = lockFile
			return d, nil
		},
	}
}

// Name is the type's.
const Name = "macos"

func checkMacosProgram(v cty.Value) hcl.Diagnostics {
	program := host.OptionalText(v)
	hostile := strings.ContainsFunc(program, func(c rune) bool { return !unicode.IsPrint(c) })
	if program == "" || strings.HasPrefix(program, "/") && !hostile && !strings.HasSuffix(program, "/") && strings.TrimSpace(program) == program {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Invalid program",
		Detail:   fmt.Sprintf("%q is not the whole path of a program or bundle on macOS, such as \"/Applications/Transmission.app\".", program),
	}}
}

// Kind is macOS. With a program, the application firewall has to let that
// one in.
func Kind(program string) host.Kind {
	return host.Kind{
		Name:   Name,
		Script: readScript,
		Read: func(project string, p script.Printed) (*host.Holding, error) {
			return readMacos(project, program, p)
		},
	}
}

// anchor is where pf has a project's rules: Apple's own pf.conf calls all
// anchors below com.apple, so that no file of others has to be edited.
func anchor(project string) string { return "com.apple/btplan-" + project }

// file is what is loaded into the anchor.
func file(project string) string { return "/etc/btplan/" + project + ".pf" }

// LaunchDaemons is where launchd finds what to start at boot (launchd.plist(5)).
// A variable, for tests can't write there.
var LaunchDaemons = "/Library/LaunchDaemons"

func plist(project string) string { return LaunchDaemons + "/btplan." + project + ".plist" }

// list prints what a change is made from: our file, what is loaded, what
// loads it at boot, and the programs that the application firewall knows. That
// there is no such anchor is an error to pfctl.
func list(project string) string {
	return fmt.Sprintf(`{
		cat %[1]s 2>/dev/null
		printf '\035'
		pfctl -q -a %[2]s -s rules 2>/dev/null
		printf '\035'
		cat %[3]s 2>/dev/null
		printf '\035'
		[ ! -x "$appfw" ] || "$appfw" --listapps
	}`, file(project), anchor(project), plist(project))
}

// appFirewall finds the application firewall's program, which is not in PATH.
const appFirewall = "appfw=$(command -v socketfilterfw || echo /usr/libexec/ApplicationFirewall/socketfilterfw)\n"

// pfServiceNumbers prints what parsePFServices reads, of all names of ports in
// the rules that it gets.
const pfServiceNumbers = `perl -e 'while (<STDIN>) {
		while (/ port = (\d*[^\d\s]\S*)/g) {
			for my $protocol ("tcp", "udp") {
				my $port = getservbyname($1, $protocol);
				print "$1 $protocol $port\n" if defined $port;
			}
		}
	}'`

func readScript(project string, _ bool) string {
	return `if command -v sw_vers >/dev/null && command -v pfctl >/dev/null; then
	` + appFirewall + `	section macos-state
	pfctl -q -s info || exit
	section macos-main
	rules=$(pfctl -q -s rules) || exit
	printf '%s\n' "$rules"
	section macos-services
	case $rules in *" port = "*)
		printf '%s\n' "$rules" | ` + pfServiceNumbers + ` || exit
	esac
	section macos-app
	[ ! -x "$appfw" ] || "$appfw" --getglobalstate --getblockall
	section macos-others
	for file in /etc/btplan/*.pf; do
		[ ! -r "$file" ] || [ "$file" = ` + file(project) + ` ] || cat "$file" || exit
	done
	section macos
	` + list(project) + `
fi
`
}

// macos is a macOS in the state in which it was read.
type macos struct {
	host.KeepsRules
	project, program string
	active           bool
	listed           []byte
	file             []byte // as it is
	lines            []pfLine
	loaded           []string // rules of the anchor, without what pf adds to each
	plist            []byte
	main             []pfRule // the rules of others for TCP and UDP, in order
	called           bool     // the anchor is, by the main rules
	others           []byte   // the files of other projects
	app              appState
}

func readMacos(project, program string, p script.Printed) (*host.Holding, error) {
	listed, there := p["macos"]
	if !there {
		return nil, nil
	}
	part := bytes.Split(listed, []byte{0x1d})
	if len(part) != 4 {
		return nil, fmt.Errorf("what the machine says of pf is not whole")
	}
	m := &macos{
		project: project, program: program, listed: listed, file: part[0], plist: part[2],
		active: bytes.Contains(p["macos-state"], []byte("Status: Enabled")),
		loaded: parseLoaded(part[1]),
		others: p["macos-others"],
		app:    parseApp(p["macos-app"], part[3]),
	}
	m.main, m.called = parsePFMain(p["macos-main"], parsePFServices(p["macos-services"]))
	var err error
	if m.lines, err = parsePFFile(m.file, project); err != nil {
		return nil, fmt.Errorf("%s: %w", file(project), err)
	}
	h := &host.Holding{Filter: m, Active: m.active, DropsOutbound: m.dropsOutbound(), Problems: m.problems()}
	h.Rules = append(m.live(), m.foreign()...)
	return h, nil
}

func (m *macos) String() string { return "pf" }

func (m *macos) Listing() (command string, printed []byte) {
	return "{ " + appFirewall + list(m.project) + "; }", m.listed
}

func (m *macos) NeedsWhole(host.Owned) bool { return false }

// NeedsLock: a Mac has no flock(1), and macosLock does without.
func (m *macos) NeedsLock() bool { return false }

// problems tells what keeps packets out, or lets them in, whatever rules there
// are.
func (m *macos) problems() []providers.Problem {
	var out []providers.Problem
	add := func(summary, detail string) {
		out = append(out, providers.Problem{Summary: summary, Detail: detail, OfRules: true})
	}
	switch {
	case !m.active:
		add("pf is off", "macOS's packet filter is not enabled, so it shuts no port. The rules are put there all the same, and count from when it is turned on, with pfctl -e.")
	case !m.called:
		add("pf does not look at btplan's rules", "The rules that are loaded do not call the anchors below com.apple, as Apple's /etc/pf.conf does. Add the line `anchor \"com.apple/*\"` to /etc/pf.conf, and load it with pfctl -f /etc/pf.conf.")
	}
	switch {
	case m.app.blockAll:
		add("The application firewall blocks all incoming connections", "macOS is set to block all incoming connections, so no rule opens a port. Turn that off in System Settings, Network, Firewall, Options.")
	case m.app.on && m.program == "":
		add("The application firewall is on", "macOS's application firewall lets connections in by program, not by port, and asks at the screen for those that it does not know. To have btplan let the client in, name it: program = \"/Applications/Transmission.app\".")
	}
	return out
}

// live gives our rules.
func (m *macos) live() []plan.Live {
	byOwner := map[plan.Addr][]pfLine{}
	for _, l := range m.lines {
		byOwner[l.owner] = append(byOwner[l.owner], l)
	}
	var out []plan.Live
	for owner, lines := range byOwner {
		var pieces []plan.Rule
		for _, l := range lines {
			pieces = append(pieces, l.rule)
		}
		rules := host.JoinSources(pieces)
		seal := plan.Seal(rules)
		for _, r := range rules {
			live := plan.Live{Rule: r, Owner: owner, Handle: "in the anchor " + anchor(m.project)}
			if r.Kind == plan.Allow && m.app.on && m.program != "" && !m.app.lets(m.program) {
				live.Outdated = "the application firewall does not let in " + m.program
			}
			if !bytes.Equal(m.plist, m.wantPlist()) {
				live.Drift = "it would not be there after a restart: " + plist(m.project) + " is not as btplan wrote it"
			}
			for _, l := range lines {
				switch {
				case !l.rule.Collides(r):
				case l.seal != seal:
					live.Drift = "changed on the machine since btplan wrote it"
				case !slices.Contains(m.loaded, l.text):
					live.Drift = "it is not in force"
				}
			}
			if len(m.loaded) > len(m.lines) {
				live.Drift = "somebody has added rules to its anchor"
			}
			out = append(out, live)
		}
	}
	return out
}

// otherProjects gives the rules of other projects of btplan.
func (m *macos) otherProjects() []plan.Live {
	var out []plan.Live
	theirs := map[string][]plan.Rule{}
	for line := range strings.Lines(string(m.others)) {
		if l, project, ok := parsePFLine(strings.TrimSuffix(line, "\n")); ok {
			theirs[project] = append(theirs[project], l.rule)
		}
	}
	for project, pieces := range theirs {
		for _, rule := range host.JoinSources(pieces) {
			out = append(out, plan.Live{Rule: rule, Project: project, Handle: "in the anchor " + anchor(project)})
		}
	}
	return out
}
