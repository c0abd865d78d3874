package linuxgw

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/plan"
	"github.com/zclconf/go-cty/cty"
)

func homeChains(project string) *ownChains {
	return &ownChains{on: program{legacy, false, "iptables-legacy"}, on6: program{legacy, true, "ip6tables-legacy"}, project: project, wan: "wan0", tables: map[tableID]chainSet{}}
}

func TestIptablesCommands(t *testing.T) {
	c := homeChains("home")
	entries := []entry{
		{forward(t, plan.TCP, "6881-6889", "192.168.1.11:6881"), "btplan:home:bt/é:0a1b2c3d"},
		{forward(t, plan.UDP, "16881-16882", "192.168.1.11:6881", "10.0.0.0/8", "192.0.2.0/24"), "btplan:home:dht:4e5f6071"},
	}
	golden(t, "iptables-create.sh", c.change(entries, "00000000000b"))
	c.tables = c.want(entries, "00000000000a")
	c.hooks.iptables = []iptablesHook{{on: program{viaNft, false, "iptables-nft"}, table: "filter", comment: hookComment("home"), needed: true, at: 1}}
	golden(t, "iptables-update.sh", c.change(entries[1:], "00000000000b"))
	golden(t, "iptables-undo.sh", c.undo(entries[1:], "00000000000b"))
	golden(t, "iptables-load.sh", c.load(entries[:1], "00000000000b"))
	golden(t, "iptables-destroy.sh", c.change(nil, "00000000000b"))

	// Over both IP versions, with a filter that drops, and with rules of others
	// in the chains that packets are marked in.
	c.tables = c.want(entries[:1], "00000000000a")
	entries = append(entries,
		entry{forward(t, plan.TCP, "6881-6889", "[2001:db8::11]:6881"), "btplan:home:bt/é:0a1b2c3d"},
		entry{forward(t, plan.UDP, "16881", "[2001:db8::11]:6881", "2001:db8:1::/48"), "btplan:home:dht:4e5f6071"})
	c.hooks.iptables = []iptablesHook{
		{on: c.on6, table: "mangle", comment: hookComment("home"), needed: true, at: 3},
		{on: program{viaNft, true, "ip6tables-nft"}, table: "filter", comment: hookComment("home"), needed: true, at: 1},
	}
	golden(t, "iptables-both-update.sh", c.change(entries, "00000000000b"))
	golden(t, "iptables-both-undo.sh", c.undo(entries, "00000000000b"))
	golden(t, "iptables-both-load.sh", c.load(entries[2:3], "00000000000b"))
}

// Every project has chains of its own whose names fit.
func TestChainName(t *testing.T) {
	const long = "a-project-with-a-long-name"
	seen := map[string]string{}
	for _, project := range []string{"home", "home-2", "dnat", "sixteen-letters_", "seventeen-letters", long, long + "2", strings.Repeat("a", 32)} {
		names := []string{generationChain(project, newGeneration())}
		for _, k := range kinds {
			if name := chainName(k.name, project); !slices.Contains(names, name) { // once for each IP version
				names = append(names, name)
			}
		}
		for _, name := range names {
			if len(name) > iptables.MaxChain || iptables.CheckName(name) != nil {
				t.Errorf("%s: %q has %d bytes", project, name, len(name))
			}
			if other, taken := seen[name]; taken {
				t.Errorf("%s and %s both have chain %s", project, other, name)
			}
			seen[name] = project
		}
	}
	if got := chainName(dnatChain, "home"); got != "BTPLAN-DNAT-home" {
		t.Errorf("got %s", got)
	}
}

