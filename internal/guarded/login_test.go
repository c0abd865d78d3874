package guarded

import (
	"net/netip"
	"testing"
)

func TestParseLogin(t *testing.T) {
	login := func(client, server string) Login {
		return Login{netip.MustParseAddrPort(client), netip.MustParseAddrPort(server)}
	}
	for section, want := range map[string]Login{
		"192.0.2.2 50000 192.0.2.11 22\n":                login("192.0.2.2:50000", "192.0.2.11:22"),
		"2001:db8::2 50000 2001:db8::11 2222\n":          login("[2001:db8::2]:50000", "[2001:db8::11]:2222"),
		"::ffff:192.0.2.2 50000 ::ffff:192.0.2.11 22\n":  login("192.0.2.2:50000", "192.0.2.11:22"),
		"fe80::2%en0 50000 fe80::11%\x1b[2J;reboot 22\n": login("[fe80::2]:50000", "[fe80::11]:22"),
		"":                                       {},
		"\n":                                     {},
		"192.0.2.2 50000 192.0.2.11":             {},
		"192.0.2.2 50000 192.0.2.11 22 23":       {},
		"192.0.2.2 50000 192.0.2.11 0":           {},
		"192.0.2.2 50000 192.0.2.11 65558":       {},
		"192.0.2.2 50000 192.0.2.11 $(reboot)":   {},
		"192.0.2.2 50000 machine.example 22":     {},
		"192.0.2.2 50000 192.0.2.11 22\n1 2 3 4": {},
	} {
		if got := ParseLogin([]byte(section)); got != want {
			t.Errorf("%q: got %v, want %v", section, got, want)
		}
	}
}
