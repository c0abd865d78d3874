package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
)

func TestAnswers(t *testing.T) {
	for _, k := range kinds {
		s, err := deviceOf(k).parse(answer(t, "testdata/"+k.name+".answer"))
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		golden(t, "testdata/"+k.name+".txt", inWords(s))
		if err := s.check(s.ours()); err != nil && !strings.Contains(inWords(s), "drift") {
			t.Errorf("%s: what it holds isn't what it holds: %v", k.name, err)
		}
		detected, err := deviceOf(autoKind).parse(answer(t, "testdata/"+k.name+".answer"))
		if err != nil || detected.String() != k.name {
			t.Errorf("auto: got %v, %v, want %s", detected, err, k.name)
		}
	}
}

// A machine whose answer is cut short is not one without rules.
func TestAnswerCutShort(t *testing.T) {
	for _, k := range kinds {
		whole := answer(t, "testdata/"+k.name+".answer")
		for n := range 20 {
			cut := whole[:len(whole)*n/20]
			if s, err := deviceOf(k).parse(cut); err == nil {
				t.Errorf("%s, %d bytes of %d: no error, but %s", k.name, len(cut), len(whole), inWords(s))
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
		"nftables":                            {string(answer(t, "testdata/nftables.answer")), ""},
		"iptables":                            {string(answer(t, "testdata/iptables.answer")), ""},
		"a ufw that was turned on later":      {"\x1eufw-conf\nENABLED=yes\n" + string(answer(t, "testdata/nftables.answer")), "the rules of this project are in nftables, from before"},
		"firewalld in trouble":                {"\x1efirewalld\n\x1dstate now\ns \"FAILED\"\n", `its state is "s FAILED"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := deviceOf(autoKind).parse([]byte(test.answer + login))
			switch {
			case test.want == "" && (err != nil || s.String() != name):
				t.Errorf("got %v, %v", s, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// FuzzAnswer feeds the readers anything: they may refuse, but what they take
// they can change, and what they spell for that is a script.
func FuzzAnswer(f *testing.F) {
	for _, k := range kinds {
		f.Add(answer(f, "testdata/"+k.name+".answer"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, k := range kinds {
			s, err := deviceOf(k).parse(data)
			if err != nil {
				continue
			}
			for _, l := range s.rules {
				if err := l.Rule.Check(); err != nil {
					t.Errorf("%s gives the rule %s: %v", k.name, l.Rule, err)
				}
			}
			after := s.ours()
			after[plan.Addr{Block: plan.BlockPortRange, Name: "bt"}] = []plan.Rule{allow(t, plan.TCP, "6881-6889")}
			after[seedbox] = []plan.Rule{out(t, plan.TCP, "6969")}
			_ = s.change(after) + s.undo(after)
			rules := append(after[plan.Addr{Block: plan.BlockPortRange, Name: "bt"}], after[seedbox]...)
			_ = s.overridden(rules)
			_ = s.refuse(rules)
		}
	})
}
