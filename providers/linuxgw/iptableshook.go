package linuxgw

import (
	"fmt"
	"slices"

	"github.com/btplan/btplan/internal/iptables"
)

// iptablesHook is a hook in the chain FORWARD of one variant of iptables.
type iptablesHook struct {
	on      program
	comment string
	needed  bool // the chain may drop forwarded packets
	count   int  // of our rules in it
	works   bool // one of them stands above everything that may drop
}

// findIptablesHooks gives the hook in the chain FORWARD if there is one or has
// to be.
func findIptablesHooks(on program, s *iptables.Save, comment string) []iptablesHook {
	filter := s.Table("filter")
	c, found := filter.Chain("FORWARD")
	if !found {
		return nil
	}
	h := iptablesHook{on: on, comment: comment, needed: c.Policy != "ACCEPT"}
	want := mustParse("-A FORWARD" + h.spec())
	dropSeen := false
	for _, r := range c.Rules {
		switch {
		case r.Same(want):
			h.count++
			h.works = h.works || !dropSeen
		case stops(filter, r, passTargets):
			dropSeen, h.needed = true, true
		}
	}
	if !h.needed && h.count == 0 {
		return nil
	}
	return []iptablesHook{h}
}

// harmless are the targets of iptables after which a packet goes on to the
// next rule.
var harmless = []string{"", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "CONNSECMARK", "SECMARK", "TCPMSS", "CLASSIFY", "CT", "NOTRACK", "TTL", "TOS", "DSCP", "ECN", "SET", "ACCOUNT", "TRACE", "FLOWOFFLOAD"}

// passTargets are those with which a packet passes the chain FORWARD.
var passTargets = append([]string{"ACCEPT", "RETURN"}, harmless...)

// stops says whether a rule can do anything else with a packet than one of
// these targets, here or in a chain that it leads to. In doubt it can.
func stops(t iptables.Table, r iptables.Rule, targets []string) bool {
	target := r.Target()
	if _, isChain := t.Chain(target); !isChain {
		return !slices.Contains(targets, target)
	}
	for _, c := range t.From(target) {
		for _, r := range c.Rules {
			if _, isChain := t.Chain(r.Target()); !isChain && !slices.Contains(targets, r.Target()) {
				return true
			}
		}
	}
	return false
}

// String is the chain, for messages.
func (h iptablesHook) String() string {
	return fmt.Sprintf("chain FORWARD of %s", h.on.command)
}

// spec is the rule that lets marked packets pass.
func (h iptablesHook) spec() string {
	return fmt.Sprintf(" -m mark --mark %s/%s -m comment --comment %s -j ACCEPT", passMark, passMark, iptables.Quote(h.comment))
}

// set spells the commands that put h right.
func (h iptablesHook) set(wanted bool) string {
	wanted = wanted && h.needed
	if wanted && h.works && h.count == 1 || !wanted && h.count == 0 {
		return ""
	}
	lines := "*filter\n"
	for range h.count {
		lines += "-D FORWARD" + h.spec() + "\n"
	}
	if wanted {
		lines += "-I FORWARD 1" + h.spec() + "\n"
	}
	return fmt.Sprintf("%s <<'END' || return\n%sCOMMIT\nEND\n", h.on.restore(), lines)
}

// undo spells the commands that take back what set has done.
func (h iptablesHook) undo() string {
	switch {
	case h.needed && h.count == 0: // the change has made it
		return fmt.Sprintf("%s -w -D FORWARD%s 2>/dev/null\n", h.on.command, h.spec())
	case h.works: // the change may have removed it
		return h.ensure()
	}
	return ""
}

// ensure spells the command that inserts h unless it is there.
func (h iptablesHook) ensure() string {
	return fmt.Sprintf("%[1]s -w -C FORWARD%[2]s 2>/dev/null || %[1]s -w -I FORWARD 1%[2]s\n", h.on.command, h.spec())
}

// mustParse reads a rule that we have spelled ourselves.
func mustParse(line string) iptables.Rule {
	r, err := iptables.ParseRule(line)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", line, err))
	}
	return r
}
