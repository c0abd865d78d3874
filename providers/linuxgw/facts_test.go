package linuxgw

import "testing"

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
