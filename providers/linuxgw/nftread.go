package linuxgw

import (
	"fmt"
	"maps"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/nft"
)

// readTable reads our table, the home of our forwards.
func (g *gateway) readTable(f *facts, t *netfilter.Table, wan string) (h *holding, err error) {
	n := &nftables{t, wan}
	if n.Hooks, err = f.Hooks(g.names(), nil, netfilter.Forward); err != nil {
		return nil, err
	}
	h = &holding{filter: n, wan: wan, exists: n.Exists, generation: n.Generation}
	if !n.Exists {
		return h, nil
	}
	if err := n.read(h, f.Own); err != nil {
		return nil, n.Senseless(err)
	}
	return h, nil
}

func (n *nftables) read(h *holding, own *nft.Ruleset) error {
	var err error
	if h.entries, err = readEntries(own, n.Table.Table); err != nil {
		return err
	}
	h.blocked = map[string]bool{}
	for _, six := range []bool{false, true} {
		passing, err := readPassing(own, n.Table.Table, six)
		if err != nil {
			return err
		}
		maps.Copy(h.blocked, blockedTargets(passElements(h.entries, six), passing))
	}
	h.drift = n.Drift(own, machinery(hasIPv6(h.entries)), versionsOf(h.entries))
	h.outdated = n.outdated(own)
	n.Hold(own, content(n.wan, n.Generation, h.entries))
	return nil
}

// blockedTargets compares what a passSet holds with what the table's entries
// need. It gives the targets, as passTarget spells them, for which there is a
// difference.
func blockedTargets(needed, passing []string) map[string]bool {
	blocked := map[string]bool{}
	count := map[string]int{}
	for _, e := range needed {
		count[e]++
	}
	for _, e := range passing {
		count[e]--
	}
	for e, n := range count {
		if n != 0 {
			parts := strings.SplitN(e, " . ", 3)
			blocked[parts[0]+" . "+parts[1]] = true
		}
	}
	return blocked
}

// outdated says why our table has to be written again though nobody touched
// it: the configuration names another interface.
func (n *nftables) outdated(own *nft.Ruleset) string {
	set, _ := own.Set(n.Table.Table, wanSet)
	elements, err := set.Elements()
	if err != nil {
		return ""
	}
	if len(elements) == 1 && len(elements[0].Key) == 1 && elements[0].Key[0].From == n.wan {
		return ""
	}
	var names []string
	for _, e := range elements {
		for _, d := range e.Key {
			names = append(names, d.String())
		}
	}
	return fmt.Sprintf("it is for packets from %s; the WAN interface is %s", strings.Join(names, ", "), n.wan)
}
