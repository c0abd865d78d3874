package netfilter

import (
	"fmt"
	"slices"

	"github.com/btplan/btplan/internal/iptables"
)

// iptablesHook is a hook in one built-in chain of one variant of iptables, for
// one IP version.
type iptablesHook struct {
	way     Way
	on      Program
	table   string
	comment string
	needed  bool // the chain may drop packets
	count   int  // of our rules in it
	works   bool // one of them stands above everything that may drop
	at      int  // where it has to be inserted
}

// findIptablesHooks gives the hooks in the chains on one way that have one or
// need one. At home the one in filter leads to us anyway; and in mangle our
// rules that mark packets have to come before.
func findIptablesHooks(way Way, on Program, s *iptables.Save, comment string, isHome bool) []iptablesHook {
	var out []iptablesHook
	for _, table := range []string{"mangle", "filter"} {
		if isHome && table == "filter" {
			continue
		}
		h := iptablesHook{way: way, on: on, table: table, comment: comment, at: 1}
		if isHome {
			h.at = 2
		}
		if h.find(s.Table(table)); h.needed || h.count > 0 {
			out = append(out, h)
		}
	}
	return out
}

// find looks through the chain.
func (h *iptablesHook) find(t iptables.Table) {
	c, found := t.Chain(h.way.chain())
	if !found {
		return
	}
	h.needed = c.Policy != "ACCEPT"
	want := MustParse("-A " + h.way.chain() + h.spec())
	dropSeen := false
	for _, r := range c.Rules {
		switch {
		case r.Same(want):
			h.count++
			h.works = h.works || !dropSeen
		case r.Comment() == h.comment: // which leads to our chain
		case stops(t, r, passTargets):
			dropSeen, h.needed = true, true
		case h.table == "mangle" && !dropSeen:
			h.at++ // what it does to packets, such as to clamp their MSS, it goes on doing
		}
	}
}

// serves says whether packets of these IP versions come by the chain.
func (h iptablesHook) serves(versions Versions) bool { return versions.of(h.on.Six) }

// harmless are the targets of iptables after which a packet goes on to the
// next rule.
var harmless = []string{"", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "CONNSECMARK", "SECMARK", "TCPMSS", "CLASSIFY", "CT", "NOTRACK", "TTL", "TOS", "DSCP", "ECN", "SET", "ACCOUNT", "TRACE", "FLOWOFFLOAD"}

// passTargets are those with which a packet passes a built-in chain.
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
	return fmt.Sprintf("chain %s of table %s of %s", h.way.chain(), h.table, h.on.Command)
}

// spec is the rule that lets marked packets pass.
func (h iptablesHook) spec() string {
	return fmt.Sprintf(" -m mark --mark %s/%s -m comment --comment %s -j ACCEPT", PassMark, PassMark, iptables.Quote(h.comment))
}

// set spells the commands that put h right.
func (h iptablesHook) set(wanted bool) string {
	wanted = wanted && h.needed
	if wanted && h.works && h.count == 1 || !wanted && h.count == 0 {
		return ""
	}
	lines := "*" + h.table + "\n"
	for range h.count {
		lines += "-D " + h.way.chain() + h.spec() + "\n"
	}
	if wanted {
		lines += fmt.Sprintf("-I %s %d%s\n", h.way.chain(), h.at, h.spec())
	}
	return fmt.Sprintf("%s <<'END' || return\n%sCOMMIT\nEND\n", h.on.restore(), lines)
}

// undo spells the commands that take back what set has done.
func (h iptablesHook) undo() string {
	switch {
	case h.needed && h.count == 0: // the change has made it
		return h.command("-D") + h.spec() + " 2>/dev/null\n"
	case h.works: // the change may have removed it
		return h.ensure()
	}
	return ""
}

// ensure spells the command that inserts h unless it is there: at the top, where
// the chain has become too short for its place.
func (h iptablesHook) ensure() string {
	insert := fmt.Sprintf("%s %d%s", h.command("-I"), h.at, h.spec())
	if h.at > 1 {
		insert = fmt.Sprintf("%s 2>/dev/null || %s 1%s", insert, h.command("-I"), h.spec())
	}
	return fmt.Sprintf("%s%s 2>/dev/null || %s\n", h.command("-C"), h.spec(), insert)
}

// command begins a command that does something to the chain.
func (h iptablesHook) command(do string) string {
	return fmt.Sprintf("%s -w -t %s %s %s", h.on.Command, h.table, do, h.way.chain())
}
