package linuxgw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/plan"
	"github.com/zclconf/go-cty/cty"
)

func homeChains(project string) *ownChains {
	return &ownChains{on: program{legacy, "iptables-legacy"}, project: project, wan: "wan0", tables: map[string]chainSet{}}
}

func TestIptablesCommands(t *testing.T) {
	c := homeChains("home")
	entries := []entry{
		{forward(t, plan.TCP, "6881-6889", "192.168.1.11:6881"), "btplan:home:bt/é:0a1b2c3d"},
		{forward(t, plan.UDP, "16881-16882", "192.168.1.11:6881", "10.0.0.0/8", "192.0.2.0/24"), "btplan:home:dht:4e5f6071"},
	}
	golden(t, "iptables-create.sh", c.change(entries, "00000000000b"))
	c.tables = c.want(entries, "00000000000a")
	c.hooks.iptables = []iptablesHook{{on: program{viaNft, "iptables-nft"}, comment: hookComment("home"), needed: true}}
	golden(t, "iptables-update.sh", c.change(entries[1:], "00000000000b"))
	golden(t, "iptables-undo.sh", c.undo(entries[1:], "00000000000b"))
	golden(t, "iptables-load.sh", c.load(entries[:1], "00000000000b"))
	golden(t, "iptables-destroy.sh", c.change(nil, "00000000000b"))
}

// Every project has chains of its own whose names fit.
func TestChainName(t *testing.T) {
	const long = "a-project-with-a-long-name"
	seen := map[string]string{}
	for _, project := range []string{"home", "home-2", "dnat", "sixteen-letters_", "seventeen-letters", long, long + "2", strings.Repeat("a", 32)} {
		names := []string{generationChain(project, newGeneration())}
		for _, k := range kinds {
			names = append(names, chainName(k.name, project))
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
		e, err := readForward(mustParse("-A c " + spec))
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
