package hostfw

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/hostfw/packetfilter"
	"github.com/btplan/btplan/providers/hostfw/ufw"
)

// testdataOf is where the files of a kind are, up to their names' beginning.
func testdataOf(name string) string {
	dir := name
	if name == "nftables" || name == "iptables" {
		dir = "packetfilter"
	}
	return dir + "/testdata/" + name
}

func TestAnswers(t *testing.T) {
	for _, k := range kinds {
		s, err := hosttest.DeviceOf(k).Parse(hosttest.Answer(t, testdataOf(k.Name)+".answer"))
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			continue
		}
		hosttest.Golden(t, testdataOf(k.Name)+".txt", hosttest.InWords(s))
		if err := s.Check(s.Ours()); err != nil && !strings.Contains(hosttest.InWords(s), "drift") {
			t.Errorf("%s: what it holds isn't what it holds: %v", k.Name, err)
		}
		detected, err := hosttest.DeviceOf(autoKind).Parse(hosttest.Answer(t, testdataOf(k.Name)+".answer"))
		if err != nil || detected.String() != k.Name {
			t.Errorf("auto: got %v, %v, want %s", detected, err, k.Name)
		}
	}
}

// What keeps auto from taking a firewall reads as a sentence, whoever says it.
func TestUnusable(t *testing.T) {
	why := errors.New("its rules are odd")
	for name, want := range map[string]string{
		ufw.Kind.Name:         `firewall "auto" has found ufw on the machine, which it can't take: its rules are odd`,
		packetfilter.Any.Name: "its rules are odd",
	} {
		if got := unusable(host.Kind{Name: name}, why); got.Error() != want || !errors.Is(got, why) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A machine whose answer is cut short is not one without rules.
func TestAnswerCutShort(t *testing.T) {
	for _, k := range kinds {
		whole := hosttest.Answer(t, testdataOf(k.Name)+".answer")
		for n := range 20 {
			cut := whole[:len(whole)*n/20]
			if s, err := hosttest.DeviceOf(k).Parse(cut); err == nil {
				t.Errorf("%s, %d bytes of %d: no error, but %s", k.Name, len(cut), len(whole), hosttest.InWords(s))
			}
		}
	}
}

func TestDetect(t *testing.T) {
	const login = "\x1elogin\n"
	for name, test := range map[string]struct{ answer, want string }{
		"nothing":       {"", "no firewall that btplan knows was found"},
		"both inactive": {"\x1eufw-conf\nENABLED=no\n\x1efirewalld\n", "(ufw is there, but not active; firewalld is there, but not active)"},
		"rules in one that is off": {"\x1eufw-conf\nENABLED=no\n\x1eufw-rules\n### tuple ### allow tcp 1 0.0.0.0/0 any 0.0.0.0/0 in comment=6274706c616e3a686f6d653a78\n" +
			"\x1efirewalld\n", "ufw holds rules of this project, but is not active"},
		"ufw":                                 {"\x1eufw-conf\nENABLED=yes\n", ""},
		"firewalld":                           {"\x1eufw-conf\nENABLED=no\n\x1efirewalld\n\x1dstate now\ns \"RUNNING\"\n\x1dpolicy a\na{sv} 0\n", ""},
		"no ufw at all, and an old firewalld": {"\x1efirewalld\n\x1dstate now\ns \"RUNNING\"\n", "since 0.9"},
		"nftables":                            {string(hosttest.Answer(t, "packetfilter/testdata/nftables.answer")), ""},
		"iptables":                            {string(hosttest.Answer(t, "packetfilter/testdata/iptables.answer")), ""},
		"a ufw that was turned on later":      {"\x1eufw-conf\nENABLED=yes\n" + string(hosttest.Answer(t, "packetfilter/testdata/nftables.answer")), "the rules of this project are in nftables, from before"},
		"firewalld in trouble":                {"\x1efirewalld\n\x1dstate now\ns \"FAILED\"\n", `its state is "s FAILED"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := hosttest.DeviceOf(autoKind).Parse([]byte(test.answer + login))
			switch {
			case test.want == "" && (err != nil || s.String() != name):
				t.Errorf("got %v, %v", s, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// Where two firewalls filter packets, the one that is taken can't open what the
// other shuts, and the plan says so.
func TestDetectTwo(t *testing.T) {
	const ufw, firewalld = "\x1eufw-conf\nENABLED=%s\n", "\x1efirewalld\n\x1dstate now\ns \"RUNNING\"\n\x1dpolicy a\na{sv} 0\n"
	for enabled, want := range map[string]bool{"yes": true, "no": false} {
		s, err := hosttest.DeviceOf(autoKind).Parse([]byte(fmt.Sprintf(ufw, enabled) + firewalld + "\x1elogin\n"))
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(s.Problems, func(p providers.Problem) bool { return p.Summary == "firewalld is active too" })
		if got != want {
			t.Errorf("ufw is enabled: %s; got %+v, want it told: %t", enabled, s.Problems, want)
		}
	}
}

// FuzzAnswer feeds the readers anything: they may refuse, but what they take
// they can change, and what they spell for that is a script.
func FuzzAnswer(f *testing.F) {
	for _, k := range kinds {
		f.Add(hosttest.Answer(f, testdataOf(k.Name)+".answer"))
	}
	for _, k := range kinds[:2] { // and what others drop beside it
		f.Add(append(hosttest.Answer(f, testdataOf("nftables")+".answer"), hosttest.Answer(f, testdataOf(k.Name)+".answer")...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, k := range append([]host.Kind{autoKind}, kinds...) {
			s, err := hosttest.DeviceOf(k).Parse(data)
			if err != nil {
				continue
			}
			for _, l := range s.Rules {
				if err := l.Rule.Check(); err != nil {
					t.Errorf("%s gives the rule %s: %v", k.Name, l.Rule, err)
				}
			}
			after := s.Ours()
			after[plan.Addr{Block: plan.BlockPortRange, Name: "bt"}] = []plan.Rule{hosttest.Allow(t, plan.TCP, "6881-6889")}
			after[hosttest.Seedbox] = []plan.Rule{hosttest.Out(t, plan.TCP, "6969")}
			_ = s.Change(after) + s.Undo(after)
			rules := append(after[plan.Addr{Block: plan.BlockPortRange, Name: "bt"}], after[hosttest.Seedbox]...)
			_ = s.Overridden(rules)
			_ = s.Refuse(rules)
			if s.Beside != nil {
				_ = s.Beside(rules)
			}
		}
	})
}
