package linuxgw

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
)

// clean takes all rules off a gateway, and makes "iptables" one variant.
func clean(variant string) string {
	return `umount /usr/sbin/nft 2>/dev/null || true
nft flush ruleset
for v in ip ip6; do
	for t in $(cat /proc/net/${v}_tables_names); do ${v}tables-legacy -t $t -F; ${v}tables-legacy -t $t -X; done
	if [ "$(cat /proc/net/${v}_tables_names)" ]; then ${v}tables-legacy -P FORWARD ACCEPT; ${v}tables-legacy -t mangle -P FORWARD ACCEPT; fi
	for p in tables tables-save tables-restore; do
		ln -sf "/usr/sbin/${v}tables-` + variant + `${p#tables}" /etc/alternatives/$v$p
	done
done
`
}

// dropping makes rules that let nothing in, as they are made with iptables.
func dropping(variant string) string {
	return fmt.Sprintf(`for I in iptables-%[1]s ip6tables-%[1]s; do
	$I -P FORWARD DROP
	$I -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	$I -A FORWARD -i lan0 -o wan0 -j ACCEPT
done
iptables-%[1]s -t nat -A POSTROUTING -o wan0 -j MASQUERADE
`, variant)
}

// filterOf is the part of dropping that makes the rules of the table filter.
func filterOf(script string) string {
	before, _, _ := strings.Cut(script, "done\n")
	return before + "done\n"
}

const (
	// withoutNft takes nft away from the gateway.
	withoutNft = "mount --bind /dev/null /usr/sbin/nft\n"
	// nftDrops is one more filter that drops.
	nftDrops = `nft -f - <<'N'
table inet other { chain forward { type filter hook forward priority 10; policy drop;
	ct state established accept
	iifname lan0 accept
}; }
N
`
)

// dump is all the rules of iptables that the gateway has, of both variants, but
// for counters, and for tables and chains that hold nothing.
func dump(h *lab.Host) string {
	var lines []string
	for line := range strings.Lines(h.Sh("for v in ip ip6; do ${v}tables-nft-save; ${v}tables-legacy-save; done")) {
		if strings.HasPrefix(line, "-A") || strings.HasPrefix(line, ":") && !strings.Contains(line, " ACCEPT ") {
			if line[0] == ':' {
				line, _, _ = strings.Cut(line, " [")
			}
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n")
}

func sameDump(t *testing.T, h *lab.Host, before string) {
	t.Helper()
	if after := dump(h); after != before {
		t.Errorf("the gateway has\n%s\nand had\n%s", after, before)
	}
}

func TestLabIptablesSuite(t *testing.T) {
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, "iptables-nft", "iptables-legacy")
			nat := lab.NewNAT(t)
			providertest.Run(t, providertest.Suite{
				Kind:     plan.Forward,
				Machines: [2]netip.Addr{netip.MustParseAddr(lab.SeedboxLAN), netip.MustParseAddr(lab.DesktopLAN)},
				New: func(*testing.T) *providertest.Bench {
					nat.Gateway.Sh(clean(variant) + dropping(variant) + withoutNft)
					return &providertest.Bench{
						Addr: openInside(t, nat.Gateway, "home", "wan0").addr,
						Open: func(t *testing.T, project string) providers.Device {
							return openInside(t, nat.Gateway, project, "wan0")
						},
						AddForeign: func(_ *testing.T, r plan.Rule) {
							nat.Gateway.Sh(fmt.Sprintf(`iptables -t nat -A PREROUTING -i wan0 -p %s --dport %s -j DNAT --to-destination %s:%d`,
								r.Protocol, netfilter.Colon(r.Ports.String()), r.To.Addr(), r.To.Port()))
						},
						Tamper: func(*testing.T) { nat.Gateway.Sh("iptables -t nat -D BTPLAN-DNAT-home 1") },
						Dump:   func(*testing.T) string { return dump(nat.Gateway) },
					}
				},
			})
		})
	}
}

