package plan

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func equalRules(a, b []Rule) bool { return slices.EqualFunc(a, b, Rule.Equal) }

func TestCoalesce(t *testing.T) {
	for _, test := range []struct {
		name     string
		in, want []string
	}{
		{"none", nil, nil},
		{"neighbours",
			[]string{"tcp 2 -> 192.168.1.2:2", "tcp 1 -> 192.168.1.2:1", "tcp 3-5 -> 192.168.1.2:3"},
			[]string{"tcp 1-5 -> 192.168.1.2:1"}},
		{"gap",
			[]string{"tcp 1 -> 192.168.1.2:1", "tcp 3 -> 192.168.1.2:3"},
			[]string{"tcp 1 -> 192.168.1.2:1", "tcp 3 -> 192.168.1.2:3"}},
		{"shifted",
			[]string{"tcp 11 -> 192.168.1.2:1", "tcp 12 -> 192.168.1.2:2"},
			[]string{"tcp 11-12 -> 192.168.1.2:1"}},
		{"another offset",
			[]string{"tcp 11 -> 192.168.1.2:1", "tcp 12 -> 192.168.1.2:3"},
			[]string{"tcp 11 -> 192.168.1.2:1", "tcp 12 -> 192.168.1.2:3"}},
		{"all to one port",
			[]string{"tcp 11 -> 192.168.1.2:1", "tcp 12 -> 192.168.1.2:1"},
			[]string{"tcp 11 -> 192.168.1.2:1", "tcp 12 -> 192.168.1.2:1"}},
		{"target after the last port",
			[]string{"tcp 11 -> 192.168.1.2:65535", "tcp 12 -> 192.168.1.2:1"},
			[]string{"tcp 11 -> 192.168.1.2:65535", "tcp 12 -> 192.168.1.2:1"}},
		{"after the last port",
			[]string{"tcp 65534 -> 192.168.1.2:1", "tcp 65535 -> 192.168.1.2:2", "tcp 1 -> 192.168.1.2:3"},
			[]string{"tcp 1 -> 192.168.1.2:3", "tcp 65534-65535 -> 192.168.1.2:1"}},
		{"protocols",
			[]string{"tcp 1", "udp 2"},
			[]string{"tcp 1", "udp 2"}},
		{"kinds",
			[]string{"tcp 1", "tcp 2 outbound", "tcp 3 outbound"},
			[]string{"tcp 1", "tcp 2-3 outbound"}},
		{"sources",
			[]string{"tcp 1", "tcp 2 from 10.0.0.0/8", "tcp 3 from 10.0.0.0/8"},
			[]string{"tcp 1", "tcp 2-3 from 10.0.0.0/8"}},
		{"IP versions in turn",
			[]string{"tcp 1 -> 192.168.1.2:1", "tcp 1 -> [2001:db8::1]:1", "tcp 2 -> 192.168.1.2:2", "tcp 2 -> [2001:db8::1]:2"},
			[]string{"tcp 1-2 -> 192.168.1.2:1", "tcp 1-2 -> [2001:db8::1]:1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, want := rules(t, test.in...), rules(t, test.want...)
			before := slices.Clone(in)
			if got := Coalesce(in); !equalRules(got, want) {
				t.Errorf("Coalesce = %v; want %v", got, want)
			}
			if !equalRules(in, before) {
				t.Error("Coalesce changed its argument")
			}
			if got := Coalesce(Split(want)); !equalRules(got, want) {
				t.Errorf("split and coalesced: %v; want %v", got, want)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	got := Split(rules(t, "udp 7", "tcp 65534-65535 -> 192.168.1.2:1 from 10.0.0.0/8", "tcp 1-2 -> [2001:db8::1]:65534"))
	want := rules(t,
		"tcp 65534 -> 192.168.1.2:1 from 10.0.0.0/8", "tcp 65535 -> 192.168.1.2:2 from 10.0.0.0/8",
		"tcp 1 -> [2001:db8::1]:65534", "tcp 2 -> [2001:db8::1]:65535", "udp 7")
	if !equalRules(got, want) {
		t.Errorf("Split = %v; want %v", got, want)
	}
	if n := len(Split(rules(t, "tcp 1-65535"))); n != 65535 {
		t.Errorf("Split of all ports gives %d rules", n)
	}
}

func TestSplitPanicsAboveTheLastPort(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "above 65535") {
			t.Errorf("recovered %q", s)
		}
	}()
	Split([]Rule{{Forward, TCP, PortRange{1, 100}, netip.MustParseAddrPort("192.168.1.11:65500"), nil}})
}

func TestCoalesceOfSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []Rule
		for _, w := range drawWanted(t, "rules") {
			if w.Device == devices[0] {
				in = append(in, w.Rule)
			}
		}
		joined, cut := Coalesce(in), Split(in)
		if again := Coalesce(cut); !equalRules(again, joined) {
			t.Fatalf("Coalesce(%v) = %v, but of the same rules cut %v", in, joined, again)
		}
		if again := Split(joined); !equalRules(again, cut) {
			t.Fatalf("Split(%v) = %v, but of the same rules joined %v", in, cut, again)
		}
		for i, r := range joined {
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
			if i > 0 && follows(joined[i-1], r) {
				t.Fatalf("%s and %s are not joined", joined[i-1], r)
			}
		}
	})
}
