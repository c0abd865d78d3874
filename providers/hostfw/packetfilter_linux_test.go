package hostfw

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/providertest"
)

// nftDrop is a firewall as Debian's /etc/nftables.conf shows how to write one,
// loaded from there.
const nftDrop = `cat >/etc/nftables.conf <<'END'
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		ct state invalid drop
		iif lo accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport 22 accept
		tcp dport 8000-8080 drop
	}
	chain forward { type filter hook forward priority filter; policy drop; }
	chain output { type filter hook output priority filter; policy accept; }
}
END
nft -f /etc/nftables.conf
`

// iptablesDrop is the same in one variant of iptables, which the name iptables
// stands for from then on.
func iptablesDrop(variant string) string {
	return strings.ReplaceAll(`for v in ip ip6; do
	for p in tables tables-save tables-restore; do
		ln -sf "/usr/sbin/${v}tables-VARIANT${p#tables}" /etc/alternatives/$v$p
	done
done
for I in iptables-VARIANT ip6tables-VARIANT; do
	$I -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	$I -A INPUT -i lo -j ACCEPT
	$I -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
	$I -A INPUT -p tcp -m tcp --dport 8000:8080 -j DROP
	$I -P INPUT DROP
done
iptables-VARIANT -I INPUT -p icmp -j ACCEPT
ip6tables-VARIANT -I INPUT -p ipv6-icmp -j ACCEPT
mkdir -p /etc/iptables
iptables-VARIANT-save >/etc/iptables/VARIANT.v4
ip6tables-VARIANT-save >/etc/iptables/VARIANT.v6
`, "VARIANT", variant)
}

// reloadIptables is how those rules are loaded anew.
func reloadIptables(variant string) string {
	return strings.ReplaceAll("iptables-VARIANT-restore </etc/iptables/VARIANT.v4; ip6tables-VARIANT-restore </etc/iptables/VARIANT.v6\n", "VARIANT", variant)
}

// outputDrop lets only out what answers to SSH and to the lab's neighbours.
const outputDrop = `nft 'add table inet strict; add chain inet strict output { type filter hook output priority 10; policy drop; }
add rule inet strict output oif lo accept; add rule inet strict output meta l4proto { icmp, ipv6-icmp } accept; add rule inet strict output tcp sport 22 accept'
`

// iptablesOutputDrop is the same in one variant of iptables.
func iptablesOutputDrop(variant string) string {
	return strings.ReplaceAll(`for I in iptables-VARIANT ip6tables-VARIANT; do
	$I -A OUTPUT -o lo -j ACCEPT
	$I -A OUTPUT -p tcp -m tcp --sport 22 -j ACCEPT
	$I -P OUTPUT DROP
done
iptables-VARIANT -A OUTPUT -p icmp -j ACCEPT
ip6tables-VARIANT -A OUTPUT -p ipv6-icmp -j ACCEPT
iptables-VARIANT-save >/etc/iptables/VARIANT.v4
ip6tables-VARIANT-save >/etc/iptables/VARIANT.v6
`, "VARIANT", variant)
}

// withoutNft makes iptables all that there is.
const withoutNft = "mount --bind /dev/null /usr/sbin/nft\n"

// rebooted runs what our unit does after others have loaded their rules.
const bootAgain = "sh /etc/btplan/home.host.sh\n"

// noRules takes all away that these have made.
const noRules = `umount /usr/sbin/nft 2>/dev/null || true
nft flush ruleset
for v in ip ip6; do
	for t in $(cat /proc/net/${v}_tables_names); do ${v}tables-legacy -t $t -F; ${v}tables-legacy -t $t -X; done
	if grep -q filter /proc/net/${v}_tables_names; then ${v}tables-legacy -P INPUT ACCEPT; ${v}tables-legacy -P OUTPUT ACCEPT; fi
done
`

// filterDump is all the rules that there are. Of tables that iptables has made,
// only what iptables tells counts: when the last of our rules is gone they may
// stay, empty.
func filterDump(h *lab.Host) string {
	var out strings.Builder
	for table := range strings.SplitSeq(h.Sh("nft --stateless list ruleset 2>/dev/null || true"), "\n}\n") {
		if !madeByIptables.MatchString(table) {
			out.WriteString(table)
		}
	}
	for line := range strings.Lines(h.Sh("for v in ip ip6; do ${v}tables-nft-save; ${v}tables-legacy-save; done")) {
		if !strings.HasPrefix(line, "#") && !emptyTable.MatchString(line) {
			out.WriteString(counters.ReplaceAllString(line, ""))
		}
	}
	return out.String()
}

