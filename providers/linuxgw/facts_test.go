package linuxgw

import (
	"strings"
	"testing"
)

func TestForwarding(t *testing.T) {
	const tables = "Iface\tDestination\tGateway\nwan0\t00000000\t016433C6\n"
	for network, want := range map[string][2]bool{
		"1\n1\n" + tables: {true, true},
		"1\n0\n" + tables: {true, false},
		"0\n1\n" + tables: {false, true},
		"1\n" + tables:    {true, false}, // a kernel without IPv6
		"1\n2\n" + tables: {true, false},
		tables + "1\n1\n": {false, false},
		"":                {false, false},
	} {
		if four, six := parseForwarding(network); [2]bool{four, six} != want {
			t.Errorf("%q: got %t and %t, want %v", network, four, six, want)
		}
	}
}

// The names of the files that sha256sum prints may be as long as its sums.
func TestBootSums(t *testing.T) {
	script, unit := checksum("script"), checksum("unit")
	path := bootScriptPath(strings.Repeat("x", 64-len(bootScriptPath(""))))
	if len(path) != len(script) {
		t.Fatalf("%s is %d bytes long", path, len(path))
	}
	for section, want := range map[string]boot{
		"systemd\nenabled\n" + script + "  " + path + "\n" + unit + "  /etc/unit\n": {systemd, true, script + unit},
		"openrc\n" + script + "  " + path + "\n":                                    {openRC, false, script},
		"rc.local\nenabled\nmissing\n":                                              {rcLocal, true, "missing"},
		"none\n":                                                                    {noInit, false, ""},
	} {
		if got := parseBoot([]byte(section)); got != want {
			t.Errorf("%q: got %+v, want %+v", section, got, want)
		}
	}
}