func TestLabIptablesDrift(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy")
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			nat.Seedbox.Listen("tcp", 6889)
			nat.Seedbox.Listen("udp", 7001)
			g := openInside(t, nat.Gateway, "home", "wan0")
			rules := []plan.Rule{
				forward(t, plan.TCP, "6881-6889", lab.SeedboxLAN+":6881"), forward(t, plan.UDP, "7000", lab.SeedboxLAN+":7001"),
				forward(t, plan.TCP, "6881-6889", "["+lab.SeedboxLAN6+"]:6881"), forward(t, plan.UDP, "7000", "["+lab.SeedboxLAN6+"]:7001"),
			}
			for name, test := range map[string]struct {
				script string
				action plan.Action
				drift  string // part of what is said
			}{
				"way in deleted":      {`iptables -D FORWARD -m comment --comment btplan:hook:home -j BTPLAN-FWD-home`, plan.Update, "rule of chain FORWARD of table filter that leads to BTPLAN-FWD-home is missing"},
				"drop above it":       {`iptables -I FORWARD -i wan0 -j DROP`, plan.Update, "too far down"},
				"drop in a chain":     {`iptables -N no; iptables -A no -j REJECT; iptables -I FORWARD -j no`, plan.Update, "too far down"},
				"accept above it":     {`iptables -N yes; iptables -A yes -j ACCEPT; iptables -I FORWARD -i lan0 -j yes`, plan.NoOp, ""},
				"way to DNAT deleted": {`iptables -t nat -F PREROUTING`, plan.Update, "chain PREROUTING"},
				"DNAT above it":       {`iptables -t nat -I PREROUTING -d 192.0.2.1 -j ACCEPT`, plan.Update, "chain PREROUTING"},
				"hairpin deleted":     {`iptables -t nat -F POSTROUTING`, plan.Update, "chain POSTROUTING"},
				"accepts flushed":     {`iptables -F BTPLAN-FWD-home`, plan.Update, "which of its packets may pass"},
				"one accept changed":  {`iptables -R BTPLAN-FWD-home 1 -d 192.168.77.11 -p tcp --dport 6881 -j ACCEPT`, plan.Update, "which of its packets may pass"},
				"accept changed":      {`iptables -R BTPLAN-FWD-home 1 -p tcp --dport 6881:6889 -j ACCEPT`, plan.Update, "the rules of chain BTPLAN-FWD-home of table filter"},
				"IPv6 way in deleted": {`ip6tables -D FORWARD 1`, plan.Update, "rule of chain FORWARD of table filter (IPv6) that leads to BTPLAN-FWD-home is missing"},
				"IPv6 accept deleted": {`ip6tables -D BTPLAN-FWD-home 1`, plan.Update, "changed on the gateway"},
				"IPv6 reply deleted":  {`ip6tables -D BTPLAN-FWD-home -s ` + lab.SeedboxLAN6 + ` -p tcp -m conntrack --ctdir REPLY -m tcp --sport 6881:6889 -j ACCEPT`, plan.Update, "which of its packets may pass"},
				"IPv6 reloaded":       {`ip6tables -F; ip6tables -X; ip6tables -t nat -F; ip6tables -t nat -X`, plan.Update, "changed on the gateway"},
				"IPv6 half deleted":   {`for c in $(ip6tables -S | sed -n 's/^-N \(BTPLAN-[0-9a-f]*-.*\)/\1/p'); do ip6tables -X $c; done`, plan.Update, "table filter (IPv6) was not written together"},
				"a rule deleted":      {`iptables -t nat -D BTPLAN-DNAT-home 2`, plan.Update, "changed on the gateway"},
				"chain deleted":       {`iptables -t nat -F POSTROUTING; iptables -t nat -F BTPLAN-POST-home; iptables -t nat -X BTPLAN-POST-home`, plan.Update, "chain BTPLAN-POST-home of table nat is missing"},
				"filter reloaded":     {`iptables -F; iptables -X`, plan.Update, "chain BTPLAN-FWD-home of table filter is missing"},
				"all reloaded":        {clean(variant) + dropping(variant) + withoutNft, plan.Create, ""},
				"generation deleted":  {`for c in $(iptables -S | sed -n 's/^-N \(BTPLAN-[0-9a-f]*-.*\)/\1/p'); do for I in iptables ip6tables; do $I -X $c; $I -t nat -X $c; done; done`, plan.NoOp, ""},
				"half deleted":        {`for c in $(iptables -S | sed -n 's/^-N \(BTPLAN-[0-9a-f]*-.*\)/\1/p'); do iptables -X $c; done`, plan.Update, "not written together"},
				"interface changed":   {`iptables -t nat -R BTPLAN-PRE-home 1 -i ppp7 -m addrtype --dst-type LOCAL -j BTPLAN-DNAT-home`, plan.Update, "the rules of chain BTPLAN-PRE-home"},
			} {
				t.Run(name, func(t *testing.T) {
					nat.Gateway.Sh(clean(variant) + dropping(variant) + withoutNft)
					g.make(t, rules...)
					nat.Gateway.Sh(test.script)
					p := g.plan(t, rules...)
					if len(p.Resources) != 1 || p.Resources[0].Action != test.action {
						t.Fatalf("planned %+v, want %s", p.Resources, test.action)
					}
					said := ""
					for _, c := range p.Resources[0].Changes {
						said += c.Because
					}
					if (said == "") != (test.drift == "") || !strings.Contains(said, test.drift) {
						t.Errorf("said %q, want %q", said, test.drift)
					}
					g.make(t, rules...)
					passes(t, nat.Client, "tcp", 6889, "seedbox tcp 6889 from "+lab.ClientWAN)
					passes6(t, nat.Client, "tcp", 6889, "seedbox tcp 6889 from "+lab.ClientWAN6)
					passes6(t, nat.Client, "udp", 7000, "seedbox udp 7001 from "+lab.ClientWAN6)
				})
			}
			t.Run("another interface configured", func(t *testing.T) {
				nat.Gateway.Sh(clean(variant) + dropping(variant) + withoutNft)
				openInside(t, nat.Gateway, "home", "ppp7").make(t, rules...)
				p := g.plan(t, rules...)
				if said := p.Resources[0].Changes[0].Because; !strings.Contains(said, "it is for packets from ppp7") || p.Resources[0].Drift {
					t.Errorf("said %q, drift %t", said, p.Resources[0].Drift)
				}
			})
		})
	}
}