var (
	madeByIptables = regexp.MustCompile(`^table ip6? \w+ {\n\tchain [A-Z]`)
	counters       = regexp.MustCompile(` \[\d+:\d+\]`)
	emptyTable     = regexp.MustCompile(`^(\*|COMMIT|:(PREROUTING|POSTROUTING|FORWARD|OUTPUT|INPUT) ACCEPT)`)
)

// newPacketFilter gives what makes a machine with such a firewall, which has no
// way to run our script at boot.
func newPacketFilter(firewall string) func(*testing.T) hosttest.Pair {
	return func(t *testing.T) hosttest.Pair {
		t.Helper()
		lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
		p := hosttest.NewPair(t)
		p.Machine.Sh(firewall)
		return p
	}
}

// nftRules are rules as people make them.
const nftRules = `nft -f - <<'END'
table inet filter {
	set allowed { type ipv4_addr; flags interval; elements = { 10.1.0.0/16 } }
	chain web { tcp dport { 80, 443 } counter accept comment "the web"; }
	chain lan { tcp dport 445 accept; }
}
add rule inet filter input jump web
add rule inet filter input iifname eth0 jump lan
add rule inet filter input iifname "eth0" udp dport 53 accept
add rule inet filter input ip saddr 10.0.0.0/8 tcp dport 9091 accept
add rule inet filter input ip saddr @allowed tcp dport 9092 accept
add rule inet filter input meta l4proto udp th dport 51820 accept
add rule inet filter input ip6 saddr { 2001:db8:5::/48, 2001:db8:6::1 } udp dport 500-510 accept
add rule inet filter input tcp dport 25 limit rate 5/second accept
add rule inet filter input tcp sport 20 accept
add rule inet filter input udp dport 1-1000 reject
add rule inet strict output tcp dport { 80, 443 } accept
add rule inet strict output ip daddr 192.0.2.53 udp dport 53 accept
table ip6 raw {
	chain pre { type filter hook prerouting priority raw; policy accept; udp dport 1 drop; }
}
END
nft 'delete element inet btplanhost_home in { tcp . 6900 }'`

// iptablesRules are the same in iptables.
const iptablesRules = `for I in iptables-legacy ip6tables-legacy; do
	$I -N web
	$I -A web -p tcp -m multiport --dports 80,443,8443:8450 -m comment --comment "the web" -j ACCEPT
	$I -A INPUT -j web
	$I -N lan
	$I -A lan -p tcp --dport 445 -j ACCEPT
	$I -A INPUT -i eth0 -j lan
	$I -A INPUT -p udp --dport 53 -i eth0 -j ACCEPT
	$I -A INPUT -p tcp --dport 25 -m limit --limit 5/second -j ACCEPT
	$I -A INPUT ! -i eth0 -p udp --dport 99 -j ACCEPT
	$I -A OUTPUT -p tcp --dport 443 -j ACCEPT
done
iptables-legacy -A INPUT -s 10.0.0.0/8 -p tcp --dport 9091 -j ACCEPT
iptables-legacy -A INPUT -s 10.0.0.0/255.0.0.255 -p tcp --dport 9092 -j ACCEPT
iptables-legacy -t raw -A PREROUTING -p udp --dport 1 -j DROP
ip6tables-legacy -D BTPLANHOST-IN-home -p tcp -m tcp --dport 6900 -m comment --comment "$(ip6tables-legacy -S BTPLANHOST-IN-home | sed -n 's/.*--dport 6900 .*--comment \([^ ]*\) .*/\1/p' | tr -d '"')" -j ACCEPT`

