package hostfw

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the files of testdata")

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// deviceOf gives the firewall of the project home that is of one of these
// kinds.
func deviceOf(name string, among ...kind) *device {
	return &device{name: name, among: among, project: "home", addr: seedbox}
}

var seedbox = plan.Addr{Block: plan.BlockMachine, Name: "seedbox"}

// answer is what a machine of TestLabAnswers printed.
func answer(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".answer"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// describe is what was read, a line each.
func (s *state) describe() string {
	var lines []string
	for _, l := range s.rules {
		line := fmt.Sprintf("%s (%s)", l.Rule, l.Handle)
		if !l.Owner.IsZero() {
			line = l.Owner.String() + ": " + line
		}
		if l.Project != "" {
			line += " of the project " + l.Project
		}
		if l.Drift != "" {
			line += " drift: " + l.Drift
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	for _, p := range s.problems {
		lines = append(lines, "problem: "+p.Summary+"\n")
	}
	return strings.Join(lines, "")
}

func TestAnswers(t *testing.T) {
	for _, k := range kinds {
		s, err := deviceOf(k.name, k).parse(answer(t, k.name))
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		golden(t, k.name+".txt", s.describe())
		if err := s.check(s.ours()); err != nil && !strings.Contains(s.describe(), "drift") {
			t.Errorf("%s: what it holds isn't what it holds: %v", k.name, err)
		}
		detected, err := deviceOf(autoName, autoKinds...).parse(answer(t, k.name))
		if err != nil || detected.String() != k.name {
			t.Errorf("auto: got %v, %v, want %s", detected, err, k.name)
		}
	}
}

// A machine whose answer is cut short is not one without rules.
func TestAnswerCutShort(t *testing.T) {
	for _, k := range kinds {
		whole := answer(t, k.name)
		for n := range 20 {
			cut := whole[:len(whole)*n/20]
			if s, err := deviceOf(k.name, k).parse(cut); err == nil {
				t.Errorf("%s, %d bytes of %d: no error, but %s", k.name, len(cut), len(whole), s.describe())
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
		"nftables":                            {string(answer(t, "nftables")), ""},
		"iptables":                            {string(answer(t, "iptables")), ""},
		"a ufw that was turned on later":      {"\x1eufw-conf\nENABLED=yes\n" + string(answer(t, "nftables")), "the rules of this project are in nftables, from before"},
		"firewalld in trouble":                {"\x1efirewalld\n\x1dstate now\ns \"FAILED\"\n", `its state is "s FAILED"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := deviceOf(autoName, autoKinds...).parse([]byte(test.answer + login))
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
		f.Add(answer(f, k.name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, k := range kinds {
			s, err := deviceOf(k.name, k).parse(data)
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
			_ = s.change(after) + s.undo(after)
			rules := after[plan.Addr{Block: plan.BlockPortRange, Name: "bt"}]
			_ = s.overridden(rules)
			_ = s.refuse(rules)
		}
	})
}

// allow gives a rule by its ports and sources.
func allow(t testing.TB, protocol plan.Protocol, ports string, sources ...string) plan.Rule {
	t.Helper()
	r, err := plan.ParsePortRange(ports)
	if err != nil {
		t.Fatal(err)
	}
	rule := plan.Rule{Kind: plan.Allow, Protocol: protocol, Ports: r}
	for _, s := range sources {
		rule.Sources = append(rule.Sources, netip.MustParsePrefix(s))
	}
	rule.Sources = plan.CanonicalSources(rule.Sources)
	return rule
}
