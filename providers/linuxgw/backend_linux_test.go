package linuxgw

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/google/go-cmp/cmp"
)

// Which filter the rules are made in, and what is said where they can't be.
func TestLabBackend(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy")
	nat := lab.NewNAT(t)
	const (
		withoutIptables = "mount --bind /dev/null /usr/sbin/xtables-nft-multi; mount --bind /dev/null /usr/sbin/xtables-legacy-multi\n"
		brokenNft       = "printf '#!/bin/sh\\necho JSON support not compiled-in >&2; exit 1\\n' >/run/nft; chmod 755 /run/nft; mount --bind /run/nft /usr/sbin/nft\n"
	)
	for name, test := range map[string]struct {
		script  string
		before  netfilter.Choice // where rules of ours are already; empty: nowhere
		backend netfilter.Choice
		home    string // part of what holds the rules
		says    string // part of the error
	}{
		"nftables by itself":       {clean("nft"), "", netfilter.Auto, "table inet btplan_home", ""},
		"not where iptables is":    {clean("legacy") + dropping("legacy"), "", netfilter.Auto, "table inet btplan_home", ""},
		"iptables if asked for":    {clean("nft"), "", netfilter.Iptables, "of iptables-nft", ""},
		"as iptables is":           {clean("legacy"), "", netfilter.Iptables, "of iptables-legacy", ""},
		"where they are":           {clean("nft"), netfilter.Iptables, netfilter.Auto, "of iptables-nft", ""},
		"where they are, legacy":   {clean("legacy"), netfilter.Iptables, netfilter.Auto, "of iptables-legacy", ""},
		"where they are, nftables": {clean("legacy"), netfilter.Nftables, netfilter.Auto, "table inet btplan_home", ""},
		"not where they are":       {clean("legacy"), netfilter.Nftables, netfilter.Iptables, "", `holds the rules of the project home with nftables, as table inet btplan_home. Set backend = "nftables", run btplan destroy, then set "iptables"`},
		"not where they are, 2":    {clean("nft"), netfilter.Iptables, netfilter.Nftables, "", `with iptables, as the chains BTPLAN-*-home of iptables-nft. Set backend = "iptables"`},
		"no nft":                   {clean("nft") + withoutNft, "", netfilter.Nftables, "", "install the package nftables"},
		"nft without JSON":         {clean("nft") + brokenNft, "", netfilter.Nftables, "", "JSON support not compiled-in"},
		"iptables then":            {clean("legacy") + brokenNft, "", netfilter.Auto, "of iptables-legacy", ""},
		"no iptables":              {clean("nft") + withoutIptables, "", netfilter.Iptables, "", "install the package iptables"},
		"nothing":                  {clean("nft") + withoutNft + withoutIptables, "", netfilter.Auto, "", "install the package nftables there, or iptables"},
		"firewalld":                {clean("nft") + "nft add table inet firewalld", "", netfilter.Auto, "", "firewalld"},
		"firewalld with iptables":  {clean("nft") + "iptables -N FORWARD_direct\n" + withoutNft, "", netfilter.Auto, "", "systemctl disable --now firewalld"},
	} {
		t.Run(name, func(t *testing.T) {
			nat.Gateway.Sh("umount /usr/sbin/xtables-nft-multi /usr/sbin/xtables-legacy-multi 2>/dev/null || true\n" + clean("nft"))
			g := openInside(t, nat.Gateway, "home", "wan0")
			if test.before != "" {
				nat.Gateway.Sh(test.script)
				test.script = ""
				g.backend = test.before
				g.make(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"))
			}
			nat.Gateway.Sh(test.script)
			g.backend = test.backend
			_, err := g.Read(context.Background())
			switch {
			case test.says != "":
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v, want an error with %q", err, test.says)
				}
				if unsupported := strings.Contains(test.says, "firewalld"); errors.Is(err, providers.ErrUnsupported) != unsupported {
					t.Errorf("that %v is unsupported: want %t", err, unsupported)
				}
			case err != nil:
				t.Error(err)
			case !strings.Contains(g.last.filter.String(), test.home):
				t.Errorf("the rules are in %s, want %s", g.last.filter, test.home)
			default:
				g.make(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"))
				g.make(t)
			}
		})
	}
}

// Without ip6tables there is no IPv6, and IPv4 as ever; reading says nothing of
// it, but a plan for IPv6 does.
func TestLabNoIp6tables(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	for name, test := range map[string]struct {
		gateway func(*lab.NAT)
		says    string
	}{
		"it is not there": {func(n *lab.NAT) {
			n.Gateway.Sh(clean("nft") + dropping("nft"))
			n.Gateway.ServeDropbear("nft", "ip6tables-nft", "ip6tables")
		}, "no ip6tables-nft: install"},
		"nft is in its way": {onGateway(clean("nft") + `iptables-nft -P FORWARD DROP
nft 'add table ip6 filter; add chain ip6 filter FORWARD { type filter hook forward priority 0; }; add rule ip6 filter FORWARD ct state vmap { invalid : drop }'
` + withoutNft), `ip6tables-nft can't list, and can't work beside: set backend = "nftables"`},
	} {
		t.Run(name, func(t *testing.T) {
			nat := lab.NewNAT(t)
			test.gateway(nat)
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.make(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"))
			four := forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881")
			six := forward(t, plan.TCP, "6881", "["+lab.SeedboxLAN6+"]:6881")
			if why := g.Refuse([]plan.Change{{Action: plan.NoOp, Before: &four, After: &four}, {Action: plan.Create, After: &six}}); why == nil || !strings.Contains(why.Detail, test.says) {
				t.Errorf("got %v, want it refused: %q", why, test.says)
			}
			if why := g.Refuse([]plan.Change{{Action: plan.Create, After: &four}}); why != nil {
				t.Error(why)
			}
			g.make(t)
		})
	}
}

// To read is to change nothing: not even to make empty tables, as iptables
// does when it is asked for the rules of a table that isn't there.
func TestLabReadMakesNothing(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy")
	for _, variant := range []string{"nft", "legacy"} {
		for _, b := range []netfilter.Choice{netfilter.Auto, netfilter.Nftables, netfilter.Iptables} {
			nat := lab.NewNAT(t)
			nat.Gateway.Sh(clean(variant))
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.backend = b
			if _, err := g.Read(context.Background()); err != nil {
				t.Fatal(err)
			}
			if now := nat.Gateway.Sh("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names; nft list ruleset; ls /run | grep btplan || true"); now != "" {
				t.Errorf("%s, backend %s: reading has made\n%s", variant, b, now)
			}
		}
	}
}

// Who isn't root reads nothing, and is told so.
func TestLabNotRoot(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy", "setpriv")
	nat := lab.NewNAT(t)
	for name, script := range map[string]string{
		"nft":             clean("nft"),
		"iptables-nft":    clean("nft") + dropping("nft") + withoutNft,
		"iptables-legacy": clean("legacy") + dropping("legacy") + withoutNft,
	} {
		nat.Gateway.Sh(script)
		g := openInside(t, nat.Gateway, "home", "wan0")
		out, err := nat.Gateway.Try("setpriv", "--reuid=65534", "--clear-groups", "sh", "-c", g.readScript())
		if err != nil {
			err = g.explain(err)
		} else if f, parseErr := g.parseFacts([]byte(out)); parseErr != nil {
			err = parseErr
		} else {
			_, err = newState(g.gateway, f)
		}
		if err == nil || !strings.Contains(err.Error(), "set sudo = true") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The forwards of others in iptables are seen in both variants, with nft and
// without.
func TestLabForeignIptables(t *testing.T) {
	lab.Need(t, "iptables-nft", "iptables-legacy")
	const foreign = `iptables -t nat -N sub
iptables -t nat -A PREROUTING -i wan0 -p tcp --dport 80:85 -j DNAT --to 192.168.77.12:80-85/80
iptables -t nat -A PREROUTING -i wan0 -p udp -m multiport --dports 500,4500:4501 -j DNAT --to 192.168.77.12
iptables -t nat -A PREROUTING -i lan0 -p tcp --dport 443 -j REDIRECT --to-port 3128
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j sub
iptables -t nat -A sub -p tcp --dport 2222 -j DNAT --to 192.168.77.12:22
iptables -t nat -A sub ! -p tcp -d 198.51.100.1 -j DNAT --to 192.168.77.12
iptables -t nat -A OUTPUT -p tcp --dport 7000 -j DNAT --to 192.168.77.12
ip6tables -t nat -A PREROUTING -i wan0 -d fd77::12 -p tcp --dport 8443 -j DNAT --to [fd77::12]:443
ip6tables -t nat -A PREROUTING -p udp -m multiport --dports 500,4500 -j REDIRECT
ip6tables -t nat -A PREROUTING -i wan0 -p tcp --dport 9000:9009 -j DNAT --to fd77::12-fd77::14
`
	for name, script := range map[string]string{
		"iptables-nft":               clean("nft") + foreign + withoutNft,
		"iptables-nft, nft there":    clean("nft") + foreign,
		"iptables-legacy":            clean("legacy") + foreign + withoutNft,
		"iptables-legacy, nft there": clean("legacy") + foreign,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nat := lab.NewNAT(t)
			nat.Gateway.Sh(script)
			before := dump(nat.Gateway)
			g := openInside(t, nat.Gateway, "home", "wan0")
			if strings.HasSuffix(name, "there") && strings.HasPrefix(name, "iptables-nft") {
				g.backend = netfilter.Iptables
			}
			other := openInside(t, nat.Gateway, "office", "wan0")
			other.backend = g.backend
			other.make(t, forward(t, plan.TCP, "5000-5009", lab.DesktopLAN+":5000"))
			g.make(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"))
			reading, err := g.Read(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(foreignText(reading.Rules)) {
				rule, _, _ := strings.Cut(line, " (")
				got = append(got, rule)
			}
			want := []string{
				" 0 to 0.0.0.0:0",       // for the LAN only
				" 0 to 192.168.77.12:0", // nobody knows which ports
				"tcp 2222 to 192.168.77.12:22",
				"tcp 5000-5009 to 192.168.77.12:5000-5009",
				"tcp 80-85 to 192.168.77.12:80-85",
				"tcp 8443 to [fd77::12]:443",
				"tcp 9000-9009 to [fd77::12]:9000-9009",
				"udp 4500 to [::]:4500",
				"udp 4500-4501 to 192.168.77.12:4500-4501",
				"udp 500 to 192.168.77.12:500",
				"udp 500 to [::]:500",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, taken := range []plan.Rule{
				forward(t, plan.TCP, "70-80", lab.SeedboxLAN+":70"),
				forward(t, plan.UDP, "4501", lab.SeedboxLAN+":4501"),
				forward(t, plan.TCP, "5009", lab.SeedboxLAN+":5009"),
				forward(t, plan.TCP, "8440-8449", "["+lab.SeedboxLAN6+"]:8440"),
				forward(t, plan.UDP, "500", "["+lab.SeedboxLAN6+"]:500"),
			} {
				if _, diags := plan.Diff([]plan.Wanted{{Rule: taken, Device: g.addr, Owner: bt}}, reading.Rules); !diags.HasErrors() {
					t.Errorf("%s: no conflict", taken)
				}
			}
			g.make(t)
			other.make(t)
			sameDump(t, nat.Gateway, before)
		})
	}
}
