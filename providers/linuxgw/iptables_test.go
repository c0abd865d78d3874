package linuxgw

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/zclconf/go-cty/cty"
)

// homeChains is the home gateway, whose iptables is the legacy variant, with
// these rules of ours, beside what saves say of others: what iptables-save
// prints, by the name of the section.
func homeChains(t *testing.T, ours map[netfilter.TableID]netfilter.ChainSet, saves map[string]string) *chains {
	t.Helper()
	g := homeGateway()
	g.backend = netfilter.Iptables
	all := map[string]string{
		"iptables":    "usual legacy\nnf_tables iptables-nft\nlegacy iptables-legacy\ntables filter mangle nat\n",
		"ip6tables":   "nf_tables ip6tables-nft\nlegacy ip6tables-legacy\ntables filter mangle nat\n",
		"save-legacy": "", "save6-legacy": "",
	}
	maps.Copy(all, saves)
	for id, set := range ours {
		save := "*" + id.Name + "\n:" + g.names().GenerationChain(set.Generation) + " - [0:0]\n"
		for kind, rules := range set.Rules {
			save += ":" + g.names().Chain(kind) + " - [0:0]\n"
			for _, r := range rules {
				save += "-A " + g.names().Chain(kind) + r + "\n"
			}
		}
		section := "save-legacy"
		if id.Six {
			section = "save6-legacy"
		}
		all[section] += save + "COMMIT\n"
	}
	sections := script.Printed{}
	for name, text := range all {
		sections[name] = []byte(text)
	}
	f, err := g.reading().Parse(sections)
	if err != nil {
		t.Fatal(err)
	}
	h, err := g.findHome(&facts{Facts: f}, "wan0")
	if err != nil {
		t.Fatal(err)
	}
	return h.filter.(*chains)
}

func TestIptablesCommands(t *testing.T) {
	c := homeChains(t, nil, nil)
	entries := []entry{
		{forward(t, plan.TCP, "6881-6889", "192.168.1.11:6881"), "btplan:home:bt/é:0a1b2c3d"},
		{forward(t, plan.UDP, "16881-16882", "192.168.1.11:6881", "10.0.0.0/8", "192.0.2.0/24"), "btplan:home:dht:4e5f6071"},
	}
	golden(t, "iptables-create.sh", c.change(entries, "00000000000b"))
	const drops = "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"
	c = homeChains(t, c.want(entries, "00000000000a"), map[string]string{"save-nf_tables": drops})
	golden(t, "iptables-update.sh", c.change(entries[1:], "00000000000b"))
	golden(t, "iptables-undo.sh", c.undo(entries[1:], "00000000000b"))
	golden(t, "iptables-load.sh", c.load(entries[:1], "00000000000b"))
	golden(t, "iptables-destroy.sh", c.change(nil, "00000000000b"))

	// Over both IP versions, with a filter that drops, and with rules of others
	// in the chains that packets are marked in.
	c = homeChains(t, nil, map[string]string{"save-nf_tables": drops})
	c = homeChains(t, c.want(entries[:1], "00000000000a"), map[string]string{
		"save6-legacy":    "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j LOG\n-A FORWARD -j DROP\nCOMMIT\n",
		"save6-nf_tables": drops,
	})
	entries = append(entries,
		entry{forward(t, plan.TCP, "6881-6889", "[2001:db8::11]:6881"), "btplan:home:bt/é:0a1b2c3d"},
		entry{forward(t, plan.UDP, "16881", "[2001:db8::11]:6881", "2001:db8:1::/48"), "btplan:home:dht:4e5f6071"})
	golden(t, "iptables-both-update.sh", c.change(entries, "00000000000b"))
	golden(t, "iptables-both-undo.sh", c.undo(entries, "00000000000b"))
	golden(t, "iptables-both-load.sh", c.load(entries[2:3], "00000000000b"))
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
		e, err := readForward(netfilter.MustParse("-A c "+spec), false)
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
		e, err := readForward(netfilter.MustParse("-A c "+spec), true)
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

func TestEarlyDrops(t *testing.T) {
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
		for _, section := range []string{"save-legacy", "save6-legacy"} {
			g := homeGateway()
			f, err := g.reading().Parse(script.Printed{
				"iptables":  []byte("usual legacy\nlegacy iptables-legacy\ntables raw\n"),
				"ip6tables": []byte("legacy ip6tables-legacy\ntables raw\n"),
				section:     []byte("*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING " + spec + "\nCOMMIT\n"),
				map[string]string{"save-legacy": "save6-legacy", "save6-legacy": "save-legacy"}[section]: nil,
			})
			if err != nil {
				t.Fatal(err)
			}
			s := &state{on: g, holding: &holding{wan: "wan0"}, early: slices.Collect(f.EarlyDrops())}
			if got := len(s.earlyDrops([]plan.Rule{forward(t, plan.TCP, "6881-6889", "192.168.1.11:6881")})) > 0; got != (want && section == "save-legacy") {
				t.Errorf("%s: %s: got %t", section, spec, got)
			}
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
