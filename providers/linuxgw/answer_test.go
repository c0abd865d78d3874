package linuxgw

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
)

// foreignText is the rules of others in a reading, a line each.
func foreignText(rules []plan.Live) string {
	var lines []string
	for _, l := range rules {
		if l.Owner.IsZero() {
			lines = append(lines, fmt.Sprintf("%s (%s)\n", l.Rule, l.Handle))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func homeGateway() *gateway {
	return &gateway{
		project: "home",
		addr:    plan.Addr{Block: plan.BlockGateway, Name: "edge"},
		backend: netfilter.Auto,
		wan:     "wan0",
	}
}

// answer is what the gateway of TestLabForeignForwards printed.
func answer(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "answer"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func readAnswer(text string) (*state, error) {
	f, err := homeGateway().parseFacts([]byte(text))
	if err != nil {
		return nil, err
	}
	return newState(homeGateway(), f)
}

func TestAnswer(t *testing.T) {
	s, err := readAnswer(answer(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "foreign.txt", foreignText(s.rules))
	var ours []string
	for _, l := range s.rules {
		if !l.Owner.IsZero() {
			ours = append(ours, fmt.Sprintf("%s %s %s %q", l.Device, l.Owner, l.Rule, l.Drift))
		}
	}
	want := `gateway.edge port_range.bt["alice smith"] tcp 6881 to 192.168.77.11:6881 "the rules`
	if len(ours) != 1 || !strings.HasPrefix(ours[0], want[:60]) {
		t.Errorf("ours: %q, want %q…", ours, want)
	}
}

// A gateway that answers nonsense is not a gateway without rules.
func TestAnswerRejects(t *testing.T) {
	whole := answer(t)
	for name, edit := range map[string]func(string) string{
		"nothing":             func(string) string { return "" },
		"cut off":             func(s string) string { return s[:len(s)/2] },
		"a section is gone":   func(s string) string { return strings.Replace(s, "\x1enetwork\n", "\x1enotwork\n", 1) },
		"no JSON":             func(s string) string { return strings.Replace(s, `{"nftables"`, `nftables`, 1) },
		"an unknown protocol": func(s string) string { return strings.ReplaceAll(s, `"concat": ["tcp"`, `"concat": ["sctp"`) },
		"no address":          func(s string) string { return strings.ReplaceAll(s, `192.168.77.11`, `seedbox`) },
		"a port of 0":         func(s string) string { return strings.ReplaceAll(s, `6881`, `0`) },
		"a quote in a comment": func(s string) string {
			return strings.ReplaceAll(s, `btplan:home:bt/alice`, `btplan:home:bt\"; flush ruleset; #`)
		},
	} {
		if s, err := readAnswer(edit(whole)); err == nil {
			t.Errorf("%s: no error, but %+v", name, s.rules)
		}
	}
}

// FuzzAnswer feeds the reader anything: it may refuse, but what it takes must
// be spellable for nft with no way out of a quote or a name.
func FuzzAnswer(f *testing.F) {
	f.Add(answer(f))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := readAnswer(text)
		if err != nil {
			return
		}
		commands := s.change(s.foreignEntries, "0")
		for _, c := range commands {
			if c < ' ' && c != '\n' {
				t.Fatalf("a control character in the commands: %q", commands)
			}
		}
		if strings.Count(commands, `"`)%2 != 0 {
			t.Fatalf("an open quote in the commands: %q", commands)
		}
	})
}
