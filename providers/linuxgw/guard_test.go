package linuxgw

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/plan"
)

const routingTable = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
	"wan0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" +
	"lan0\t004DA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n" +
	"lan1\t0000A8C0\t00000000\t0001\t0\t0\t5\t0000FFFF\t0\t0\t0\n" +
	"wan0\t006433C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"

func TestRoutes(t *testing.T) {
	bigEndian := strings.NewReplacer("010200C0", "C0000201", "004DA8C0", "C0A84D00", "00FFFFFF", "FFFFFF00",
		"0000A8C0", "C0A80000", "0000FFFF", "FFFF0000", "006433C6", "C6336400").Replace(routingTable)
	for order, text := range map[string]string{"little": routingTable, "big": bigEndian} {
		rs := parseRoutes(text)
		for addr, want := range map[string]string{
			"192.168.77.5": "lan0", "192.168.78.5": "lan1", "198.51.100.9": "wan0", "8.8.8.8": "wan0",
		} {
			if r, found := rs.lookup(netip.MustParseAddr(addr)); !found || r.iface != want {
				t.Errorf("%s-endian: the route to %s is by %q, want %s", order, addr, r.iface, want)
			}
		}
	}
	if _, found := parseRoutes(strings.Join(strings.SplitAfter(routingTable, "\n")[2:], "")).lookup(netip.MustParseAddr("8.8.8.8")); found {
		t.Error("a route to everywhere without a default route")
	}
}

func TestRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		login   string
		ports   string
		sources string
		udp     bool
		refused bool
	}{
		"from the Internet":                 {"198.51.100.9 50000 203.0.113.1 22", "20-25", "", false, true},
		"another port":                      {"198.51.100.9 50000 203.0.113.1 2222", "20-25", "", false, false},
		"over UDP":                          {"198.51.100.9 50000 203.0.113.1 22", "20-25", "", true, false},
		"for others only":                   {"198.51.100.9 50000 203.0.113.1 22", "22", "192.0.2.0/24", false, false},
		"for us among others":               {"198.51.100.9 50000 203.0.113.1 22", "22", "198.51.0.0/16", false, true},
		"from inside":                       {"192.168.77.5 50000 192.168.77.1 22", "22", "", false, false},
		"from inside, by the WAN address":   {"192.168.77.5 50000 198.51.100.1 22", "22", "", false, true},
		"from inside, by another side's":    {"192.168.77.5 50000 192.168.78.1 22", "22", "", false, true},
		"a server on [::]":                  {"::ffff:198.51.100.9 50000 ::ffff:203.0.113.1 22", "22", "", false, true},
		"over IPv6":                         {"2001:db8::9 50000 2001:db8::1 22", "22", "", false, false},
		"no login":                          {"", "22", "", false, false},
		"nonsense":                          {"a b c d", "22", "", false, false},
		"nonsense that looks like an order": {"$(reboot) 1 203.0.113.1 22", "22", "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := homeGateway()
			g.last = &state{holding: &holding{filter: &nftables{}, wan: "wan0"}, routes: parseRoutes(routingTable), login: guarded.ParseLogin([]byte(test.login + "\n"))}
			protocol := plan.TCP
			if test.udp {
				protocol = plan.UDP
			}
			r := forward(t, protocol, test.ports, "192.168.77.11:22")
			if test.sources != "" {
				r.Sources = []netip.Prefix{netip.MustParsePrefix(test.sources)}
			}
			if why := g.Refuse([]plan.Change{{Action: plan.Create, After: &r}}); (why != nil) != test.refused {
				t.Errorf("got %v", why)
			}
			if why := g.Refuse([]plan.Change{{Action: plan.Delete, Before: &r}, {Action: plan.NoOp, Before: &r, After: &r}}); why != nil {
				t.Errorf("to take it away, or to let it be, is refused: %v", why)
			}
		})
	}
}
