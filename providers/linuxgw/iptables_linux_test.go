package linuxgw

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
)

// clean takes all rules off a gateway, and makes "iptables" one variant.
func clean(variant string) string {
	return `umount /usr/sbin/nft 2>/dev/null || true
nft flush ruleset
for t in $(cat /proc/net/ip_tables_names); do iptables-legacy -t $t -F; iptables-legacy -t $t -X; done
if [ "$(cat /proc/net/ip_tables_names)" ]; then iptables-legacy -P FORWARD ACCEPT; fi
for p in iptables iptables-save iptables-restore; do
	ln -sf "/usr/sbin/iptables-` + variant + `${p#iptables}" /etc/alternatives/$p
done
`
}

// dropping makes rules that let nothing in, as they are made with iptables.
func dropping(variant string) string {
	return fmt.Sprintf(`I=iptables-%s
$I -P FORWARD DROP
$I -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
$I -A FORWARD -i lan0 -o wan0 -j ACCEPT
$I -t nat -A POSTROUTING -o wan0 -j MASQUERADE
`, variant)
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
	for line := range strings.Lines(h.Sh("iptables-nft-save; iptables-legacy-save")) {
		if strings.HasPrefix(line, "-A") || strings.HasPrefix(line, ":") && !strings.Contains(line, " ACCEPT ") {
			line, _, _ = strings.Cut(line, " [")
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

// Packets, on every kind of gateway that has iptables.
func TestLabIptables(t *testing.T) {
	for name, test := range map[string]struct {
		script  string
		backend backend
		home    string // part of what holds the rules
	}{
		"iptables-nft":             {clean("nft") + dropping("nft") + withoutNft, auto, "of iptables-nft"},
		"iptables-legacy":          {clean("legacy") + dropping("legacy") + withoutNft, auto, "of iptables-legacy"},
		"both iptables":            {clean("nft") + dropping("nft") + dropping("legacy") + withoutNft, auto, "of iptables-nft"},
		"iptables-nft, nft too":    {clean("nft") + dropping("nft") + nftDrops, withIptables, "of iptables-nft"},
		"iptables-legacy, nft too": {clean("legacy") + dropping("legacy") + nftDrops, withIptables, "of iptables-legacy"},
		"nft, iptables too":        {clean("legacy") + dropping("legacy") + dropping("nft") + nftDrops, auto, "table inet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, "iptables-nft", "iptables-legacy")
			nat := lab.NewNAT(t)
			nat.Seedbox.Listen("tcp", 6880, 6881, 6885, 6889, 6890)
			nat.Seedbox.Listen("udp", 6881, 6889)
			nat.Desktop.Listen("tcp", 6881)
			nat.Gateway.Sh(test.script)
			before := dump(nat.Gateway)
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.backend = test.backend

			// Both protocols, to the same ports; shut beside them.
			p := g.make(t,
				forward(t, plan.TCP, "6881-6889", lab.SeedboxLAN+":6881"),
				forward(t, plan.UDP, "6881-6889", lab.SeedboxLAN+":6881"))
			if p.Resources[0].Action != plan.Create || !strings.Contains(g.last.filter.String(), test.home) {
				t.Errorf("%s in %s, want it %s", p.Resources[0].Action, g.last.filter, test.home)
			}
			passes(t, nat.Client, "tcp", 6881, "seedbox tcp 6881 from "+lab.ClientWAN)
			passes(t, nat.Stranger, "tcp", 6889, "seedbox tcp 6889 from "+lab.StrangerWAN)
			passes(t, nat.Client, "udp", 6889, "seedbox udp 6889 from "+lab.ClientWAN)
			passes(t, nat.Client, "tcp", 6880, "")
			passes(t, nat.Client, "tcp", 6890, "")

			// From inside by the WAN address, from the machine itself too;
			// the gateway's LAN address remains the gateway's.
			passes(t, nat.Desktop, "tcp", 6881, "seedbox tcp 6881 from "+lab.GatewayLAN)
			passes(t, nat.Seedbox, "udp", 6881, "seedbox udp 6881 from "+lab.GatewayLAN)
			if answer, err := nat.Desktop.Probe("tcp", lab.GatewayLAN+":6881", lab.Brief); err == nil {
				t.Errorf("the gateway's LAN address is forwarded: %s", answer)
			}

			// Narrowed, and widened by a shifted range that keeps its offset.
			g.make(t,
				forward(t, plan.TCP, "6885", lab.SeedboxLAN+":6885"),
				forward(t, plan.TCP, "16881-16889", lab.SeedboxLAN+":6881"))
			passes(t, nat.Client, "tcp", 6885, "seedbox tcp 6885 from "+lab.ClientWAN)
			passes(t, nat.Client, "tcp", 16885, "seedbox tcp 6885 from "+lab.ClientWAN)
			passes(t, nat.Client, "tcp", 16889, "seedbox tcp 6889 from "+lab.ClientWAN)
			passes(t, nat.Desktop, "tcp", 16885, "seedbox tcp 6885 from "+lab.GatewayLAN)
			passes(t, nat.Client, "tcp", 6881, "")

			// Led elsewhere; and for some only, by two ways to one port.
			g.make(t,
				forward(t, plan.TCP, "6881", lab.DesktopLAN+":6881"),
				forward(t, plan.TCP, "6885", lab.SeedboxLAN+":6885", "192.0.2.0/24", lab.ClientWAN+"/32"),
				forward(t, plan.TCP, "7885", lab.SeedboxLAN+":6885"))
			passes(t, nat.Client, "tcp", 6881, "desktop tcp 6881 from "+lab.ClientWAN)
			passes(t, nat.Client, "tcp", 6885, "seedbox tcp 6885 from "+lab.ClientWAN)
			passes(t, nat.Stranger, "tcp", 6885, "")
			passes(t, nat.Stranger, "tcp", 7885, "seedbox tcp 6885 from "+lab.StrangerWAN)

			g.make(t)
			passes(t, nat.Client, "tcp", 6881, "")
			sameDump(t, nat.Gateway, before)
		})
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
								r.Protocol, colon(r.Ports.String()), r.To.Addr(), r.To.Port()))
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
			g := openInside(t, nat.Gateway, "home", "wan0")
			rules := []plan.Rule{forward(t, plan.TCP, "6881-6889", lab.SeedboxLAN+":6881"), forward(t, plan.UDP, "7000", lab.SeedboxLAN+":7001")}
			for name, test := range map[string]struct {
				script string
				action plan.Action
				drift  string // part of what is said
			}{
				"way in deleted":      {`iptables -D FORWARD -m comment --comment btplan:hook:home -j BTPLAN-FWD-home`, plan.Update, "rule of chain FORWARD that leads to BTPLAN-FWD-home is missing"},
				"drop above it":       {`iptables -I FORWARD -i wan0 -j DROP`, plan.Update, "too far down"},
				"drop in a chain":     {`iptables -N no; iptables -A no -j REJECT; iptables -I FORWARD -j no`, plan.Update, "too far down"},
				"accept above it":     {`iptables -N yes; iptables -A yes -j ACCEPT; iptables -I FORWARD -i lan0 -j yes`, plan.NoOp, ""},
				"way to DNAT deleted": {`iptables -t nat -F PREROUTING`, plan.Update, "chain PREROUTING"},
				"DNAT above it":       {`iptables -t nat -I PREROUTING -d 192.0.2.1 -j ACCEPT`, plan.Update, "chain PREROUTING"},
				"hairpin deleted":     {`iptables -t nat -F POSTROUTING`, plan.Update, "chain POSTROUTING"},
				"accepts flushed":     {`iptables -F BTPLAN-FWD-home`, plan.Update, "which of its packets may pass"},
				"one accept changed":  {`iptables -R BTPLAN-FWD-home 1 -d 192.168.77.11 -p tcp --dport 6881 -j ACCEPT`, plan.Update, "which of its packets may pass"},
				"accept changed":      {`iptables -R BTPLAN-FWD-home 1 -p tcp --dport 6881:6889 -j ACCEPT`, plan.Update, "the rules of chain BTPLAN-FWD-home"},
				"a rule deleted":      {`iptables -t nat -D BTPLAN-DNAT-home 2`, plan.Update, "changed on the gateway"},
				"chain deleted":       {`iptables -t nat -F POSTROUTING; iptables -t nat -F BTPLAN-POST-home; iptables -t nat -X BTPLAN-POST-home`, plan.Update, "chain BTPLAN-POST-home is missing"},
				"filter reloaded":     {`iptables -F; iptables -X`, plan.Update, "chain BTPLAN-FWD-home is missing"},
				"all reloaded":        {clean(variant) + dropping(variant) + withoutNft, plan.Create, ""},
				"generation deleted":  {`for c in $(iptables -S | sed -n 's/^-N \(BTPLAN-[0-9a-f]*-.*\)/\1/p'); do iptables -X $c; iptables -t nat -X $c; done`, plan.NoOp, ""},
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

// Two applies at once end in one of the two wanted states, on tables that were
// empty and on such as have rules of ours.
func TestLabIptablesRace(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy")
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			nat.Gateway.Sh(clean(variant) + dropping(variant) + withoutNft)
			ctx := context.Background()
			for round := range 10 {
				if round%2 == 0 {
					openInside(t, nat.Gateway, "home", "wan0").make(t)
				}
				racers := []inside{openInside(t, nat.Gateway, "home", "wan0"), openInside(t, nat.Gateway, "home", "wan0")}
				var after []plan.Rule
				var changes [][]plan.Change
				for i, g := range racers {
					after = append(after, forward(t, plan.TCP, fmt.Sprint(6000+round*10+i), lab.SeedboxLAN+":6881"))
					p := g.plan(t, after[i])
					changes = append(changes, p.Pending()[0].Changes)
				}
				errs := make([]error, len(racers))
				var wait sync.WaitGroup
				for i, g := range racers {
					wait.Go(func() { errs[i] = g.Apply(ctx, changes[i], func(plan.Change, error) {}) })
				}
				wait.Wait()
				won := 0
				if errs[0] != nil {
					won = 1
				}
				if errs[won] != nil || !errors.Is(errs[1-won], providers.ErrConflict) {
					t.Fatalf("round %d: %v", round, errs)
				}
				if left := racers[won].plan(t, after[won]).Pending(); len(left) > 0 {
					t.Fatalf("round %d: not what the winner wanted: %+v", round, left)
				}
			}
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
			g.backend = withIptables
			all := func() string {
				if strings.Contains(script, withoutNft) {
					return dump(nat.Gateway)
				}
				return dump(nat.Gateway) + nat.Gateway.Sh("nft list table inet other")
			}
			one := []plan.Rule{forward(t, plan.TCP, "6881-6889", lab.SeedboxLAN+":6881")}
			two := []plan.Rule{forward(t, plan.TCP, "6885", lab.DesktopLAN+":6885"), forward(t, plan.UDP, "7000-7009", lab.SeedboxLAN+":8000")}
			for _, step := range []struct {
				name      string
				from, to  []plan.Rule
				meanwhile string // what keeps the change from being made whole
			}{
				{"create", nil, one, ""},
				{"update", one, two, ""},
				{"destroy", two, nil, ""},
				{"half a create", nil, one, "iptables -t nat -N BTPLAN-PRE-home"},
				{"half an update", one, two, "for c in $(iptables -t nat -S | sed -n 's/^-N \\(BTPLAN-[0-9a-f]*-.*\\)/\\1/p'); do iptables -t nat -E $c BTPLAN-OTHER; done"},
			} {
				g.make(t, step.from...)
				p := g.plan(t, step.to...)
				changes := p.Pending()[0].Changes
				entries, err := g.last.changed(g.project, changes)
				if err != nil {
					t.Fatal(err)
				}
				generation := newGeneration()
				change := g.changeScript(g.last, changes, entries, generation)
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
					nat.Gateway.Sh(undoNow(generation))
				} else if out, err := nat.Gateway.Try("sh", "-c", change); err == nil {
					t.Errorf("%s: the change was made: %s", step.name, out)
				}
				if after := all(); after != before {
					t.Errorf("%s: the gateway has\n%s\nand had\n%s", step.name, after, before)
				}
				nat.Gateway.Sh("! ls /run/btplan/*")
				if step.meanwhile != "" {
					nat.Gateway.Sh(strings.ReplaceAll(script, withoutNft, "") + "iptables -t nat -F; iptables -t nat -X; iptables -F; iptables -X\n" + script)
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
			g.backend = withIptables
			rules := []plan.Rule{forward(t, plan.TCP, "6881-6889", lab.SeedboxLAN+":6881"), forward(t, plan.UDP, "7000-7009", lab.SeedboxLAN+":8000")}
			g.make(t, rules[0])
			older := g.last.bootScript(g.last.entries, g.last.generation)
			g.make(t, rules...)
			boot, before := g.last.bootScript(g.last.entries, g.last.generation), dump(nat.Gateway)
			for what, then := range map[string]string{
				"after a boot":         script + boot,
				"again":                boot,
				"after a reload":       "iptables -F FORWARD\n" + strings.Join(strings.SplitAfter(dropping(name), "\n")[:4], "") + boot,
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
				if after := dump(nat.Gateway); after != before {
					t.Errorf("%s the gateway has\n%s\nand had\n%s", what, after, before)
				}
			}
		})
	}
}
