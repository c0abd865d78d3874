package netfilter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// Hooks are what our rules need in the chains of others that may drop their
// packets: in each a rule that accepts those we marked. When several filters
// drop, each gets its hook.
type Hooks struct {
	nft      []nftHook
	iptables []iptablesHook
}

// Hooks looks through all the chains on these ways, but for those of the filter
// that is our home (nil: a table of nftables) which lead to us.
func (f *Facts) Hooks(names Names, home *Chains, ways ...Way) (Hooks, error) {
	comment := names.hookComment()
	var out Hooks
	for _, way := range ways {
		if f.Ruleset != nil {
			found, err := findNftHooks(f.Ruleset, way, comment, home)
			if err != nil {
				return out, err
			}
			out.nft = append(out.nft, found...)
		}
		for on, save := range f.Listed() {
			isHome := home != nil && home.program(on.Six) == on
			// What nft lists is nft's to hook.
			if on.Variant == ViaNft && f.Ruleset != nil && !isHome {
				continue
			}
			out.iptables = append(out.iptables, findIptablesHooks(way, on, save, comment, isHome)...)
		}
	}
	return out, nil
}

// Needed says whether any filter on a way has to be told by the mark of packets
// of this IP version.
func (hs Hooks) Needed(way Way, six bool) bool {
	return slices.ContainsFunc(hs.nft, func(h nftHook) bool { return h.way == way && h.needed && h.sees(six) }) ||
		slices.ContainsFunc(hs.iptables, func(h iptablesHook) bool { return h.way == way && h.needed && h.on.Six == six })
}

// Before gives the chains of nftables on a way that come before a priority and
// may drop packets of these IP versions. A mark that is set at that priority
// comes too late for the hooks in them.
func (hs Hooks) Before(way Way, priority int, versions Versions) []nft.Chain {
	var out []nft.Chain
	for _, h := range hs.nft {
		if h.way == way && h.needed && h.serves(versions) && h.chain.Priority < priority {
			out = append(out, h.chain)
		}
	}
	return out
}

// drift says which hook is not as it has to be.
func (hs Hooks) drift(versions Versions) string {
	const drops = "%s drops its packets: btplan's rule in it is missing or too far down"
	for _, h := range hs.nft {
		if h.needed && !h.works && h.serves(versions) {
			return fmt.Sprintf(drops, h.chain)
		}
	}
	for _, h := range hs.iptables {
		if h.needed && !h.works && h.serves(versions) {
			return fmt.Sprintf(drops, h)
		}
	}
	return ""
}

// setHooks spells the commands that put hooks in iptables right.
func setHooks(list []iptablesHook, versions Versions) string {
	var b strings.Builder
	for _, h := range list {
		b.WriteString(h.set(h.serves(versions)))
	}
	return b.String()
}

// ensure spells the commands that make the hooks be there, whether or not
// they are. At boot the chains of others may be there or not.
func (hs Hooks) ensure(versions Versions) string {
	var b strings.Builder
	for _, h := range hs.nft {
		if h.needed && h.serves(versions) {
			b.WriteString(h.ensure())
		}
	}
	for _, h := range hs.iptables {
		if h.needed && h.serves(versions) {
			b.WriteString(h.ensure())
		}
	}
	return b.String()
}
