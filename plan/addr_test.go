package plan

import (
	"slices"
	"strings"
	"testing"
)

func portRange(name string) Addr { return Addr{Block: BlockPortRange, Name: name} }

func TestParseAddr(t *testing.T) {
	for _, test := range []struct {
		text string
		want Addr
	}{
		{"machine.seedbox", Addr{BlockMachine, "seedbox", NoKey}},
		{"gateway.edge-2", Addr{BlockGateway, "edge-2", NoKey}},
		{"port_range._a", portRange("_a")},
		{"port_range.boîte", portRange("boîte")},
		{"port_range.क्षि", portRange("क्षि")}, // vowel signs: HCL has them in names
		{`port_range.bt["alice"]`, Addr{BlockPortRange, "bt", TextKey("alice")}},
		{`port_range.bt[""]`, Addr{BlockPortRange, "bt", TextKey("")}},
		{`port_range.bt["a.b] \"x\" \\ \u00a0"]`, Addr{BlockPortRange, "bt", TextKey("a.b] \"x\" \\ \u00a0")}},
		{"port_range.bt[0]", Addr{BlockPortRange, "bt", NumKey(0)}},
		{"port_range.bt[12]", Addr{BlockPortRange, "bt", NumKey(12)}},
	} {
		got, err := ParseAddr(test.text)
		if err != nil || got != test.want {
			t.Errorf("ParseAddr(%q) = %#v, %v; want %#v", test.text, got, err, test.want)
		}
		if got.String() != test.text {
			t.Errorf("ParseAddr(%q).String() = %q", test.text, got)
		}
	}
}

func TestParseAddrErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "expected one like port_range.seedbox"},
		{"seedbox", "expected one like port_range.seedbox"},
		{"variable.x", "must begin with machine, gateway or port_range"},
		{"machine.", `"" is not a name`},
		{"machine.1st", `"1st" is not a name`},
		{"machine.a b", `"a b" is not a name`},
		{"machine.a\xff", "is not a name"},
		{"machine.a\x1b[2J", "is not closed"},
		{"gateway.a.b", `"a.b" is not a name`},
		{"port_range.bt[", "is not closed"},
		{"port_range.bt[0", "is not closed"},
		{"port_range.bt[]", "neither a number nor a quoted string"},
		{"port_range.bt[-1]", "neither a number nor a quoted string"},
		{"port_range.bt[+1]", "neither a number nor a quoted string"},
		{"port_range.bt[007]", "neither a number nor a quoted string"},
		{"port_range.bt[99999999999999999999]", "neither a number nor a quoted string"},
		{"port_range.bt['a']", "neither a number nor a quoted string"},
		{`port_range.bt["a]`, "is not a quoted string"},
		{`port_range.bt["a"][0]`, "is not a quoted string"},
	} {
		got, err := ParseAddr(test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseAddr(%q) = %v, %v; want an error with %q", test.text, got, err, test.want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("ParseAddr(%q): the error is not printable: %q", test.text, err)
		}
	}
}

func TestAddrCovers(t *testing.T) {
	block := portRange("bt")
	alice, bob := Addr{BlockPortRange, "bt", TextKey("alice")}, Addr{BlockPortRange, "bt", TextKey("bob")}
	for _, test := range []struct {
		a, b Addr
		want bool
	}{
		{block, block, true},
		{block, alice, true},
		{alice, alice, true},
		{alice, bob, false},
		{alice, block, false},
		{block, portRange("other"), false},
		{block, Addr{BlockMachine, "bt", NoKey}, false},
	} {
		if got := test.a.Covers(test.b); got != test.want {
			t.Errorf("%s covers %s: %v", test.a, test.b, got)
		}
	}
}

func TestAddrCompare(t *testing.T) {
	want := []Addr{
		{},
		{BlockGateway, "z", NoKey},
		{BlockMachine, "a", NoKey},
		portRange("bt"),
		{BlockPortRange, "bt", NumKey(2)},
		{BlockPortRange, "bt", NumKey(10)},
		{BlockPortRange, "bt", TextKey("")},
		{BlockPortRange, "bt", TextKey("a")},
		portRange("c"),
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Addr.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted: %v; want %v", got, want)
	}
	if s := (Addr{}).String(); s != "" {
		t.Errorf("the zero Addr is %q", s)
	}
}

func TestKeyValue(t *testing.T) {
	for _, test := range []struct {
		key  Key
		want any
	}{{NoKey, nil}, {NumKey(3), 3}, {TextKey("x"), "x"}, {TextKey(""), ""}} {
		if got := test.key.Value(); got != test.want {
			t.Errorf("%#v.Value() = %v; want %v", test.key, got, test.want)
		}
	}
}

func FuzzParseAddr(f *testing.F) {
	for _, seed := range []string{"machine.a", "gateway.b-1", `port_range.bt["al ice"]`, "port_range.bt[0]", `port_range.bt["\xff"]`, "port_range.é[1", "x.y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddr(s)
		if err != nil {
			return
		}
		again, err := ParseAddr(a.String())
		if err != nil || again != a {
			t.Errorf("ParseAddr(%q) = %#v, but its String %q gives %#v, %v", s, a, a, again, err)
		}
		if !a.Covers(a) || a.Compare(again) != 0 || !a.Base().Covers(a) {
			t.Errorf("%q is not the same as itself", a)
		}
	})
}
