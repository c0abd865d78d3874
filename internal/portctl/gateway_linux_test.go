package portctl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// hexOf is an IPv4 address as this computer's kernel prints it.
func hexOf(addr string) string {
	a := netip.MustParseAddr(addr).As4()
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(a[:]))
}

func TestParseRoutes(t *testing.T) {
	const heading = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	route := func(to, via, flags, metric, mask string) string {
		return strings.Join([]string{"eth0", to, via, flags, "0", "0", metric, mask, "0", "0", "0"}, "\t") + "    \n"
	}
	const any = "00000000"
	home, phone := hexOf("192.168.1.1"), hexOf("172.20.10.1")
	for _, c := range []struct{ name, content, want string }{
		{"one", route(any, home, "0003", "100", any) + route(hexOf("192.168.1.0"), any, "0001", "100", hexOf("255.255.255.0")), "192.168.1.1"},
		{"the lowest metric", route(any, phone, "0003", "600", any) + route(any, home, "0003", "100", any), "192.168.1.1"},
		{"the first of equals", route(any, home, "0003", "100", any) + route(any, phone, "0003", "100", any), "192.168.1.1"},
		{"a line without a gateway", route(any, any, "0001", "0", any) + route(any, home, "0003", "100", any), "192.168.1.1"},
		{"down", route(any, home, "0002", "0", any), ""},
		{"half of a VPN's two halves", route(any, home, "0003", "0", hexOf("128.0.0.0")), ""},
		{"no default route", route(hexOf("192.168.1.0"), any, "0001", "100", hexOf("255.255.255.0")), ""},
		{"nothing", "", ""},
		{"nonsense", "eth0 00000000 zz 3 0 0 0 00000000\n" + "x\n", ""},
	} {
		got, err := parseRoutes(heading + c.content)
		switch {
		case c.want == "" && !errors.Is(err, ErrNoGateway):
			t.Errorf("%s: got %s, %v", c.name, got, err)
		case c.want != "" && (err != nil || got != netip.MustParseAddr(c.want)):
			t.Errorf("%s: got %s, %v", c.name, got, err)
		}
	}
}

func FuzzParseRoutes(f *testing.F) {
	f.Add("eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")
	f.Fuzz(func(t *testing.T, content string) {
		if got, err := parseRoutes(content); err == nil && (!got.Is4() || got.IsUnspecified()) {
			t.Errorf("%q: %s", content, got)
		}
	})
}
