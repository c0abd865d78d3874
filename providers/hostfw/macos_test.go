package hostfw

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
)

// The transcript is written from the vendor's documentation and what people
// have published.
func TestMacosAnswer(t *testing.T) {
	s, err := deviceOf(macosKind("/Applications/It's a client.app")).parse(answer(t, "testdata/"+macosName+".answer"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/macos.txt", inWords(s))
	want := []plan.Rule{allow(t, plan.TCP, "22"), allow(t, plan.TCP, "6881-6889")}
	golden(t, "testdata/macos-overridden.txt", strings.Join(s.overridden(want), "\n")+"\n")
	golden(t, "testdata/macos-change.sh", s.change(owned{bt: {allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "7", "203.0.113.0/24", "::/0")}}))
	golden(t, "testdata/macos-destroy.sh", s.change(nil))
	golden(t, "testdata/macos-undo.sh", s.undo(nil))
}

// A file that somebody has edited is not overwritten without a word.
func TestMacosFileEdited(t *testing.T) {
	whole := string(answer(t, "testdata/"+macosName+".answer"))
	for _, edit := range []string{"block all\n", "pass in quick proto tcp from any to any port 1:1 label \"x\"\n"} {
		edited := strings.Replace(whole, "\x1emacos\n", "\x1emacos\n"+edit, 1)
		_, err := deviceOf(macosKind("")).parse([]byte(edited))
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
	in := allow(t, plan.TCP, "6881")
	parse := func(file string) *state {
		s, err := deviceOf(macosKind("/Client.app")).parse([]byte("\x1emacos-app\nState = 1\n\x1emacos\n" + file + "\x1d\x1d\x1d\n\x1elogin\n"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, test := range []struct {
		after owned
		adds  bool
	}{{owned{seedbox: {out}}, false}, {owned{seedbox: {out}, bt: {in}}, true}} {
		if got := strings.Contains(parse("").change(test.after), "--add '/Client.app'"); got != test.adds {
			t.Errorf("%v: the program is let in: %t", test.after.sorted(), got)
		}
		s := parse(pfLines("home", seedbox, test.after[seedbox]) + pfLines("home", bt, test.after[bt]))
		for _, l := range s.rules {
			if (l.Outdated != "") != (l.Kind == plan.Allow) {
				t.Errorf("%s is outdated: %q", l.Rule, l.Outdated)
			}
		}
		if got := strings.Contains(parse(addedNote+"/Client.app\n").change(test.after), "--remove '/Client.app'"); got == test.adds {
			t.Errorf("%v: the program is taken off: %t", test.after.sorted(), got)
		}
	}
}

func FuzzMacosAnswer(f *testing.F) {
	f.Add(answer(f, "testdata/"+macosName+".answer"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := deviceOf(macosKind("/x")).parse(data)
		if err != nil {
			return
		}
		for _, l := range s.rules {
			if err := l.Rule.Check(); err != nil {
				t.Errorf("the rule %s: %v", l.Rule, err)
			}
		}
		rules := []plan.Rule{allow(t, plan.TCP, "6881-6889"), {Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}}}
		after := s.ours()
		after[other] = rules
		_ = s.change(after) + s.undo(after)
		_ = s.overridden(rules)
		_ = s.refuse(rules)
	})
}