// What a change has done is taken back, be it whole or half.
func TestLabIptablesUndo(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy")
	for name, script := range map[string]string{
		"nft":           clean("nft") + dropping("nft") + withoutNft,
		"legacy":        clean("legacy") + dropping("legacy") + withoutNft,
		"several hooks": clean("legacy") + dropping("nft") + dropping("legacy") + nftDrops,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			nat.Gateway.Sh(script)
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.backend = netfilter.Iptables
			all := func() string {
				if strings.Contains(script, withoutNft) {
					return dump(nat.Gateway)
				}
				return dump(nat.Gateway) + nat.Gateway.Sh("nft list table inet other")
			}
			one := []plan.Rule{forward(t, plan.TCP, "6881-6889", lab.SeedboxLAN+":6881")}
			two := []plan.Rule{forward(t, plan.TCP, "6885", lab.DesktopLAN+":6885"), forward(t, plan.UDP, "7000-7009", lab.SeedboxLAN+":8000")}
			six := []plan.Rule{forward(t, plan.TCP, "6885", "["+lab.DesktopLAN6+"]:6885"), forward(t, plan.UDP, "7000-7009", "["+lab.SeedboxLAN6+"]:8000")}
			both := slices.Concat(two, six)
			for _, step := range []struct {
				name      string
				from, to  []plan.Rule
				meanwhile string // what keeps the change from being made whole
			}{
				{"create", nil, one, ""},
				{"update", one, two, ""},
				{"IPv6 comes", two, both, ""},
				{"IPv4 goes", both, six, ""},
				{"destroy", six, nil, ""},
				{"half a create", nil, one, "iptables -t nat -N BTPLAN-PRE-home"},
				{"half an update", one, two, "for c in $(iptables -t nat -S | sed -n 's/^-N \\(BTPLAN-[0-9a-f]*-.*\\)/\\1/p'); do iptables -t nat -E $c BTPLAN-OTHER; done"},
				{"IPv6 half", one, both, "ip6tables -t nat -N BTPLAN-DNAT-home"},
				{"IPv6 goes but for a half", both, one, "for c in $(ip6tables -t nat -S | sed -n 's/^-N \\(BTPLAN-[0-9a-f]*-.*\\)/\\1/p'); do ip6tables -t nat -E $c BTPLAN-OTHER; done"},
			} {
				g.make(t, step.from...)
				p := g.plan(t, step.to...)
				changes := p.Pending()[0].Changes
				entries, err := g.last.changed(g.project, changes)
				if err != nil {
					t.Fatal(err)
				}
				generation := guarded.NewGeneration()
				change := g.device.Script(g.guardedChange(g.last, changes, entries, generation))
				if step.meanwhile != "" {
					// In the moment behind the comparison.
					change = strings.Replace(change, "command -v sha256sum", "false", 1)
					nat.Gateway.Sh(step.meanwhile)
				}
				before := all()
				if step.meanwhile == "" {
					nat.Gateway.Sh("set +e\n" + change)
					if all() == before {
						t.Errorf("%s: nothing has changed", step.name)
					}
					nat.Gateway.Sh(guarded.UndoNow(generation))
				} else if out, err := nat.Gateway.Try("sh", "-c", change); err == nil {
					t.Errorf("%s: the change was made: %s", step.name, out)
				}
				if after := all(); after != before {
					t.Errorf("%s: the gateway has\n%s\nand had\n%s", step.name, after, before)
				}
				nat.Gateway.Sh("! ls /run/btplan/*")
				if step.meanwhile != "" {
					nat.Gateway.Sh(strings.ReplaceAll(script, withoutNft, "") + "for I in iptables ip6tables; do $I -t nat -F; $I -t nat -X; $I -F; $I -X; done\n" + script)
				}
			}
		})
	}
}