// The lab matrix of the kernel's packet filters.
func TestLabPacketFilters(t *testing.T) {
	for name, row := range map[string]struct {
		firewall string // the script that makes it
		typ      string
		reload   string
	}{
		"nftables drop":                   {nftDrop, "nftables", "nft -f /etc/nftables.conf\n" + bootAgain},
		"iptables-nft":                    {iptablesDrop("nft") + withoutNft, "iptables", reloadIptables("nft") + bootAgain},
		"iptables-nft, by nft":            {iptablesDrop("nft"), "nftables", reloadIptables("nft") + bootAgain},
		"iptables-legacy":                 {iptablesDrop("legacy") + withoutNft, "auto", reloadIptables("legacy") + bootAgain},
		"nft and iptables-nft":            {nftDrop + iptablesDrop("nft"), "auto", "nft -f /etc/nftables.conf\n" + reloadIptables("nft") + bootAgain},
		"all three":                       {nftDrop + iptablesDrop("nft") + iptablesDrop("legacy"), "iptables", reloadIptables("nft") + reloadIptables("legacy") + bootAgain},
		"OUTPUT drop":                     {nftDrop + outputDrop, "nftables", "nft -f /etc/nftables.conf\n" + outputDrop + bootAgain},
		"OUTPUT DROP of iptables":         {iptablesDrop("legacy") + iptablesOutputDrop("legacy"), "iptables", reloadIptables("legacy") + bootAgain},
		"OUTPUT DROP of iptables, by nft": {iptablesDrop("nft") + iptablesOutputDrop("nft"), "nftables", reloadIptables("nft") + bootAgain},
		"OUTPUT drop, iptables":           {nftDrop + outputDrop, "iptables", "nft -f /etc/nftables.conf\n" + outputDrop + bootAgain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
			p := hosttest.NewPair(t)
			p.Machine.WriteFile("/etc/rc.local", "#!/bin/sh\nexit 0\n", 0o755)
			p.Machine.Sh(row.firewall)
			hosttest.Matrix{Kind: kindNamed(row.typ), Reload: row.reload, Dump: filterDump}.Run(t, p)
		})
	}
}

func TestLabNftablesSuite(t *testing.T) {
	t.Parallel()
	packetFilterSuite(t, "nftables", nftDrop+outputDrop, func(r plan.Rule) string {
		chain := "filter input"
		if r.Kind == plan.Outbound {
			chain = "strict output"
		}
		return fmt.Sprintf("nft add rule inet %s %s dport %s accept", chain, r.Protocol, r.Ports)
	}, func(t *testing.T, p hosttest.Pair) {
		own, err := nft.Parse([]byte(p.Machine.Sh("nft -j list table inet btplanhost_home")))
		if err != nil {
			t.Fatal(err)
		}
		in, _ := own.Set(nft.Table{Family: "inet", Name: "btplanhost_home"}, "in")
		elements, err := in.Elements()
		if err != nil || len(elements) == 0 {
			t.Fatalf("no element to take away: %v", err)
		}
		p.Machine.Run("nft", "delete", "element", "inet", "btplanhost_home", "in", fmt.Sprintf("{ %s . %s }", elements[0].Key[0], elements[0].Key[1]))
	})
}

func TestLabIptablesSuite(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			packetFilterSuite(t, "iptables", iptablesDrop(variant)+iptablesOutputDrop(variant)+withoutNft, func(r plan.Rule) string {
				rule := fmt.Sprintf("-p %s --dport %s -j ACCEPT", r.Protocol, host.SpelledPorts(r.Ports))
				if r.Kind == plan.Outbound { // which is shut over both IP versions
					return fmt.Sprintf("iptables-%[1]s -I OUTPUT %[2]s; ip6tables-%[1]s -I OUTPUT %[2]s", variant, rule)
				}
				return fmt.Sprintf("iptables-%s -I INPUT %s", variant, rule)
			}, func(_ *testing.T, p hosttest.Pair) {
				p.Machine.Run("iptables-"+variant, "-D", "BTPLANHOST-IN-home", "1")
			})
		})
	}
}

// packetFilterSuite runs the conformance suite on a machine with such a
// firewall. accept spells a rule as people make one.
func packetFilterSuite(t *testing.T, typ, firewall string, accept func(plan.Rule) string, tamper func(*testing.T, hosttest.Pair)) {
	t.Helper()
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	p := hosttest.NewPair(t)
	providertest.Run(t, providertest.Suite{
		Kind:     plan.Allow,
		Outbound: true,
		New: func(*testing.T) *providertest.Bench {
			p.Machine.Sh(noRules + firewall)
			return &providertest.Bench{
				Addr: hosttest.Seedbox,
				Open: func(t *testing.T, project string) providers.Device {
					return hosttest.OpenInside(t, p.Machine, kindNamed(typ), project)
				},
				AddForeign: func(_ *testing.T, r plan.Rule) { p.Machine.Sh(accept(r)) },
				Tamper:     func(t *testing.T) { tamper(t, p) },
				Dump:       func(*testing.T) string { return filterDump(p.Machine) },
			}
		},
	})
}
