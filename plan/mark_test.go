package plan

import (
	"strings"
	"testing"
)

func TestMark(t *testing.T) {
	for _, test := range []struct {
		project string
		owner   Addr
		want    string
	}{
		{"home", portRange("seedbox"), "btplan:home:seedbox"},
		{"home", Addr{BlockPortRange, "bt", TextKey("alice")}, "btplan:home:bt/alice"},
		{"home", Addr{BlockPortRange, "bt", TextKey("")}, "btplan:home:bt/"},
		{"home", Addr{BlockPortRange, "bt", NumKey(0)}, "btplan:home:bt[0]"},
		{"home", Addr{BlockMachine, "seedbox", NoKey}, "btplan:home:machine.seedbox"},
		{"home", Addr{BlockMachine, "pc", TextKey("a.b")}, "btplan:home:machine.pc/a.b"},
		{"home", Addr{BlockMachine, "pc", NumKey(7)}, "btplan:home:machine.pc[7]"},
		{"home", portRange("machine"), "btplan:home:machine"},
		{"my home", Addr{BlockPortRange, "bt", TextKey(`a/b:"c"$(x)%`)}, "btplan:my%20home:bt/a%2Fb%3A%22c%22%24%28x%29%25"},
		{"a.b-c_d", Addr{BlockPortRange, "bt", TextKey("[0]")}, "btplan:a.b-c_d:bt/%5B0%5D"},
		{"maison", Addr{BlockPortRange, "boîte", TextKey("\x1b\u202e\ufffd")}, "btplan:maison:boîte/%1B%E2%80%AE%EF%BF%BD"},
	} {
		mark := Mark(test.project, test.owner)
		if mark != test.want {
			t.Errorf("Mark(%q, %s) = %q; want %q", test.project, test.owner, mark, test.want)
		}
		project, owner, ok := ParseMark(mark)
		if !ok || project != test.project || owner != test.owner {
			t.Errorf("ParseMark(%q) = %q, %s, %v", mark, project, owner, ok)
		}
	}
}

func TestParseMarkRefuses(t *testing.T) {
	for _, mark := range []string{
		"",
		"btplan",
		"btplan:",
		"btplan:home",
		"btplan:home:",
		"btplan::seedbox",
		"BTPLAN:home:seedbox",
		"btplan:home:seed box",
		"btplan:home:1st",
		"btplan:home:a:b",
		"btplan:home:a/b/c",
		"btplan:home:bt[0",
		"btplan:home:bt[00]",
		"btplan:home:bt[-1]",
		`btplan:home:bt["a"]`,
		"btplan:home:bt[0]x",
		"btplan:home:bt[0]/a",
		"btplan:home:bt/%2f", // lower case: another spelling
		"btplan:home:bt/%61", // "a" needs no escape
		"btplan:home:bt/%",
		"btplan:home:bt/%2",
		"btplan:home:bt/%+1",
		"btplan:home:bt/%FF", // not UTF-8
		"btplan:%FF:bt",
		"btplan:home:seedbox ",
		" btplan:home:seedbox",
		"btplan:home:hook\x00",
		"btplan:home:machine.",
		"btplan:home:machine.machine.a",
		"btplan:home:port_range.a",
		"btplan:home:gateway.edge",
	} {
		if project, owner, ok := ParseMark(mark); ok {
			t.Errorf("ParseMark(%q) = %q, %s", mark, project, owner)
		}
	}
}

func FuzzParseMark(f *testing.F) {
	for _, seed := range []string{"btplan:home:seedbox", "btplan:home:bt/alice", "btplan:home:bt[0]", "btplan:%20:é/%C3%28", "btplan:a:b/%FF", "btplan:a:b/", "btplan:a:machine.b[0]", "btplan::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		project, owner, ok := ParseMark(s)
		if !ok {
			if project != "" || owner != (Addr{}) {
				t.Errorf("ParseMark(%q) refuses, and gives %q, %v", s, project, owner)
			}
			return
		}
		if again := Mark(project, owner); again != s {
			t.Errorf("ParseMark(%q) = %q, %s, whose mark is %q", s, project, owner, again)
		}
		if addr, err := ParseAddr(owner.String()); err != nil || addr != owner {
			t.Errorf("ParseMark(%q) gives the owner %s, which is no address: %v", s, owner, err)
		}
		if strings.ContainsAny(s, " \t\r\n\"'$`\\;(){}*?<>|&!#\x00\x1b") {
			t.Errorf("ParseMark takes %q, which needs quoting", s)
		}
	})
}

// FuzzMark goes the other way: whatever a configuration calls things, the mark
// leads back to it.
func FuzzMark(f *testing.F) {
	f.Add("home", "seedbox", "alice", false)
	f.Add("my home", "bt", "a/b[0]:%2F", false)
	f.Add("\ufffd", "bt", "\x1b[2J", true)
	f.Add("home", "\xed\x83\xc6", "a", false) // HCL's scanner takes it for a letter
	f.Add("home", "machine.a", "b", false)
	f.Fuzz(func(t *testing.T, project, name, key string, machine bool) {
		owner := Addr{BlockPortRange, name, TextKey(key)}
		if machine {
			owner.Block = BlockMachine
		} else if strings.HasPrefix(name, markMachine) {
			return // nothing is called so: its mark is a machine's
		}
		mark := Mark(project, owner)
		valid := project != "" && strings.ToValidUTF8(project, "") == project &&
			strings.ToValidUTF8(key, "") == key && isIdentifier(name)
		gotProject, gotOwner, ok := ParseMark(mark)
		if ok != valid {
			t.Fatalf("ParseMark(%q) of %q and %#v: %v", mark, project, owner, ok)
		}
		if ok && (gotProject != project || gotOwner != owner) {
			t.Errorf("ParseMark(%q) = %q, %#v; want %q, %#v", mark, gotProject, gotOwner, project, owner)
		}
	})
}

func TestSeal(t *testing.T) {
	a := rule(t, "tcp 6881-6889 -> 192.168.1.11:6881")
	b := rule(t, "udp 6881-6889 -> 192.168.1.11:6881")
	c := rule(t, "tcp 6881-6889 -> 192.168.1.11:6881 from 10.0.0.0/8")
	d := rule(t, "tcp 6881-6889")
	seal := Seal([]Rule{a, b})
	if len(seal) != 8 || strings.Trim(seal, "0123456789abcdef") != "" {
		t.Errorf("Seal = %q: not 8 hexadecimal digits", seal)
	}
	order := []Rule{b, a}
	if got := Seal(order); got != seal {
		t.Errorf("Seal depends on the order: %s, %s", got, seal)
	}
	if !order[0].Equal(b) {
		t.Error("Seal changed its argument")
	}
	seen := map[string]bool{}
	for _, rules := range [][]Rule{nil, {a}, {b}, {c}, {d}, {a, b}, {a, a}} {
		if s := Seal(rules); seen[s] {
			t.Errorf("the seal of %v is another's too", rules)
		} else {
			seen[s] = true
		}
	}
}