func TestLabIptablesBoot(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy")
	for name, script := range map[string]string{
		"nft":           clean("nft") + dropping("nft") + withoutNft,
		"legacy":        clean("legacy") + dropping("legacy") + withoutNft,
		"several hooks": clean("legacy") + dropping("nft") + dropping("legacy") + nftDrops,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			nat.Seedbox.Listen("tcp", 6885)
			nat.Gateway.Sh(script)
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.backend = netfilter.Iptables
			rules := []plan.Rule{
				forward(t, plan.TCP, "6881-6889", lab.SeedboxLAN+":6881"), forward(t, plan.UDP, "7000-7009", lab.SeedboxLAN+":8000"),
				forward(t, plan.TCP, "6881-6889", "["+lab.SeedboxLAN6+"]:6881"), forward(t, plan.TCP, "16885", "["+lab.SeedboxLAN6+"]:6885"),
			}
			g.make(t, rules[0])
			older := g.last.bootText(g.last.entries, g.last.generation)
			g.make(t, rules...)
			boot, before := g.last.bootText(g.last.entries, g.last.generation), dump(nat.Gateway)
			for what, then := range map[string]string{
				"after a boot":         script + boot,
				"again":                boot,
				"after a reload":       "iptables -F FORWARD\nip6tables -F FORWARD\n" + filterOf(dropping(name)) + boot,
				"over others of ours":  older + boot,
				"after a boot, again ": script + boot + boot,
			} {
				if strings.Contains(what, "reload") && name == "several hooks" {
					continue
				}
				nat.Gateway.Sh("set +e\n" + then)
				if left := g.plan(t, rules...).Pending(); len(left) > 0 {
					t.Errorf("%s there is to do: %+v", what, left)
				}
				passes(t, nat.Client, "tcp", 6885, "seedbox tcp 6885 from "+lab.ClientWAN)
				passes6(t, nat.Client, "tcp", 6885, "seedbox tcp 6885 from "+lab.ClientWAN6)
				passes6(t, nat.Client, "tcp", 16885, "seedbox tcp 6885 from "+lab.ClientWAN6)
				if after := dump(nat.Gateway); after != before {
					t.Errorf("%s the gateway has\n%s\nand had\n%s", what, after, before)
				}
			}
		})
	}
}

// A chain in which packets are marked may drop them too. What it does to those
// that it lets pass, it goes on doing.
func TestLabIptablesMangle(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	for name, test := range map[string]struct{ variant, then string }{
		"nft":        {"nft", withoutNft},
		"legacy":     {"legacy", withoutNft},
		"nft is too": {"nft", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			nat.Seedbox.Listen("tcp", 6881, 6882)
			nat.Gateway.Sh(clean(test.variant) + `for I in iptables ip6tables; do
	$I -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1111
	$I -t mangle -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
	$I -t mangle -A FORWARD -i wan0 -j DROP
done
` + test.then)
			before := dump(nat.Gateway)
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.backend = netfilter.Iptables
			rules := []plan.Rule{forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"), forward(t, plan.TCP, "6881", "["+lab.SeedboxLAN6+"]:6881")}
			check := func(when string) {
				t.Helper()
				passes(t, nat.Client, "tcp", 6881, "seedbox tcp 6881 from "+lab.ClientWAN)
				passes6(t, nat.Client, "tcp", 6881, "seedbox tcp 6881 from "+lab.ClientWAN6)
				passes6(t, nat.Client, "tcp", 6882, "")
				for _, command := range []string{"iptables", "ip6tables"} {
					chain := nat.Gateway.Sh(command + " -t mangle -S FORWARD")
					order := []int{strings.Index(chain, "BTPLAN-MARK-home"), strings.Index(chain, "TCPMSS"), strings.Index(chain, "-j ACCEPT"), strings.Index(chain, "-j DROP")}
					if !slices.IsSorted(order) || order[0] < 0 || strings.Count(chain, "btplan:hook:home") != 2 {
						t.Errorf("%s: chain FORWARD of mangle is in the wrong order:\n%s", when, chain)
					}
				}
			}
			g.make(t, rules...)
			check("created")
			for _, command := range []string{"iptables", "ip6tables"} {
				nat.Gateway.Sh(command + " -t mangle -D FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment btplan:hook:home -j ACCEPT")
				if p := g.plan(t, rules...); len(p.Pending()) != 1 || !strings.Contains(p.Resources[0].Changes[0].Because, "chain FORWARD of table mangle of "+command) {
					t.Errorf("%s: the hook is gone: %+v", command, p.Pending())
				}
				g.make(t, rules...)
				check("mended")
			}
			boot := g.last.bootText(g.last.entries, g.last.generation)
			nat.Gateway.Sh("set +e\niptables -t mangle -D FORWARD 1; ip6tables -t mangle -D FORWARD 1\n" + boot)
			check("booted")
			g.make(t)
			sameDump(t, nat.Gateway, before)
		})
	}
}
