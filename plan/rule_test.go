package plan

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestRuleText(t *testing.T) {
	for _, test := range []struct{ rule, target, text string }{
		{"tcp 6881 -> 192.168.1.11:6881", "192.168.1.11:6881", "tcp 6881 to 192.168.1.11:6881"},
		{"tcp 16881-16889 -> 192.168.1.11:6881", "192.168.1.11:6881-6889", "tcp 16881-16889 to 192.168.1.11:6881-6889"},
		{"udp 6881-6889 -> [2001:db8::1]:6881", "[2001:db8::1]:6881-6889", "udp 6881-6889 to [2001:db8::1]:6881-6889"},
		{"tcp 1-65535 -> 192.168.1.11:1", "192.168.1.11:1-65535", "tcp 1-65535 to 192.168.1.11:1-65535"},
		{"tcp 6881-6889 from 10.0.0.0/8, 2001:db8::/32", "", "tcp 6881-6889 from 10.0.0.0/8, 2001:db8::/32"},
		{"tcp 6969 outbound", "", "tcp 6969 outbound"},
	} {
		r := rule(t, test.rule)
		if r.Target() != test.target || r.String() != test.text {
			t.Errorf("%s: %q, %q; want %q, %q", test.rule, r.Target(), r, test.target, test.text)
		}
	}
}

