package linuxgw

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/google/go-cmp/cmp"
)

// From whatever a table holds, a change leads to the same as writing the whole
// of it, and so does taking the change back.
func TestLabEdit(t *testing.T) {
	lab.Need(t, "nft")
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- a test's choices
	nat := lab.NewNAT(t)
	g := openInside(t, nat.Gateway, "home", "wan0")
	// write changes the table, and takes that back if it is told to.
	write := func(after []entry, back bool) {
		t.Helper()
		n := g.nftables(t)
		generation := guarded.NewGeneration()
		change := n.change(after, generation)
		if n.Exists && len(after) > 0 && strings.Contains(change, "delete table") {
			t.Fatalf("the whole table is written:\n%s", change)
		}
		script := "change=$(mktemp -d)\ntrap 'rm -r \"$change\"' EXIT\ncd \"$change\"\n" + n.snapshot() + "change() {\n" + change + "}\nchange || exit\n"
		if back {
			script += "undo() {\n" + n.undo(after, generation) + "}\nundo || exit\n"
		}
		nat.Gateway.Sh(script)
	}
	var before []entry
	for range 15 {
		after := randomEntries(random)
		was := tableText(nat.Gateway)
		write(after, true)
		if diff := cmp.Diff(was, tableText(nat.Gateway)); diff != "" {
			t.Fatalf("taken back from\n%v\nto\n%v\n(-want +got):\n%s", after, before, diff)
		}
		write(after, false)
		got := tableText(nat.Gateway)
		if len(after) > 0 {
			n := g.nftables(t)
			nat.Gateway.Sh("load() {\n" + n.load(after, n.Generation) + "}\nload\n")
		}
		if diff := cmp.Diff(tableText(nat.Gateway), got); diff != "" {
			t.Fatalf("from\n%v\nto\n%v\n(-want +got):\n%s", before, after, diff)
		}
		before = after
	}
}

// nftables reads the gateway's table.
func (g inside) nftables(t *testing.T) *nftables {
	t.Helper()
	g.plan(t)
	return g.last.filter.(*nftables)
}

// randomEntries gives entries in four places, some of which overlap on the
// machine that they lead to; or none at all.
func randomEntries(random *rand.Rand) []entry {
	var out []entry
	if random.IntN(8) == 0 {
		return out
	}
	sources := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.7/32")}
	sources6 := []netip.Prefix{netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2001:db9::7/128")}
	for place := range 4 {
		first := uint16(7000 + 100*place + random.IntN(3)) // #nosec G115 -- small
		r := plan.Rule{Kind: plan.Forward, Protocol: plan.TCP, Ports: plan.PortRange{First: first, Last: first + uint16(random.IntN(5))}}
		if random.IntN(2) == 0 {
			r.Protocol = plan.UDP
		}
		to, from := []string{lab.SeedboxLAN, lab.DesktopLAN}, sources
		if random.IntN(4) == 0 {
			to, from = []string{lab.SeedboxLAN6}, sources6
		}
		port := first
		if random.IntN(2) == 0 {
			port = 7100
		}
		r.To = netip.AddrPortFrom(netip.MustParseAddr(to[random.IntN(len(to))]), port)
		r.Sources = slices.Clone(from[:random.IntN(3)])
		if random.IntN(4) > 0 {
			out = append(out, entry{r, fmt.Sprintf("btplan:home:bt:%08x", random.IntN(2))})
		}
	}
	if len(out) == 0 {
		return randomEntries(random)
	}
	slices.SortFunc(out, func(a, b entry) int { return a.rule.Compare(b.rule) })
	return out
}

// tableText is our table, in an order of its own.
func tableText(h *lab.Host) []string {
	text := h.Sh("nft list table inet btplan_home 2>/dev/null || echo none")
	var out []string
	block := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, found := strings.CutSuffix(line, " {"); found {
			block = name
		}
		for _, part := range strings.Split(strings.TrimPrefix(line, "elements = { "), ", ") {
			out = append(out, block+": "+strings.TrimRight(part, ", }"))
		}
	}
	slices.Sort(out)
	return out
}
