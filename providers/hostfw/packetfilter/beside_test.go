package packetfilter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// nftTable is a table with the chain "in", as nft lists it.
func nftTable(family, table, chain, rules string) string {
	return fmt.Sprintf(`{"nftables": [{"table": {"family": %[1]q, "name": %[2]q}}, {"chain": {"family": %[1]q, "table": %[2]q, "name": "in", %[3]s}}%[4]s]}`, family, table, chain,
		strings.ReplaceAll(rules, "{{", fmt.Sprintf(`, {"rule": {"family": %q, "table": %q, "chain": "in", "handle": 7, `, family, table)))
}

const (
	inputDrop  = `"type": "filter", "hook": "input", "prio": 0, "policy": "drop"`
	input      = `"type": "filter", "hook": "input", "prio": 0, "policy": "accept"`
	outputDrop = `"type": "filter", "hook": "output", "prio": 0, "policy": "drop"`
	dropAll    = `{{"expr": [{"counter": null}, {"drop": null}]}}`
	acceptPort = `{{"expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"range": [6800, 6900]}}}, {"accept": null}]}}`
)

// What drops packets beside ufw or firewalld is named, unless it lets them pass.
func TestBeside(t *testing.T) {
	tcp, some := hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.TCP, "6881", "10.1.0.0/16", "10.2.0.0/16")
	const strict, legacy = "chain in of table inet strict (", "chain INPUT of table filter of iptables-legacy ("
	for name, test := range map[string]struct {
		nft, legacy string // what they list, the latter with "; " between its lines
		rule        plan.Rule
		want        string // what is named; empty: nothing
	}{
		"nothing":                     {nftTable("inet", "strict", input, ""), "", tcp, ""},
		"policy":                      {nftTable("inet", "strict", inputDrop, ""), "", tcp, strict + "policy drop)"},
		"a rule for all":              {nftTable("inet", "strict", input, dropAll), "", tcp, "rule handle 7 (nft -a list chain inet strict in shows it)"},
		"let pass":                    {nftTable("inet", "strict", inputDrop, acceptPort), "", tcp, ""},
		"let pass before":             {nftTable("inet", "strict", input, acceptPort+dropAll), "", tcp, ""},
		"let pass too late":           {nftTable("inet", "strict", input, dropAll+acceptPort), "", tcp, "rule handle 7 (nft -a list chain inet strict in shows it)"},
		"let pass in part":            {nftTable("inet", "strict", inputDrop, acceptPort), "", hosttest.Allow(t, plan.TCP, "6881-6999"), strict + "policy drop)"},
		"the other protocol":          {nftTable("inet", "strict", inputDrop, acceptPort), "", hosttest.Allow(t, plan.UDP, "6881"), strict + "policy drop)"},
		"the other IP version":        {nftTable("ip6", "strict", inputDrop, ""), "", some, ""},
		"one IP version of two":       {nftTable("ip6", "strict", inputDrop, ""), "", tcp, "chain in of table ip6 strict (policy drop)"},
		"what bridges pass on":        {nftTable("bridge", "strict", inputDrop, ""), "", tcp, ""},
		"firewalld's own":             {nftTable("inet", "firewalld", inputDrop, ""), "", tcp, ""},
		"btplan's own":                {nftTable("inet", "btplanhost_home", inputDrop, ""), "", tcp, ""},
		"the other way":               {nftTable("inet", "strict", outputDrop, ""), "", tcp, ""},
		"out":                         {nftTable("inet", "strict", outputDrop, ""), "", hosttest.Out(t, plan.TCP, "6969"), strict + "policy drop)"},
		"iptables, policy":            {"", ":INPUT DROP [0:0]", tcp, legacy + "policy DROP)"},
		"iptables, a rule for some":   {"", ":INPUT ACCEPT [0:0]; -A INPUT -p tcp -j REJECT --reject-with tcp-reset", tcp, "rule -A INPUT -p tcp -j REJECT --reject-with tcp-reset of chain INPUT of table filter of iptables-legacy"},
		"iptables, other ports":       {"", ":INPUT ACCEPT [0:0]; -A INPUT -p tcp -m tcp --dport 22 -j DROP", tcp, ""},
		"iptables, other senders":     {"", ":INPUT ACCEPT [0:0]; -A INPUT -s 203.0.113.9/32 -j DROP; -A INPUT -i eth9 -j DROP", tcp, ""},
		"iptables, the machine's own": {"", ":INPUT DROP [0:0]; -A INPUT -i lo -j ACCEPT", tcp, legacy + "policy DROP)"},
		"iptables, let pass":          {"", ":INPUT DROP [0:0]; -A INPUT -i eth0 -p tcp -m tcp --dport 6881:6889 -j ACCEPT", tcp, ""},
		"iptables, let pass elsewhere": {"", ":INPUT ACCEPT [0:0]; :mine - [0:0]; -A INPUT -j mine; -A INPUT -j DROP; " +
			"-A mine -p tcp -m tcp --dport 6881:6889 -j ACCEPT", tcp, ""},
		"iptables, dropped elsewhere":     {"", ":INPUT ACCEPT [0:0]; :mine - [0:0]; -A INPUT -j mine; -A mine -j DROP", tcp, "rule -A mine -j DROP of chain mine of table filter of iptables-legacy"},
		"iptables, let pass all senders":  {"", ":INPUT DROP [0:0]; -A INPUT -s 10.1.0.0/16 -j ACCEPT; -A INPUT -s 10.2.0.0/15 -j ACCEPT", some, ""},
		"iptables, let pass some senders": {"", ":INPUT DROP [0:0]; -A INPUT -s 10.1.0.0/16 -j ACCEPT", some, legacy + "policy DROP)"},
		"iptables, let pass few senders":  {"", ":INPUT DROP [0:0]; -A INPUT -s 10.1.0.0/16 -j ACCEPT; -A INPUT -s 10.2.3.0/24 -j ACCEPT", some, legacy + "policy DROP)"},
		"iptables, ufw's own":             {"", ":INPUT DROP [0:0]; :ufw-user-input - [0:0]", tcp, ""},
		"iptables, firewalld's own":       {"", ":INPUT DROP [0:0]; :INPUT_ZONES - [0:0]", tcp, ""},
		"nft does not make sense":         {"{", "", tcp, "What other filters drop can't be told"},
	} {
		t.Run(name, func(t *testing.T) {
			p := script.Printed{"iptables": nil, "ip6tables": {}}
			p["iptables"] = []byte("usual \nnf_tables \nlegacy iptables-legacy\ntables filter\n")
			p["save-legacy"] = []byte("*filter\n" + strings.ReplaceAll(test.legacy, "; ", "\n") + "\nCOMMIT\n")
			if test.nft != "" {
				p["ruleset"] = []byte(test.nft)
			}
			h := &host.Holding{Filter: named{}}
			WarnOfOthers(h, "home", p, "ufw", "firewalld")
			got := h.Problems
			if h.Beside != nil {
				got = append(got, h.Beside([]plan.Rule{test.rule})...)
			}
			switch {
			case test.want == "" && len(got) > 0, test.want != "" && (len(got) != 1 || !strings.Contains(got[0].Summary+" "+got[0].Detail, test.want)):
				t.Errorf("got %+v, want %q", got, test.want)
			}
		})
	}
	h := &host.Holding{Filter: named{}}
	WarnOfOthers(h, "home", script.Printed{}, "ufw")
	if h.Beside != nil || len(h.Problems) > 0 {
		t.Errorf("nothing was asked for; got %+v", h.Problems)
	}
}

// One firewall's own rules are others' for another one.
func TestBesideAnother(t *testing.T) {
	h := &host.Holding{Filter: named{}}
	p := script.Printed{"iptables": {}, "ip6tables": {}, "ruleset": []byte(nftTable("inet", "firewalld", inputDrop, ""))}
	WarnOfOthers(h, "home", p, "ufw")
	if got := h.Beside([]plan.Rule{hosttest.Allow(t, plan.TCP, "6881")}); len(got) != 1 || !strings.Contains(got[0].Detail, "table inet firewalld") {
		t.Errorf("got %+v", got)
	}
}

// named is a firewall that has a name.
type named struct{ host.Filter }

func (named) String() string { return "ufw" }
