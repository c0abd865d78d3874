package linuxgw

import (
	"fmt"
	"slices"
	"strings"
)

// A hook is what our rules need in one chain of somebody else that may drop
// forwarded packets: a rule that accepts those we marked. An accept in our own
// table or chain would be of no use, since each filter's chains get to drop a
// packet. When several filters drop, each gets its hook.

// passMark is the one bit of the packet mark by which our rules tell other
// people's chains to let a packet pass.
const passMark = "0x10000000"

// hairpinMark is the bit by which packets that have come from inside are known
// again when they go out: the interface that a packet came in by is forgotten
// by then on kernels before 5.7.
const hairpinMark = "0x20000000"

// hookComment marks the hooks of one project.
func hookComment(project string) string { return hookPrefix + project }

const hookPrefix = "btplan:hook:"

// hooks are those in all the filters that a gateway has, apart from the chain
// of the filter that is our home, if that leads to us anyway.
type hooks struct {
	nft      []nftHook
	iptables []iptablesHook
}

// findHooks looks through all the chains that see forwarded packets, but for
// those of the filter that is our home (nil: a table of nftables) which lead to
// us.
func findHooks(g *gateway, f *facts, home *ownChains) (hooks, error) {
	comment := hookComment(g.project)
	var out hooks
	var err error
	if f.ruleset != nil {
		out.nft, err = findNftHooks(f.ruleset, comment, home)
	}
	for on, save := range f.listed() {
		isHome := home != nil && home.program(on.six) == on
		// What nft lists is nft's to hook.
		if on.variant == viaNft && f.ruleset != nil && !isHome {
			continue
		}
		out.iptables = append(out.iptables, findIptablesHooks(on, save, comment, isHome)...)
	}
	return out, err
}

// needed says whether any filter has to be told by the mark of packets of this
// IP version.
func (hs hooks) needed(six bool) bool {
	return slices.ContainsFunc(hs.nft, func(h nftHook) bool { return h.needed && h.sees(six) }) ||
		slices.ContainsFunc(hs.iptables, func(h iptablesHook) bool { return h.needed && h.on.six == six })
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
		if h.needed && !h.works && h.serves(entries) {
			return fmt.Sprintf(drops, h)
		}
	}
	return ""
}

// setHooks spells the commands that put hooks in iptables right.
func setHooks(list []iptablesHook, entries []entry) string {
	var b strings.Builder
	for _, h := range list {
		b.WriteString(h.set(h.serves(entries)))
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
		if h.needed && h.serves(entries) {
			b.WriteString(h.ensure())
		}
	}
	return b.String()
}
