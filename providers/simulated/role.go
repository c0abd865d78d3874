package simulated

import "github.com/btplan/btplan/plan"

// role is what a simulated device plays, and so what its file may hold.
type role struct {
	name   string // in messages
	suffix string // of the file that holds its rules where none is named
	kinds  []plan.Kind
	fields []string // of the file
	rule   []string // fields of a rule in it
}

var (
	gatewayRole = role{
		name: "gateway", suffix: ".simulated.json",
		kinds:  []plan.Kind{plan.Forward},
		fields: []string{"format", "rules"},
		rule:   []string{"protocol", "ports", "to", "sources", "mark", "comment", "lease"},
	}
	firewallRole = role{
		name: "firewall", suffix: ".firewall.json",
		kinds:  []plan.Kind{plan.Allow, plan.Outbound},
		fields: []string{"format", "outbound", "rules"},
		rule:   []string{"direction", "protocol", "ports", "sources", "mark", "comment"},
	}
)

// What a firewall's file says of the packets that its machine sends and no rule
// lets out, and of the direction of a rule. Without a word packets are let out,
// and a rule is for those that come in.
const (
	dropOutbound  = "drop"
	allowOutbound = "allow"
	directionIn   = "in"
	directionOut  = "out"
)

// content is what a file holds.
type content struct {
	outbound string // the author's word, of a firewall; empty: none
	entries  []entry
}

// empty says whether c is what no file says too.
func (c content) empty() bool { return len(c.entries) == 0 && c.outbound == "" }
