package plan

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonicalSources(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"11.0.0.0/8 10.0.0.0/8", "10.0.0.0/7"},
		{"12.0.0.0/8 11.0.0.0/8", "11.0.0.0/8 12.0.0.0/8"}, // neighbours, but no halves of one
		{"10.0.0.0/8 10.1.0.0/16 10.0.0.0/8", "10.0.0.0/8"},
		{"10.1.0.0/16 10.0.0.0/8 10.0.0.0/16", "10.0.0.0/8"},
		{"10.0.0.0/32 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32", "10.0.0.0/30"},
		{"2001:db8::/33 2001:db8:8000::/33 10.0.0.0/8", "10.0.0.0/8 2001:db8::/32"},
		{"::ffff:10.1.2.3/104", "10.0.0.0/8"},
		{"::ffff:0:0/96", ""},
		{"0.0.0.0/0", ""},
		{"::/0", ""},
		{"0.0.0.0/0 ::/0", ""},
		{"0.0.0.0/0 10.0.0.0/8", ""},
		{"0.0.0.0/1 128.0.0.0/1", ""},
		{"10.0.0.0/8 ::/0", "10.0.0.0/8 ::/0"}, // not all of IPv4
		{"0.0.0.0/0 2001:db8::/32", "0.0.0.0/0 2001:db8::/32"},
	} {
		var in []netip.Prefix
		for _, s := range strings.Fields(test.in) {
			in = append(in, netip.MustParsePrefix(s))
		}
		before := slices.Clone(in)
		got := CanonicalSources(in)
		var text []string
		for _, p := range got {
			text = append(text, p.String())
		}
		if strings.Join(text, " ") != test.want {
			t.Errorf("CanonicalSources(%s) = %s; want %s", test.in, text, test.want)
		}
		if !slices.Equal(in, before) {
			t.Errorf("CanonicalSources(%s) changed its argument", test.in)
		}
	}
	if got := CanonicalSources([]netip.Prefix{{}, netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 33)}); got != nil {
		t.Errorf("invalid prefixes give %v", got)
	}
}

// The canonical form admits just the addresses that the sources admit, and
// there is one form for one set of addresses.
func TestCanonicalSourcesKeepTheirMeaning(t *testing.T) {
	// A space of 16 addresses, so that prefixes meet often.
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		last := rapid.Uint8Range(0, 15).Draw(t, "last")
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), rapid.IntRange(28, 32).Draw(t, "bits"))
	})
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(prefix, 0, 12).Draw(t, "sources")
		out := CanonicalSources(in)
		var single []netip.Prefix
		for last := range byte(16) {
			a := netip.AddrFrom4([4]byte{10, 0, 0, last})
			admits := func(p netip.Prefix) bool { return p.Contains(a) }
			if slices.ContainsFunc(in, admits) != slices.ContainsFunc(out, admits) {
				t.Fatalf("%s: admitted by one of %v and %v", a, in, out)
			}
			if slices.ContainsFunc(in, admits) {
				single = append(single, netip.PrefixFrom(a, 32))
			}
		}
		if again := CanonicalSources(single); !slices.Equal(again, out) {
			t.Fatalf("the same addresses have the forms %v and %v", out, again)
		}
		if again := CanonicalSources(out); !slices.Equal(again, out) {
			t.Fatalf("%v becomes %v", out, again)
		}
	})
}
