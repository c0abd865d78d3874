package igd

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/plain"
)

func TestCheckAddress(t *testing.T) {
	for text, ok := range map[string]bool{
		"192.168.1.1":            true,
		"10.0.0.1":               true,
		"203.0.113.1":            true, // a network can have public addresses
		"::ffff:192.168.1.1":     true,
		"127.0.0.1":              false,
		"127.1.2.3":              false,
		"::1":                    false,
		"::ffff:127.0.0.1":       false,
		"169.254.169.254":        false,
		"::ffff:169.254.169.254": false,
		"fe80::1":                false,
		"224.0.0.1":              false,
		"239.255.255.250":        false,
		"ff02::c":                false,
		"255.255.255.255":        false,
		"0.0.0.0":                false,
		"::":                     false,
	} {
		if err := checkAddress(netip.MustParseAddr(text), false); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	if checkAddress(netip.Addr{}, true) == nil {
		t.Error("no address passes")
	}
	if err := checkAddress(netip.MustParseAddr("::ffff:127.0.0.1"), true); err != nil {
		t.Error(err)
	}
}

func TestPin(t *testing.T) {
	for _, test := range []struct{ url, want, named string }{
		// As the router says; as it does if the user named its address.
		{"http://192.168.1.1:5000/desc.xml?a=b", "http://192.168.1.1:5000/desc.xml?a=b", ""},
		{"http://192.168.1.1", "http://192.168.1.1:80/", ""},
		{"HTTP://192.168.1.1/%20x", "http://192.168.1.1:80/%20x", ""},
		{"http://[::1]:5000/d", "http://192.168.1.1:5000/d", ""},
		{"http://[::ffff:127.0.0.1]:5000/d", "http://192.168.1.1:5000/d", ""},
		{"http://127.0.0.1:22/d", "http://192.168.1.1:22/d", ""},
		{"http://169.254.1.1/d", "http://192.168.1.1:80/d", ""},
		{"http://[fe80::1%25eth0]/d", "http://192.168.1.1:80/d", ""},
		{"http://0.0.0.0:5000/d", "http://192.168.1.1:5000/d", ""},
		{"http://10.1.1.1:5000/d", "http://192.168.1.1:5000/d", ""},
		{"http://8.8.8.8:5000/d", "", "http://192.168.1.1:5000/d"},
		{"http://[2001:db8::1]/d", "", "http://192.168.1.1:80/d"},
		{"http://239.255.255.250/d", "", "http://192.168.1.1:80/d"},
		{"http://localhost/d", "", "http://192.168.1.1:80/d"},
		{"http://192.168.1.1.example/d", "", "http://192.168.1.1:80/d"},
		{"http://0x7f.1/d", "", "http://192.168.1.1:80/d"},
		{"https://192.168.1.1/d", "", ""},
		{"ftp://192.168.1.1/d", "", ""},
		{"file:///etc/passwd", "", ""},
		{"http://user:pass@192.168.1.1/d", "", ""},
		{"http://192.168.1.1:0/d", "", ""},
		{"http://192.168.1.1:65536/d", "", ""},
		{"http://192.168.1.1:http/d", "", ""},
		{"http:///d", "", ""},
		{"/d", "", ""},
		{"", "", ""},
		{"http://192.168.1.1/\x1b[2J", "", ""},
		{"http://192.168.1.1/" + strings.Repeat("a", 3000), "", ""},
	} {
		for _, named := range []bool{false, true} {
			want := test.want
			if named && want == "" {
				want = test.named
			}
			got, err := origin{homeRouter.addr, named}.pin(test.url)
			switch {
			case want == "" && err == nil:
				t.Errorf("%q, named %t: %s: want an error", test.url, named, got)
			case want != "" && (err != nil || got.String() != want):
				t.Errorf("%q, named %t: %s, %v: want %s", test.url, named, got, err, want)
			case err != nil && plain.Line(err.Error()) != err.Error():
				t.Errorf("%q: the error isn't fit for a terminal: %q", test.url, err)
			}
		}
	}
}