func TestRuleCheck(t *testing.T) {
	to := netip.MustParseAddrPort
	source := netip.MustParsePrefix
	for _, test := range []struct {
		name, want string // want "": nothing is wrong
		rule       Rule
	}{
		{"forward", "", Rule{Forward, TCP, PortRange{1, 2}, to("192.168.1.11:1"), nil}},
		{"forward up to the last port", "", Rule{Forward, TCP, PortRange{1, 100}, to("192.168.1.11:65436"), nil}},
		{"forward one port too far", "there are none above 65535", Rule{Forward, TCP, PortRange{1, 100}, to("192.168.1.11:65437"), nil}},
		{"forward all too far", "there are none above 65535", Rule{Forward, UDP, PortRange{1, 65535}, to("192.168.1.11:2"), nil}},
		{"allow", "", Rule{Allow, UDP, PortRange{65535, 65535}, netip.AddrPort{}, []netip.Prefix{source("10.0.0.0/8")}}},
		{"outbound", "", Rule{Outbound, TCP, PortRange{6969, 6969}, netip.AddrPort{}, nil}},
		{"outbound with a target", "has the target", Rule{Outbound, TCP, PortRange{1, 2}, to("192.168.1.11:1"), nil}},
		{"outbound with sources", "has sources", Rule{Outbound, TCP, PortRange{1, 2}, netip.AddrPort{}, []netip.Prefix{source("10.0.0.0/8")}}},
		{"kind", "expected forward, allow or outbound", Rule{7, TCP, PortRange{1, 2}, to("192.168.1.11:1"), nil}},
		{"protocol", `"sctp" is not a protocol`, Rule{Forward, "sctp", PortRange{1, 2}, to("192.168.1.11:1"), nil}},
		{"port 0", "0-2 is not a range", Rule{Allow, TCP, PortRange{0, 2}, netip.AddrPort{}, nil}},
		{"reversed", "3-2 is not a range", Rule{Allow, TCP, PortRange{3, 2}, netip.AddrPort{}, nil}},
		{"allow with a target", "has the target", Rule{Allow, TCP, PortRange{1, 2}, to("192.168.1.11:1"), nil}},
		{"no target", "no address", Rule{Forward, TCP, PortRange{1, 2}, netip.AddrPort{}, nil}},
		{"target port 0", "port 0", Rule{Forward, TCP, PortRange{1, 2}, to("192.168.1.11:0"), nil}},
		{"mapped target", "plain IPv4 or IPv6", Rule{Forward, TCP, PortRange{1, 2}, to("[::ffff:1.2.3.4]:1"), nil}},
		{"target with a zone", "plain IPv4 or IPv6", Rule{Forward, TCP, PortRange{1, 2}, to("[fe80::1%eth0]:1"), nil}},
		{"sources unsorted", "canonical", Rule{Allow, TCP, PortRange{1, 2}, netip.AddrPort{}, []netip.Prefix{source("11.0.0.0/8"), source("10.0.0.0/9")}}},
		{"everyone as a source", "canonical", Rule{Allow, TCP, PortRange{1, 2}, netip.AddrPort{}, []netip.Prefix{source("0.0.0.0/0")}}},
		{"invalid source", "canonical", Rule{Allow, TCP, PortRange{1, 2}, netip.AddrPort{}, []netip.Prefix{{}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.rule.Check()
			switch {
			case test.want == "" && err != nil:
				t.Errorf("Check: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("Check: %v; want an error with %q", err, test.want)
			}
		})
	}
}

func TestToPortsEndsAtTheLastPort(t *testing.T) {
	r := Rule{Forward, TCP, PortRange{1, 100}, netip.MustParseAddrPort("192.168.1.11:65500"), nil}
	if got := r.ToPorts(); got != (PortRange{65500, 65535}) {
		t.Errorf("ToPorts = %s", got)
	}
}

func TestRuleCompare(t *testing.T) {
	want := rules(t,
		"tcp 1-5 -> 192.168.1.2:1",
		"tcp 2 -> 192.168.1.2:1",
		"tcp 2-3 -> 192.168.1.2:1",
		"tcp 2-3 -> 192.168.1.2:2",
		"tcp 2-3 -> 192.168.1.2:2 from 10.0.0.0/8",
		"tcp 2-3 -> 192.168.1.2:2 from 10.0.0.0/8, 12.0.0.0/8",
		"tcp 2-3 -> 192.168.1.2:2 from 11.0.0.0/8",
		"tcp 2-3 -> 192.168.1.10:1",
		"tcp 1 -> [2001:db8::1]:1",
		"udp 1 -> 192.168.1.2:1",
		"tcp 1",
		"udp 1",
		"tcp 1 outbound",
	)
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Rule.Compare)
	for i := range want {
		if !got[i].Equal(want[i]) {
			t.Errorf("rule %d is %s %s; want %s %s", i, got[i].Kind, got[i], want[i].Kind, want[i])
		}
		for j := range want {
			if want[i].Equal(want[j]) != (i == j) {
				t.Errorf("%s equals %s", want[i], want[j])
			}
		}
	}
}

func TestCollides(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"tcp 1-5 -> 192.168.1.2:1", "tcp 5-9 -> 192.168.1.3:5", true},
		{"tcp 1-5 -> 192.168.1.2:1", "tcp 1-5 -> 192.168.1.2:1", true},
		{"tcp 1-5 -> 192.168.1.2:1", "tcp 3 -> 192.168.1.2:9 from 10.0.0.0/8", true},
		{"tcp 1-5 -> 192.168.1.2:1", "tcp 6-9 -> 192.168.1.2:1", false},
		{"tcp 1-5 -> 192.168.1.2:1", "udp 1-5 -> 192.168.1.2:1", false},
		{"tcp 1-5 -> 192.168.1.2:1", "tcp 1-5 -> [2001:db8::1]:1", false},
		{"tcp 1-5 -> 192.168.1.2:1", "tcp 1-5", false},
		{"tcp 1-5", "tcp 5 from 10.0.0.0/8", true},
		{"tcp 65535", "tcp 1-65535", true},
		{"tcp 65535", "tcp 1-65534", false},
		{"tcp 1-5 outbound", "tcp 5 outbound", true},
		{"tcp 1-5 outbound", "tcp 5", false},
	} {
		a, b := rule(t, test.a), rule(t, test.b)
		if a.Collides(b) != test.want || b.Collides(a) != test.want {
			t.Errorf("%s collides with %s: want %v", test.a, test.b, test.want)
		}
	}
}
