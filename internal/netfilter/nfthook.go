package netfilter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// nftHook is a hook in one chain of nftables.
type nftHook struct {
	way     Way
	chain   nft.Chain
	comment string
	needed  bool     // the chain may drop packets
	handles []uint64 // of our rules in it
	works   bool     // one of them stands above everything that may drop
}

// findNftHooks looks through the chains of nftables on one way. Those that the
// nft variant of iptables has made are left out if it is our home.
func findNftHooks(rs *nft.Ruleset, way Way, comment string, home *Chains) ([]nftHook, error) {
	var out []nftHook
	for _, c := range rs.Chains {
		if c.Hook != string(way) || c.Type != "filter" || isOurs(c.In()) || !slices.Contains([]string{"ip", "ip6", "inet"}, c.Family) {
			continue
		}
		if home != nil && home.made(way, c) {
			continue
		}
		h := nftHook{way: way, chain: c, comment: comment, needed: c.Policy == "drop"}
		dropSeen := false
		for _, r := range rs.RulesOf(c) {
			switch {
			case r.Comment == comment:
				h.handles = append(h.handles, r.Handle)
				h.works = h.works || !dropSeen
			case strings.HasPrefix(r.Comment, hookPrefix):
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

// made says whether a chain on some way is one of this filter's own, as nft
// sees it.
func (c *Chains) made(way Way, chain nft.Chain) bool {
	four, six := chain.Family == "ip", chain.Family == "ip6" && c.NoIPv6 == ""
	return c.on[0].Variant == ViaNft && (four || six) && chain.Name == way.chain() && (chain.Table == "filter" || chain.Table == "mangle")
}

// sees says whether packets of an IP version come by the chain.
func (h nftHook) sees(six bool) bool {
	return h.chain.Family == "inet" || h.chain.Family == Family(six)
}

// serves says whether packets of these IP versions come by the chain.
func (h nftHook) serves(versions Versions) bool {
	return h.sees(true) && versions.Six || h.sees(false) && versions.Four
}

// mayDrop says whether a rule can end a packet's way, here or in a chain that
// it leads to. In doubt it can: a hook too many does no harm.
func mayDrop(r nft.Rule) bool {
	for _, s := range r.Statements {
		switch s.Name {
		case "xt": // a match or a target of iptables
			var xt struct{ Type, Name string }
			if json.Unmarshal(s.Body, &xt) != nil || xt.Type != "match" && !slices.Contains(harmless, xt.Name) {
				return true
			}
		case "jump": // our chains in iptables drop nothing
			var to struct{ Target string }
			if json.Unmarshal(s.Body, &to) != nil || !isOurChain(to.Target) {
				return true
			}
		case "match", "counter", "log", "limit", "quota", "mangle", "accept", "return", "continue", "notrack", "ct count", "flow", "set", "ct helper", "ct timeout":
		default:
			return true
		}
	}
	return false
}

// render spells the commands of nft that put h right.
func (h nftHook) render(b *strings.Builder, wanted bool) {
	if wanted && h.needed && h.works && len(h.handles) == 1 {
		return
	}
	for _, handle := range h.handles {
		fmt.Fprintf(b, "delete rule %s handle %d\n", h.place(), handle)
	}
	if wanted && h.needed {
		fmt.Fprintf(b, "insert rule %s %s\n", h.place(), h.rule())
	}
}

// undo spells a shell command that prints the command of nft that takes back
// what render has done.
func (h nftHook) undo() string {
	place := h.place()
	switch {
	case h.needed && len(h.handles) == 0: // the change has made it
		return fmt.Sprintf("nft -a list chain %s 2>/dev/null | sed -n 's/.* comment \"%s\" # handle \\([0-9]*\\)$/delete rule %s handle \\1/p'\n",
			place, h.comment, strings.ReplaceAll(place, "/", `\/`))
	case h.works: // the change may have removed it
		return fmt.Sprintf("%s || echo 'insert rule %s %s'\n", h.isThere(), place, h.rule())
	}
	return ""
}

// ensure spells the shell command that inserts h unless it is there.
func (h nftHook) ensure() string {
	return fmt.Sprintf("%s || nft 'insert rule %s %s' 2>/dev/null\n", h.isThere(), h.place(), h.rule())
}

func (h nftHook) isThere() string {
	return fmt.Sprintf("nft -a list chain %s 2>/dev/null | grep -q ' comment \"%s\" # handle'", h.place(), h.comment)
}

// place is the chain as nft's commands name it.
func (h nftHook) place() string { return h.chain.Family + " " + h.chain.Table + " " + h.chain.Name }

// rule is the rule that lets marked packets pass.
func (h nftHook) rule() string {
	return fmt.Sprintf("meta mark and %s == %s accept comment %s", PassMark, PassMark, nft.Quote(h.comment))
}
