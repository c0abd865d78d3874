package linuxgw

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/google/go-cmp/cmp"
)

func ports(t *testing.T, s string) plan.PortRange {
	t.Helper()
	r, err := plan.ParsePortRange(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func forward(t *testing.T, protocol plan.Protocol, outside, to string, sources ...string) plan.Rule {
	t.Helper()
	r := plan.Rule{Kind: plan.Forward, Protocol: protocol, Ports: ports(t, outside), To: netip.MustParseAddrPort(to)}
	for _, s := range sources {
		r.Sources = append(r.Sources, netip.MustParsePrefix(s))
	}
	return r
}

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestElements(t *testing.T) {
	for name, test := range map[string]struct {
		entry entry
		want  []string
	}{
		"same ports": {
			entry{forward(t, plan.TCP, "6881-6889", "192.168.1.11:6881"), "btplan:home:bt:0a1b2c3d"},
			[]string{`tcp . 6881-6889 . 0.0.0.0/0 comment "btplan:home:bt:0a1b2c3d" : 192.168.1.11`},
		},
		"an element for each source": {
			entry{forward(t, plan.UDP, "6881", "192.168.1.11:6881", "10.0.0.0/8", "203.0.113.7/32"), "c"},
			[]string{
				`udp . 6881 . 10.0.0.0/8 comment "c" : 192.168.1.11`,
				`udp . 6881 . 203.0.113.7/32 comment "c" : 192.168.1.11`,
			},
		},
		"a shifted range keeps its offset": {
			entry{forward(t, plan.TCP, "16881-16883", "192.168.1.11:6881"), ""},
			[]string{
				`tcp . 16881 . 0.0.0.0/0 : 192.168.1.11 . 6881`,
				`tcp . 16882 . 0.0.0.0/0 : 192.168.1.11 . 6882`,
				`tcp . 16883 . 0.0.0.0/0 : 192.168.1.11 . 6883`,
			},
		},
	} {
		var got []string
		for _, e := range test.entry.elements() {
			got = append(got, e.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPassElements(t *testing.T) {
	for name, test := range map[string]struct {
		rules []plan.Rule
		want  []string
	}{
		"what is behind the DNAT": {
			[]plan.Rule{forward(t, plan.TCP, "16881-16889", "192.168.1.11:6881", "10.0.0.0/8")},
			[]string{"192.168.1.11 . tcp . 6881-6889 . 10.0.0.0/8"},
		},
		"two ways to one port are one element": {
			[]plan.Rule{
				forward(t, plan.TCP, "6881-6889", "192.168.1.11:6881"),
				forward(t, plan.TCP, "16881-16889", "192.168.1.11:6881"),
			},
			[]string{"192.168.1.11 . tcp . 6881-6889 . 0.0.0.0/0"},
		},
		"overlapping targets are cut": {
			[]plan.Rule{
				forward(t, plan.TCP, "6881-6889", "192.168.1.11:6881", "10.0.0.0/8"),
				forward(t, plan.TCP, "16885-16899", "192.168.1.11:6885", "10.1.0.0/16", "192.0.2.0/24"),
			},
			[]string{
				"192.168.1.11 . tcp . 6881-6884 . 10.0.0.0/8",
				"192.168.1.11 . tcp . 6885-6889 . 10.0.0.0/8",
				"192.168.1.11 . tcp . 6885-6889 . 192.0.2.0/24",
				"192.168.1.11 . tcp . 6890-6899 . 10.1.0.0/16",
				"192.168.1.11 . tcp . 6890-6899 . 192.0.2.0/24",
			},
		},
		"anyone swallows the others": {
			[]plan.Rule{
				forward(t, plan.TCP, "6881", "192.168.1.11:6881"),
				forward(t, plan.TCP, "16881", "192.168.1.11:6881", "10.1.0.0/16"),
			},
			[]string{"192.168.1.11 . tcp . 6881 . 0.0.0.0/0"},
		},
		"the last port, and a gap before it": {
			[]plan.Rule{
				forward(t, plan.UDP, "65535", "192.168.1.11:65535"),
				forward(t, plan.UDP, "65530", "192.168.1.11:65530"),
			},
			[]string{"192.168.1.11 . udp . 65530 . 0.0.0.0/0", "192.168.1.11 . udp . 65535 . 0.0.0.0/0"},
		},
	} {
		var entries []entry
		for _, r := range test.rules {
			entries = append(entries, entry{rule: r})
		}
		if diff := cmp.Diff(test.want, passElements(entries, false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDefaultInterface(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	for name, test := range map[string]struct{ routes, want string }{
		"none":               {head + "lan0\t004DA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", ""},
		"one":                {head + "wan0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", "wan0"},
		"the lower metric":   {head + "wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\nppp0\t00000000\t00000000\t0001\t0\t0\t100\t00000000\t0\t0\t0\n", "ppp0"},
		"a down one":         {head + "wan0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n", ""},
		"an unreachable one": {head + "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n", ""},
		"a network of 0/1":   {head + "tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n", ""},
		"a strange name":     {head + "a;b\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", ""},
		"half a line":        {head + "wan0\t00000000\t0102", ""},
	} {
		if got := parseRoutes(test.routes).defaultInterface(); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestInterfaces(t *testing.T) {
	const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  wan0: 1234       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
eth0:1: 1234       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`
	if diff := cmp.Diff([]string{"eth0:1", "lo", "wan0"}, parseInterfaces(dev)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckInterface(t *testing.T) {
	for _, name := range []string{"ppp0", "eth0.100", "br-lan", "enp3s0", "wan@if7"} {
		if !interfaceName.MatchString(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{"", "a name", `a"b`, "ppp*", "a/b", "abcdefghijklmnop", "a;b", "a\nb"} {
		if interfaceName.MatchString(name) {
			t.Errorf("%q passes", name)
		}
	}
}
