package netfilter

import (
	"testing"

	"github.com/btplan/btplan/internal/nft"
)

// A rule is named by what a person finds it by, and the command that shows it
// does nothing else, whatever the chain is called.
func TestVerdictNamed(t *testing.T) {
	drop := []nft.Statement{{Name: "drop"}}
	for want, r := range map[string]nft.Rule{
		"handle 9 (nft -a list chain inet filter input shows it)":              {Family: "inet", Table: "filter", Chain: "input", Handle: 9, Statements: drop},
		`handle 7 "no \"games\"" (nft -a list chain ip filter input shows it)`: {Family: "ip", Table: "filter", Chain: "input", Handle: 7, Comment: `no "games"`, Statements: drop},
		"handle 3 (nft -a list ruleset shows it)":                              {Family: "inet", Table: "a; reboot", Chain: "input", Handle: 3, Statements: drop},
	} {
		if v, is := verdictOf(r); !is || v.String() != want {
			t.Errorf("got %q, %t, want %q", v, is, want)
		}
	}
	v := Verdict{Chain: "chain INPUT of table filter of iptables", Rule: "-A INPUT -j DROP"}
	if got, want := v.String(), "-A INPUT -j DROP of chain INPUT of table filter of iptables"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