func TestReadForward(t *testing.T) {
	for spec, want := range map[string]string{
		"-p tcp -m tcp --dport 6881:6889 -j DNAT --to-destination 192.168.1.11":                   "tcp 6881-6889 to 192.168.1.11:6881-6889",
		"-s 10.0.0.0/8 -p udp -m udp --dport 6881 -j DNAT --to-destination 192.168.1.11:7881":     "udp 6881 to 192.168.1.11:7881 from 10.0.0.0/8",
		"-p tcp -m tcp --dport 6881:6889 -j DNAT --to-destination 192.168.1.11:6881":              "",
		"-p tcp -m tcp --dport 6881 -j DNAT --to-destination 192.168.1.11:7881-7889":              "",
		"-p sctp -m sctp --dport 6881 -j DNAT --to-destination 192.168.1.11":                      "",
		"-p tcp -m tcp --dport 6881 -j DNAT --to-destination 192.168.1.11 --random":               "",
		"-p tcp -m tcp --dport 6881 -m limit --limit 3/sec -j DNAT --to-destination 192.168.1.11": "",
		"-p tcp -m tcp ! --dport 6881 -j DNAT --to-destination 192.168.1.11":                      "",
		"-p tcp -m tcp --dport 0:6881 -j DNAT --to-destination 192.168.1.11":                      "",
		"-p tcp -m tcp --dport 65530:65535 -j DNAT --to-destination 192.168.1":                    "",
		"-p tcp -m tcp --dport 6881 -j DNAT --to-destination 2001:db8::1":                         "",
		"-p tcp -m tcp --dport 6881 -j ACCEPT":                                                    "",
		"-s 10.0.0.0/33 -p tcp -m tcp --dport 6881 -j DNAT --to-destination 192.168.1.11":         "",
		"-p tcp -m tcp -j DNAT --to-destination 192.168.1.11":                                     "",
	} {
		e, err := readForward(mustParse("-A c "+spec), false)
		if want == "" {
			if err == nil {
				t.Errorf("%s: no error, but %s", spec, e.rule)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		if got := joinEntries([]entry{e})[0].rule.String(); got != want {
			t.Errorf("%s: got %s, want %s", spec, got, want)
		}
	}
}

func TestReadForward6(t *testing.T) {
	for spec, want := range map[string]string{
		"-d 2001:db8::1/128 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881:6889 -j ACCEPT":                   "tcp 6881-6889 to [2001:db8::1]:6881-6889",
		"-s 2001:db8:2::/48 -d 2001:db8::1/128 -p udp -m udp --dport 6881 -j DNAT --to-destination [2001:db8::1]:7881": "udp 6881 to [2001:db8::1]:7881 from 2001:db8:2::/48",
		"-d 2001:db8::1/128 -p tcp -m tcp --dport 6881 -j DNAT --to-destination [2001:db8::2]:7881":                    "",
		"-d 2001:db8::1/128 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881 -j DNAT --to-destination ::1":     "",
		"-d 2001:db8::/64 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881 -j ACCEPT":                          "",
		"-d 2001:db8::1/128 ! -s ::1/128 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881 -j ACCEPT":           "",
		"-p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881 -j ACCEPT":                                           "",
		"-d 2001:db8::1/128 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881 -j DROP":                          "",
		"-d 2001:db8::1/128 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881 -m limit --limit 3/sec -j ACCEPT": "",
		"-p tcp -m tcp --dport 6881 -j DNAT --to-destination 192.168.1.11":                                             "",
		"-d 192.168.1.11/32 -p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 6881 -j ACCEPT":                        "",
		"-d 2001:db8::1/128 -p tcp -m tcp --dport 6881:6889 -j DNAT --to-destination [2001:db8::1]:7881":               "",
		"-d 2001:db8::1/128 -p sctp -m conntrack --ctdir ORIGINAL -m sctp --dport 6881:6889 -j ACCEPT":                 "",
	} {
		e, err := readForward(mustParse("-A c "+spec), true)
		got := ""
		if err == nil {
			got = joinEntries([]entry{e})[0].rule.String()
		}
		if got != want {
			t.Errorf("%s: got %q (%v), want %q", spec, got, err, want)
		}
	}
}

func TestDestination(t *testing.T) {
	for to, want := range map[string]string{
		"192.168.1.11":                    "192.168.1.11 0",
		"192.168.1.11:80":                 "192.168.1.11 80",
		"192.168.1.11-192.168.1.14:80-85": "192.168.1.11 80",
		"192.168.1.11:80-85/80":           "192.168.1.11 80",
		":80":                             "invalid IP 80",
		"2001:db8::1":                     "2001:db8::1 0",
		"2001:db8::1-2001:db8::5":         "2001:db8::1 0",
		"[2001:db8::1]:80-85":             "2001:db8::1 80",
		"[2001:db8::1]":                   "2001:db8::1 0",
		"[2001:db8::1":                    "2001:db8::1 0",
		"":                                "invalid IP 0",
		"nonsense:x":                      "invalid IP 0",
	} {
		if addr, port := destination(to); fmt.Sprint(addr, port) != want {
			t.Errorf("%s: got %s %d, want %s", to, addr, port, want)
		}
	}
}

func TestDropsAllIptables(t *testing.T) {
	for spec, want := range map[string]bool{
		"-j DROP":                true,
		"-i wan0 -p tcp -j DROP": true,
		"-p tcp -m tcp --dport 6000:7000 -j DROP":                             true,
		"-p tcp -m multiport --dports 80,6885 -m comment --comment x -j DROP": true,
		"-p udp -j DROP":                         false,
		"-i lan0 -j DROP":                        false,
		"-i wan+ -j DROP":                        false,
		"! -i wan0 -j DROP":                      false,
		"-p tcp -m tcp --dport 80 -j DROP":       false,
		"-p tcp -m tcp --dport 0:100 -j DROP":    false,
		"-s 10.0.0.0/8 -j DROP":                  false,
		"-m conntrack --ctstate INVALID -j DROP": false,
		"-m rpfilter --invert -j DROP":           false,
		"-m socket -j DROP":                      false,
		"-p tcp -m tcp ! --dport 80 -j DROP":     false,
		"-j ACCEPT":                              false,
	} {
		r := forward(t, plan.TCP, "6881-6889", "192.168.1.11:6881")
		if got := dropsAllIptables(mustParse("-A PREROUTING "+spec), r, "wan0", false); got != want {
			t.Errorf("%s: got %t", spec, got)
		}
		if dropsAllIptables(mustParse("-A PREROUTING "+spec), r, "wan0", true) {
			t.Errorf("%s: it drops no IPv4 packets in ip6tables", spec)
		}
	}
}

func TestCheckBackend(t *testing.T) {
	for _, v := range []cty.Value{cty.NullVal(cty.String), cty.UnknownVal(cty.String), cty.StringVal("auto"), cty.StringVal("nftables"), cty.StringVal("iptables")} {
		if diags := checkBackend(v); diags.HasErrors() {
			t.Errorf("%#v: %v", v, diags)
		}
	}
	for _, s := range []string{"", "nft", "iptables-legacy", "firewalld"} {
		if diags := checkBackend(cty.StringVal(s)); !diags.HasErrors() || !strings.Contains(diags[0].Detail, `"iptables"`) {
			t.Errorf("%q: %v", s, diags)
		}
	}
}
