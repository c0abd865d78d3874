package netfilter

import (
	"fmt"
	"testing"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/nft"
)

// A chain of iptables-nft needs a hook for what may end a packet's way, and not
// for what only changes it, whether nft tells of it or iptables: a hook at the
// top would take packets past a chain that clamps their MSS.
func TestHooksForTargets(t *testing.T) {
	for target, needed := range map[string]bool{
		"TCPMSS": false, "LOG": false, "CONNMARK": false,
		"REJECT": true, "NFQUEUE": true, "NOBODY-KNOWS": true,
	} {
		for _, family := range []string{"ip", "ip6"} {
			rs, err := nft.Parse(fmt.Appendf(nil, `{"nftables": [
{"table": {"family": %[1]q, "name": "mangle", "handle": 1}},
{"chain": {"family": %[1]q, "table": "mangle", "name": "FORWARD", "handle": 1, "type": "filter", "hook": "forward", "prio": -150, "policy": "accept"}},
{"rule": {"family": %[1]q, "table": "mangle", "chain": "FORWARD", "handle": 2, "expr": [{"xt": {"type": "match", "name": "tcp"}}, {"counter": {"packets": 0, "bytes": 0}}, {"xt": {"type": "target", "name": %[2]q}}]}}]}`, family, target))
			if err != nil {
				t.Fatal(err)
			}
			found, err := findNftHooks(rs, Forward, GatewayNames("home").hookComment(), nil)
			if err != nil || (len(found) == 1) != needed {
				t.Errorf("nft, %s, %s: got %+v (%v), want one: %t", family, target, found, err, needed)
			}
			if hs := (Hooks{nft: found}); needed && (!hs.Needed(Forward, family == "ip6") || hs.Needed(Forward, family != "ip6") || hs.Needed(Input, family == "ip6")) {
				t.Errorf("nft, %s, %s: needed for the wrong IP version", family, target)
			}
		}
		save, err := iptables.Parse(fmt.Appendf(nil, "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -j TCPMSS --clamp-mss-to-pmtu\n-A FORWARD -p tcp -j %s\nCOMMIT\n", target))
		if err != nil {
			t.Fatal(err)
		}
		found := findIptablesHooks(Forward, Program{Legacy, true, "ip6tables-legacy"}, save, GatewayNames("home").hookComment(), false)
		if (len(found) == 1) != needed || needed && found[0].at != 2 {
			t.Errorf("iptables, %s: got %+v, want one: %t", target, found, needed)
		}
	}
}
