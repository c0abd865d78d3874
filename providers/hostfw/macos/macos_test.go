package macos

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// Where a host of the lab can write, so that the scripts are the same there.
func init() { LaunchDaemons = hosttest.LaunchDaemons }

// The transcript is written from the vendor's documentation and what people
// have published.
func TestMacosAnswer(t *testing.T) {
	s, err := hosttest.DeviceOf(Kind("/Applications/It's a client.app")).Parse(hosttest.Answer(t, "testdata/"+Name+".answer"))
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Golden(t, "testdata/macos.txt", hosttest.InWords(s))
	want := []plan.Rule{hosttest.Allow(t, plan.TCP, "22"), hosttest.Allow(t, plan.TCP, "6881-6889")}
	hosttest.Golden(t, "testdata/macos-overridden.txt", strings.Join(s.Overridden(want), "\n")+"\n")
	hosttest.Golden(t, "testdata/macos-change.sh", s.Change(host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "7", "203.0.113.0/24", "::/0")}}))
	hosttest.Golden(t, "testdata/macos-destroy.sh", s.Change(nil))
	hosttest.Golden(t, "testdata/macos-undo.sh", s.Undo(nil))
}

// A file that somebody has edited is not overwritten without a word.
func TestMacosFileEdited(t *testing.T) {
	whole := string(hosttest.Answer(t, "testdata/"+Name+".answer"))
	for _, edit := range []string{"block all\n", "pass in quick proto tcp from any to any port 1:1 label \"x\"\n"} {
		edited := strings.Replace(whole, "\x1emacos\n", "\x1emacos\n"+edit, 1)
		_, err := hosttest.DeviceOf(Kind("")).Parse([]byte(edited))
		if err == nil || !strings.Contains(err.Error(), "/etc/btplan/home.pf: line 1 is not one of btplan's") {
			t.Errorf("%q: got %v", edit, err)
		}
	}
}

// launchd reads the job with a parser of XML.
func TestMacosPlist(t *testing.T) {
	m := &macos{project: "home"}
	d := xml.NewDecoder(bytes.NewReader(m.wantPlist()))
	var texts []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) > 0 {
			texts = append(texts, string(text))
		}
	}
	if got, want := strings.Join(texts, " "), "Label btplan.home ProgramArguments /sbin/pfctl -q -a com.apple/btplan-home -f /etc/btplan/home.pf RunAtLoad"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The application firewall as several versions of macOS tell of it.
func TestApplicationFirewall(t *testing.T) {
	for state, want := range map[string]appState{
		"Firewall is enabled. (State = 1)\nFirewall has block all state set to disabled.\n":                   {on: true},
		"Firewall is enabled. (State = 1)\nBlock all DISABLED! \n":                                            {on: true},
		"Firewall is disabled. (State = 0)\nFirewall has block all state set to disabled.\n":                  {},
		"Firewall is enabled. (State = 1)\nFirewall has block all state set to enabled.\n":                    {on: true, blockAll: true},
		"Firewall is enabled. (State = 2)\nFirewall is set to block all non-essential incoming connections\n": {on: true, blockAll: true},
		"": {},
	} {
		if got := parseApp([]byte(state), nil); got.on != want.on || got.blockAll != want.blockAll {
			t.Errorf("%q: got %+v", state, got)
		}
	}
	old := "ALF: total number of apps = 2 \n\n1 :  /Applications/Foo (Free).app \n \t ( Allow incoming connections ) \n\n2 :  /usr/local/bin/bar \n \t ( Block incoming connections ) \n"
	a := parseApp(nil, []byte(old))
	if !a.lets("/Applications/Foo (Free).app") || !a.blocks("/usr/local/bin/bar") || a.blocks("/x") || a.lets("/x") {
		t.Errorf("got %+v", a)
	}
}

// A program is let in while something comes in: what it sends is no matter of the
// application firewall's.
func TestMacosProgramOutbound(t *testing.T) {
	out := plan.Rule{Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}}
	in := hosttest.Allow(t, plan.TCP, "6881")
	parse := func(file string) *host.State {
		s, err := hosttest.DeviceOf(Kind("/Client.app")).Parse([]byte("\x1emacos-app\nState = 1\n\x1emacos\n" + file + "\x1d\x1d\x1d\n\x1elogin\n"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, test := range []struct {
		after host.Owned
		adds  bool
	}{{host.Owned{hosttest.Seedbox: {out}}, false}, {host.Owned{hosttest.Seedbox: {out}, hosttest.BT: {in}}, true}} {
		if got := strings.Contains(parse("").Change(test.after), "--add '/Client.app'"); got != test.adds {
			t.Errorf("%v: the program is let in: %t", test.after.Sorted(), got)
		}
		s := parse(pfLines("home", hosttest.Seedbox, test.after[hosttest.Seedbox]) + pfLines("home", hosttest.BT, test.after[hosttest.BT]))
		for _, l := range s.Rules {
			if (l.Outdated != "") != (l.Kind == plan.Allow) {
				t.Errorf("%s is outdated: %q", l.Rule, l.Outdated)
			}
		}
		if got := strings.Contains(parse(addedNote+"/Client.app\n").Change(test.after), "--remove '/Client.app'"); got == test.adds {
			t.Errorf("%v: the program is taken off: %t", test.after.Sorted(), got)
		}
	}
}

func FuzzMacosAnswer(f *testing.F) {
	f.Add(hosttest.Answer(f, "testdata/"+Name+".answer"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := hosttest.DeviceOf(Kind("/x")).Parse(data)
		if err != nil {
			return
		}
		for _, l := range s.Rules {
			if err := l.Rule.Check(); err != nil {
				t.Errorf("the rule %s: %v", l.Rule, err)
			}
		}
		rules := []plan.Rule{hosttest.Allow(t, plan.TCP, "6881-6889"), {Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}}}
		after := s.Ours()
		after[hosttest.Other] = rules
		_ = s.Change(after) + s.Undo(after)
		_ = s.Overridden(rules)
		_ = s.Refuse(rules)
	})
}
