package plan

import (
	"strings"
	"testing"
)

func TestParsePortRange(t *testing.T) {
	for _, test := range []struct {
		text   string
		want   PortRange
		string string
		count  int
	}{
		{"6881", PortRange{6881, 6881}, "6881", 1},
		{"6881-6889", PortRange{6881, 6889}, "6881-6889", 9},
		{" 6881 - 6889 ", PortRange{6881, 6889}, "6881-6889", 9},
		{"6881-6881", PortRange{6881, 6881}, "6881", 1},
		{"1-65535", PortRange{1, 65535}, "1-65535", 65535},
		{"65535", PortRange{65535, 65535}, "65535", 1},
		{"0080", PortRange{80, 80}, "80", 1},
	} {
		got, err := ParsePortRange(test.text)
		if err != nil || got != test.want || got.String() != test.string || got.Count() != test.count {
			t.Errorf("ParsePortRange(%q) = %s of %d ports, %v; want %s of %d", test.text, got, got.Count(), err, test.want, test.count)
		}
	}
}

func TestParsePortRangeErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "a number is missing"},
		{" ", "a number is missing"},
		{"-", "a number is missing"},
		{"-1", "a number is missing"},
		{"6881-", "a number is missing"},
		{"a", `"a" is not a number`},
		{"+5", `"+5" is not a number`},
		{"0x10", `"0x10" is not a number`},
		{"6 881", `"6 881" is not a number`},
		{"6881\n", "is not a number"},
		{"٣", "is not a number"}, // an Arabic digit
		{"1-2-3", `"2-3" is not a number`},
		{"6881–6889", "is not a number"}, // an en dash
		{"0", "0 is outside 1-65535"},
		{"65536", "65536 is outside 1-65535"},
		{"1-65536", "65536 is outside 1-65535"},
		{"99999999999999999999", "is outside 1-65535"},
		{"6889-6881", "is reversed: write 6881-6889"},
	} {
		got, err := ParsePortRange(test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParsePortRange(%q) = %v, %v; want an error with %q", test.text, got, err, test.want)
		}
	}
}

func TestPortRangeOverlaps(t *testing.T) {
	for _, test := range []struct {
		a, b PortRange
		want bool
	}{
		{PortRange{1, 5}, PortRange{5, 9}, true},
		{PortRange{1, 5}, PortRange{6, 9}, false},
		{PortRange{1, 65535}, PortRange{65535, 65535}, true},
		{PortRange{2, 3}, PortRange{1, 9}, true},
	} {
		if test.a.Overlaps(test.b) != test.want || test.b.Overlaps(test.a) != test.want {
			t.Errorf("%s overlaps %s: want %v", test.a, test.b, test.want)
		}
	}
}

func FuzzParsePortRange(f *testing.F) {
	for _, seed := range []string{"6881", "6881-6889", " 1 - 65535", "0", "65536", "9-1", "1-2-3", "", "-", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParsePortRange(s)
		if err != nil {
			return
		}
		if r.First == 0 || r.Last < r.First {
			t.Errorf("ParsePortRange(%q) = %d-%d", s, r.First, r.Last)
		}
		if again, err := ParsePortRange(r.String()); err != nil || again != r {
			t.Errorf("ParsePortRange(%q) = %s, which gives %s, %v", s, r, again, err)
		}
	})
}
