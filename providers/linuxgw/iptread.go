package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
)

// readChains reads our chains, the home of our forwards.
func (g *gateway) readChains(f *facts, own *netfilter.Chains, wan string) (h *holding, err error) {
	c := &chains{own, wan}
	h = &holding{filter: c, wan: wan, exists: c.Exists(), generation: c.Generation()}
	if c.Hooks, err = f.Hooks(g.names(), own, netfilter.Forward); err != nil || !h.exists {
		return h, err
	}
	if h.entries, err = c.readForwards(); err != nil {
		return nil, err
	}
	was := *c // to compare with, for another interface is nobody's mistake
	if pre, found := c.In(netfilter.TableID{Name: "nat"}).Chain(c.Chain(preChain)); found && len(pre.Rules) > 0 {
		if iface := pre.Rules[0].Value("-i"); interfaceName.MatchString(iface) && iface != wan {
			was.wan = iface
			h.outdated = fmt.Sprintf("it is for packets from %s; the WAN interface is %s", iface, wan)
		}
	}
	h.blocked = map[string]bool{}
	h.drift = was.Drift(was.want(h.entries, ""), versionsOf(h.entries), h.compare)
	return h, nil
}

// compare says whether a chain of ours is as it has to be, but for rules of
// which it is plain whose packets they concern: that is noted. The chain of the
// DNAT isn't compared, since what it has to be is read from it.
func (h *holding) compare(k netfilter.Kind, has iptables.Chain, want []string) bool {
	count := map[string]int{}
	rules := map[string]iptables.Rule{}
	for _, spec := range want {
		r := netfilter.MustParse("-A " + has.Name + spec)
		rules[r.Canonical()] = r
		count[r.Canonical()]++
	}
	for _, r := range has.Rules {
		rules[r.Canonical()] = r
		count[r.Canonical()]--
	}
	switch k.Name {
	case dnatChain:
		return true
	case preChain:
		return slices.EqualFunc(has.Rules, want, func(r iptables.Rule, spec string) bool {
			return r.Same(netfilter.MustParse("-A " + has.Name + spec))
		})
	}
	for key, n := range count {
		if n == 0 {
			continue
		}
		machine := rules[key].Value("-d")
		if rules[key].Value("--ctdir") == "REPLY" {
			machine = rules[key].Value("-s")
		}
		p, err := netip.ParsePrefix(machine)
		if err != nil || !p.IsSingleIP() {
			return false
		}
		h.blocked[passTarget(p.Addr(), plan.Protocol(rules[key].Value("-p")))] = true
	}
	return true
}
