package linuxgw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// hook is what our table needs in one chain of somebody else: a rule that
// accepts the packets we marked. An accept in our own table would be of no
// use, since each table's chains get to drop a packet.
type hook struct {
	chain   nft.Chain
	needed  bool     // the chain may drop forwarded packets
	handles []uint64 // of our rules in it
	works   bool     // one of them stands above everything that may drop
}

// hookComment marks the hooks of one project.
func hookComment(project string) string { return "btplan:hook:" + project }

// serves says whether packets of some of these entries come by the chain.
func (h hook) serves(entries []entry) bool {
	return h.chain.Family != "ip" && hasIPv6(entries) || h.chain.Family != "ip6" && hasIPv4(entries)
}

// findHooks looks through all the chains that see forwarded packets.
func findHooks(rs *nft.Ruleset, comment string) ([]hook, error) {
	var out []hook
	for _, c := range rs.Chains {
		if c.Hook != "forward" || c.Type != "filter" || isOurs(c.In()) || !slices.Contains([]string{"ip", "ip6", "inet"}, c.Family) {
			continue
		}
		h := hook{chain: c, needed: c.Policy == "drop"}
		dropSeen := false
		for _, r := range rs.RulesOf(c) {
			switch {
			case r.Comment == comment:
				h.handles = append(h.handles, r.Handle)
				h.works = h.works || !dropSeen
			case strings.HasPrefix(r.Comment, "btplan:hook:"):
				// Another project's hook drops nothing.
			case mayDrop(r):
				dropSeen, h.needed = true, true
			}
		}
		if !h.needed && len(h.handles) == 0 {
			continue
		}
		for _, name := range []string{c.Table, c.Name} {
			if err := nft.CheckName(name); err != nil {
				return nil, fmt.Errorf("%s needs a rule of btplan, but %w", c, err)
			}
		}
		out = append(out, h)
	}
	return out, nil
}

// isOurs says whether a table is that of any project of btplan.
func isOurs(t nft.Table) bool {
	return t.Family == "inet" && strings.HasPrefix(t.Name, tablePrefix)
}

// mayDrop says whether a rule can end a packet's way, here or in a chain that
// it leads to. In doubt it can: a hook too many does no harm.
func mayDrop(r nft.Rule) bool {
	for _, s := range r.Statements {
		switch s.Name {
		case "match", "counter", "log", "limit", "quota", "mangle", "accept", "return", "continue", "notrack", "ct count", "flow", "set", "ct helper", "ct timeout":
		default:
			return true
		}
	}
	return false
}

// render spells the commands that put h right.
func (h hook) render(b *strings.Builder, comment string, wanted bool) {
	if wanted && h.needed && h.works && len(h.handles) == 1 {
		return
	}
	place := h.place()
	for _, handle := range h.handles {
		fmt.Fprintf(b, "delete rule %s handle %d\n", place, handle)
	}
	if wanted && h.needed {
		fmt.Fprintf(b, "insert rule %s %s\n", place, hookRule(comment))
	}
}

// place is the chain as nft's commands name it.
func (h hook) place() string { return h.chain.Family + " " + h.chain.Table + " " + h.chain.Name }

// hookRule is the rule that lets marked packets pass.
func hookRule(comment string) string {
	return fmt.Sprintf("meta mark and %s == %s accept comment %s", passMark, passMark, nft.Quote(comment))
}
