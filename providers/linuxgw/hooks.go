package linuxgw

import (
	"fmt"
	"strings"
)

// A hook is what our rules need in one chain of somebody else that may drop
// forwarded packets: a rule that accepts those we marked. An accept in our own
// table or chain would be of no use, since each filter's chains get to drop a
// packet. When several filters drop, each gets its hook.

// passMark is the one bit of the packet mark by which our rules tell other
// people's chains to let a packet pass.
const passMark = "0x10000000"

// hookComment marks the hooks of one project.
func hookComment(project string) string { return hookPrefix + project }

const hookPrefix = "btplan:hook:"

// hooks are those in all the filters that a gateway has, apart from the chain
// of the filter that is our home, if that leads to us anyway.
type hooks struct {
	nft      []nftHook
	iptables []iptablesHook
}

// findHooks looks through all the chains that see forwarded packets, but for those of the variant of iptables that is our home (nil: none is).
func findHooks(g *gateway, f *facts, home *variant) (hooks, error) {
	comment := hookComment(g.project)
	var out hooks
	var err error
	if f.ruleset != nil {
		out.nft, err = findNftHooks(f.ruleset, comment, home != nil && *home == viaNft)
	}
	for _, v := range []variant{viaNft, legacy} {
		// What nft lists is nft's to hook.
		if home != nil && *home == v || v == viaNft && f.ruleset != nil {
			continue
		}
		if save := f.saves[v]; save != nil {
			out.iptables = append(out.iptables, findIptablesHooks(f.commands[v], save, comment)...)
		}
	}
	return out, err
}

// needed says whether any filter has to be told by the mark.
func (hs hooks) needed() bool {
	for _, h := range hs.nft {
		if h.needed {
			return true
		}
	}
	for _, h := range hs.iptables {
		if h.needed {
			return true
		}
	}
	return false
}

// drift says which hook is not as it has to be.
func (hs hooks) drift(entries []entry) string {
	const drops = "%s drops its packets: btplan's rule in it is missing or too far down"
	for _, h := range hs.nft {
		if h.needed && !h.works && h.serves(entries) {
			return fmt.Sprintf(drops, h.chain)
		}
	}
	for _, h := range hs.iptables {
		if h.needed && !h.works && hasIPv4(entries) {
			return fmt.Sprintf(drops, h)
		}
	}
	return ""
}

// setHooks spells the commands that put hooks in iptables right.
func setHooks(list []iptablesHook, entries []entry) string {
	var b strings.Builder
	for _, h := range list {
		b.WriteString(h.set(hasIPv4(entries)))
	}
	return b.String()
}

// ensure spells the commands that make the hooks be there, whether or not
// they are. At boot the chains of others may be there or not.
func (hs hooks) ensure(entries []entry) string {
	var b strings.Builder
	for _, h := range hs.nft {
		if h.needed && h.serves(entries) {
			b.WriteString(h.ensure())
		}
	}
	for _, h := range hs.iptables {
		if h.needed && hasIPv4(entries) {
			b.WriteString(h.ensure())
		}
	}
	return b.String()
}
