package linuxgw

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/zclconf/go-cty/cty"
)

func TestMain(m *testing.M) { lab.Main(m) }

// inside is a gateway of the lab, and the host on which btplan works on it:
// the gateway itself, or another.
type inside struct {
	*gateway
	host *lab.Host
}

func openInside(t *testing.T, host *lab.Host, project, wan string) inside {
	t.Helper()
	return openBy(t, host, remote.Target{Local: true}, project, wan)
}

// openOver opens the gateway for a host that may log in to it by SSH.
func openOver(t *testing.T, host *lab.Host, project, wan string) inside {
	t.Helper()
	return openBy(t, host, remote.Target{
		Host: lab.GatewayLAN, User: "root", Direct: true,
		IdentityFile: "/root/.ssh/id_ed25519", KnownHostsFile: "/root/.ssh/known_hosts",
	}, project, wan)
}

func openBy(t *testing.T, host *lab.Host, target remote.Target, project, wan string) inside {
	t.Helper()
	body := cty.NullVal(cty.String)
	if wan != "" {
		body = cty.StringVal(wan)
	}
	runner := remote.Open(target)
	t.Cleanup(func() { _ = runner.Close() })
	d, err := open(providers.Settings{
		Project: project,
		Addr:    plan.Addr{Block: plan.BlockGateway, Name: "edge"},
		Body:    cty.ObjectVal(map[string]cty.Value{"wan_interface": body, "revert_after": cty.StringVal("10s"), "backend": cty.NullVal(cty.String)}),
		Runner:  runner,
	})
	if err != nil {
		t.Fatal(err)
	}
	return inside{d.(*gateway), host}
}

func (g inside) Read(ctx context.Context) (r *providers.Reading, err error) {
	enterErr := g.host.Enter(func() error {
		r, err = g.gateway.Read(ctx)
		return nil
	})
	if enterErr != nil {
		return nil, enterErr
	}
	return r, err
}

func (g inside) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	var err error
	enterErr := g.host.Enter(func() error {
		err = g.gateway.Apply(ctx, changes, done)
		return nil
	})
	if enterErr != nil {
		return enterErr
	}
	return err
}

// make brings the gateway to hold just these rules, all of the port range bt,
// and checks that it does.
func (g inside) make(t *testing.T, rules ...plan.Rule) *plan.Plan {
	t.Helper()
	ctx := context.Background()
	p := g.plan(t, rules...)
	var changes []plan.Change
	for _, r := range p.Pending() {
		for _, c := range r.Changes {
			if c.Action != plan.NoOp {
				changes = append(changes, c)
			}
		}
	}
	told := 0
	err := g.Apply(ctx, changes, func(_ plan.Change, err error) {
		told++
		if err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if told != len(changes) {
		t.Errorf("%d changes, but done was called %d times", len(changes), told)
	}
	if left := g.plan(t, rules...).Pending(); len(left) > 0 {
		t.Fatalf("after the apply there is still to do: %+v", left)
	}
	return p
}

var bt = plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey("alice smith")}

func (g inside) plan(t *testing.T, rules ...plan.Rule) *plan.Plan {
	t.Helper()
	reading, err := g.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	shaped, err := g.Shape(rules)
	if err != nil {
		t.Fatal(err)
	}
	var wanted []plan.Wanted
	for _, r := range shaped {
		wanted = append(wanted, plan.Wanted{Rule: r, Device: g.addr, Owner: bt})
	}
	p, diags := plan.Diff(wanted, reading.Rules)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p
}

// passes checks whether a packet to the gateway gets through, and where to.
func passes(t *testing.T, from *lab.Host, protocol string, port uint16, want string) {
	t.Helper()
	passesTo(t, from, lab.GatewayWAN, protocol, port, want)
}

// passes6 checks whether a packet to the seedbox gets through over IPv6.
func passes6(t *testing.T, from *lab.Host, protocol string, port uint16, want string) {
	t.Helper()
	passesTo(t, from, lab.SeedboxLAN6, protocol, port, want)
}

func passesTo(t *testing.T, from *lab.Host, addr, protocol string, port uint16, want string) {
	t.Helper()
	wait := lab.Patient
	if want == "" {
		wait = lab.Brief
	}
	to := netip.AddrPortFrom(netip.MustParseAddr(addr), port)
	answer, err := from.Probe(protocol, to.String(), wait)
	got := ""
	if err == nil {
		got = fmt.Sprintf("%s %s %d from %s", answer.Host, answer.Protocol, answer.Port, answer.Peer.Addr())
	}
	if got != want {
		t.Errorf("%s %s %s: got %q (%v), want %q", from.Name, protocol, to, got, err, want)
	}
}

func TestLabForeignChains(t *testing.T) {
	for name, script := range map[string]string{
		"a rule that drops": `nft flush ruleset; nft -f - <<'E'
table inet filter { chain forward { type filter hook forward priority 0; policy accept; ct state established accept; iifname "wan0" drop; }; }
E`,
		"a chain led to that rejects": `nft flush ruleset; nft -f - <<'E'
table ip fw { chain no { reject; }; chain f { type filter hook forward priority 10; policy accept; jump no; }; }
E`,
		"three tables": `nft -f - <<'E'
table ip a { chain f { type filter hook forward priority -200; policy drop; ct state established accept; }; }
table inet b { chain f { type filter hook forward priority 200; policy drop; ct state established accept; }; }
E`,
		"iptables-nft":         `nft flush ruleset; iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT`,
		"nft and iptables-nft": `iptables-nft -P FORWARD DROP; iptables-nft -N X; iptables-nft -A FORWARD -j X; iptables-nft -A X -j DROP`,
		"replies dropped too":  `nft flush ruleset; nft 'add table ip f; add chain ip f c { type filter hook forward priority 0; policy drop; }'`,
		"a chain that sets the mark": `nft -f - <<'E'
table ip m { chain f { type filter hook forward priority -150; policy accept; meta mark set 0x7; }; }
E`,
		"only ip6tables-nft":    `nft flush ruleset; ip6tables-nft -P FORWARD DROP; ip6tables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT`,
		"only ip6tables-legacy": `nft flush ruleset; ip6tables-legacy -P FORWARD DROP; ip6tables-legacy -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT`,
		"mangle of legacy": `nft flush ruleset
for I in iptables-legacy ip6tables-legacy; do
	$I -t mangle -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
	$I -t mangle -A FORWARD -i wan0 -j DROP
done`,
		"nothing that drops":    `nft flush ruleset; nft 'add table ip f; add chain ip f c { type filter hook forward priority 0; policy accept; }; add rule ip f c counter accept'`,
		"no rules of its own":   `nft flush ruleset`,
		"a drop above the hook": `nft insert rule inet filter forward iifname wan0 ct state new drop`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
			m := matrix{lab.NewNAT(t)}
			nat := m.NAT
			nat.Seedbox.Listen("tcp", 6881, 6882)
			nat.Seedbox.Listen("udp", 6881)
			nat.Gateway.Sh(script)
			before := m.foreign()
			g := openInside(t, nat.Gateway, "home", "wan0")
			rules := []plan.Rule{
				forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"),
				forward(t, plan.UDP, "6881", lab.SeedboxLAN+":6881"),
				forward(t, plan.TCP, "6881", "["+lab.SeedboxLAN6+"]:6881"),
			}
			g.make(t, rules...)
			for range 2 { // and once more after the same again
				passes(t, nat.Client, "tcp", 6881, "seedbox tcp 6881 from "+lab.ClientWAN)
				passes(t, nat.Client, "udp", 6881, "seedbox udp 6881 from "+lab.ClientWAN)
				passes(t, nat.Client, "tcp", 6882, "")
				passes6(t, nat.Client, "tcp", 6881, "seedbox tcp 6881 from "+lab.ClientWAN6)
				g.make(t, rules...)
			}
			g.make(t)
			if after := m.foreign(); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

func TestLabDrift(t *testing.T) {
	nat := lab.NewNAT(t)
	nat.Seedbox.Listen("tcp", 6881, 6889)
	g := openInside(t, nat.Gateway, "home", "wan0")
	rules := []plan.Rule{
		forward(t, plan.TCP, "6881-6889", lab.SeedboxLAN+":6881"), forward(t, plan.UDP, "7000", lab.SeedboxLAN+":7001"),
		forward(t, plan.TCP, "6881-6889", "["+lab.SeedboxLAN6+"]:6881"),
	}
	const table = "inet btplan_home"
	for name, test := range map[string]struct {
		script string
		action plan.Action
		drift  string // part of what is said; empty: the device can't tell
	}{
		"hook deleted":        {`nft delete rule inet filter forward handle $(nft -a list chain inet filter forward | sed -n 's/.*btplan:hook.*handle //p')`, plan.Update, "chain forward of table inet filter drops its packets"},
		"drop above the hook": {`nft insert rule inet filter forward iifname wan0 drop`, plan.Update, "too far down"},
		"accepts flushed":     {`nft flush set ` + table + ` pass4`, plan.Update, "which of its packets may pass"},
		"rules flushed":       {`nft flush chain ` + table + ` forward`, plan.Update, "the rules of chain forward"},
		"chain changed":       {`nft flush chain ` + table + ` postrouting; nft delete chain ` + table + ` postrouting`, plan.Update, "chain postrouting of table inet btplan_home is missing"},
		"element deleted":     {`nft delete element ` + table + ` shift4 '{ udp . 7000 . 0.0.0.0/0 }'`, plan.Update, "changed on the gateway"},
		"IPv6 accept deleted": {`nft flush set ` + table + ` accept6`, plan.Update, "changed on the gateway"},
		"own rules reloaded":  {`nft -f /etc/nftables.conf`, plan.Create, ""},
		"table deleted":       {`nft delete table ` + table, plan.Create, ""},
		"generation deleted":  {`nft delete chain ` + table + ` $(nft list table ` + table + ` | sed -n 's/.*chain \(generation_[0-9a-f]*\).*/\1/p')`, plan.NoOp, ""},
		"interface changed":   {`nft flush set ` + table + ` wan; nft add element ` + table + ` wan '{ "ppp7" }'`, plan.Update, "it is for packets from ppp7"},
		"other filter added":  {`nft 'add table ip late; add chain ip late f { type filter hook forward priority 0; policy drop; }; add rule ip late f ct state established accept'`, plan.Update, "chain f of table ip late"},
	} {
		t.Run(name, func(t *testing.T) {
			nat.Boot()
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
}

// The forwards of others are seen, stay as they are, and are in the way of
// ours where they are for the same ports.
func TestLabForeignForwards(t *testing.T) {
	nat := lab.NewNAT(t)
	lab.Need(t, "iptables-nft")
	nat.Gateway.Sh(`iptables-nft -t nat -A PREROUTING -i wan0 -p tcp --dport 80:85 -j DNAT --to 192.168.77.12:80
iptables-nft -t nat -A PREROUTING -i lan0 -p tcp --dport 443 -j REDIRECT --to-port 3128
ip6tables-nft -t nat -A PREROUTING -i wan0 -d fd77::12 -p tcp --dport 8443 -j DNAT --to [fd77::12]:443
nft -f - <<'E'
table ip6 mine {
	chain pre { type nat hook prerouting priority dstnat; iifname "wan0" ip6 daddr fd77::12 tcp dport 9090 dnat to [fd77::12]:90; }
}
table inet both {
	chain pre { type nat hook prerouting priority dstnat + 1;
		udp dport 9191 redirect to :91
		ip6 daddr fd77::12 tcp dport 9292 redirect to :92
		meta nfproto ipv4 tcp dport 9393 redirect to :93
	}
}
table ip mine {
	map m { type inet_service : ipv4_addr . inet_service; flags interval; elements = { 99 : 192.168.77.12 . 99, 200-300 : 192.168.77.12 . 300 }; }
	chain pre { type nat hook prerouting priority dstnat;
		iifname "wan0" tcp dport { 8080, 8090-8095 } dnat to 192.168.77.12:81
		iifname "wan0" meta l4proto { tcp, udp } th dport 53 dnat to 192.168.77.12
		iifname "wan0" ip saddr 10.0.0.0/8 udp dport 1194 dnat to 192.168.77.12:1195
		dnat ip to tcp dport map @m
		tcp dport 22 jump sub
	}
	chain sub { dnat to 192.168.77.12; }
}
E`)
	before := nat.Gateway.RuleSet()
	office := openInside(t, nat.Gateway, "office", "wan0")
	office.make(t, forward(t, plan.TCP, "5000-5009", lab.DesktopLAN+":5000"))

	g := openInside(t, nat.Gateway, "home", "wan0")
	g.make(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"))
	if added := nat.Gateway.Sh(`nft add element inet btplan_home forward4 '{ tcp . 9000 . 0.0.0.0/0 : 192.168.77.12 }'`); added != "" {
		t.Error(added)
	}
	reading, err := g.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "foreign.txt", foreignText(reading.Rules))
	if *update { // for the tests that have no gateway
		golden(t, "answer", nat.Gateway.Sh(g.readScript()))
	}

	for _, taken := range []plan.Rule{
		forward(t, plan.TCP, "70-80", lab.SeedboxLAN+":70"),
		forward(t, plan.TCP, "250", lab.SeedboxLAN+":250"),
		forward(t, plan.UDP, "53", lab.SeedboxLAN+":53"),
		forward(t, plan.TCP, "8093", lab.SeedboxLAN+":8093"),
		forward(t, plan.TCP, "5009-5010", lab.SeedboxLAN+":5009"),
		forward(t, plan.TCP, "9000", lab.SeedboxLAN+":9000"),
		forward(t, plan.TCP, "8443", "["+lab.SeedboxLAN6+"]:8443"),
		forward(t, plan.TCP, "9090", "["+lab.SeedboxLAN6+"]:9090"),
		forward(t, plan.UDP, "9191", "["+lab.SeedboxLAN6+"]:9191"),
		forward(t, plan.UDP, "9191", lab.SeedboxLAN+":9191"),
		forward(t, plan.TCP, "9292", "["+lab.SeedboxLAN6+"]:9292"),
	} {
		_, diags := plan.Diff([]plan.Wanted{{Rule: taken, Device: g.addr, Owner: bt}}, reading.Rules)
		if !diags.HasErrors() {
			t.Errorf("%s: no conflict", taken)
		}
	}
	for _, free := range []plan.Rule{
		forward(t, plan.TCP, "443", lab.SeedboxLAN+":443"), // redirected for the LAN only
		// And these for the other IP version only.
		forward(t, plan.TCP, "8443", lab.SeedboxLAN+":8443"),
		forward(t, plan.TCP, "9292", lab.SeedboxLAN+":9292"),
		forward(t, plan.TCP, "8080", "["+lab.SeedboxLAN6+"]:8080"),
		forward(t, plan.TCP, "9393", "["+lab.SeedboxLAN6+"]:9393"),
	} {
		if _, diags := plan.Diff([]plan.Wanted{{Rule: free, Device: g.addr, Owner: bt}}, reading.Rules); diags.HasErrors() {
			t.Errorf("%s: %s", free, diags)
		}
	}

	// An element that someone added to our map outlives our rules.
	g.make(t)
	if table := nat.Gateway.Sh("nft list table inet btplan_home"); !strings.Contains(table, "tcp . 9000") || strings.Contains(table, "6881") {
		t.Errorf("after all of ours is gone:\n%s", table)
	}
	nat.Gateway.Sh(`nft delete element inet btplan_home forward4 '{ tcp . 9000 . 0.0.0.0/0 }'`)
	g.make(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"))
	g.make(t)
	office.make(t)
	if after := nat.Gateway.RuleSet(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// Two applies from the same reading: the second one touches nothing.
func TestLabChangedMeanwhile(t *testing.T) {
	nat := lab.NewNAT(t)
	ctx := context.Background()
	create := func(r plan.Rule) []plan.Change {
		return []plan.Change{{Action: plan.Create, Owner: bt, After: &r}}
	}
	for name, meanwhile := range map[string]func(t *testing.T){
		"another apply": func(t *testing.T) {
			openInside(t, nat.Gateway, "home", "wan0").make(t, forward(t, plan.TCP, "1-9", lab.SeedboxLAN+":1"))
		},
		"by hand": func(t *testing.T) {
			nat.Gateway.Sh(`nft add element inet btplan_home forward4 '{ tcp . 9000 . 0.0.0.0/0 : 192.168.77.12 }'`)
		},
		"all gone": func(t *testing.T) { nat.Boot() },
	} {
		t.Run(name, func(t *testing.T) {
			nat.Boot()
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.make(t, forward(t, plan.TCP, "5000", lab.SeedboxLAN+":5000"))
			meanwhile(t)
			before := nat.Gateway.RuleSet()
			err := g.Apply(ctx, create(forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881")), func(_ plan.Change, err error) {
				if !errors.Is(err, providers.ErrConflict) {
					t.Errorf("told %v", err)
				}
			})
			if !errors.Is(err, providers.ErrConflict) {
				t.Errorf("got %v, want ErrConflict", err)
			}
			if after := nat.Gateway.RuleSet(); after != before {
				t.Errorf("touched:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
	t.Run("both the first", func(t *testing.T) {
		nat.Boot()
		a, b := openInside(t, nat.Gateway, "home", "wan0"), openInside(t, nat.Gateway, "home", "wan0")
		for _, g := range []inside{a, b} {
			if _, err := g.Read(ctx); err != nil {
				t.Fatal(err)
			}
		}
		ignore := func(plan.Change, error) {}
		if err := a.Apply(ctx, create(forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881")), ignore); err != nil {
			t.Fatal(err)
		}
		if err := b.Apply(ctx, create(forward(t, plan.TCP, "6882", lab.SeedboxLAN+":6882")), ignore); !errors.Is(err, providers.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
	})
}

func TestLabProblems(t *testing.T) {
	nat := lab.NewNAT(t)
	nat.Gateway.WriteFile("/etc/rc.local", "#!/bin/sh\nexit 0\n", 0o755)
	for name, test := range map[string]struct{ script, wan, want string }{
		"none":          {"true", "wan0", ""},
		"no init":       {"mv /etc/rc.local /etc/rc.other", "wan0", "Rules won't last over a reboot"},
		"no forwarding": {"sysctl -qw net.ipv4.ip_forward=0", "wan0", "IP forwarding is off"},
		"no interface":  {"true", "ppp0", "There is no interface ppp0"},
	} {
		t.Run(name, func(t *testing.T) {
			nat.Gateway.Sh("[ -e /etc/rc.local ] || mv /etc/rc.other /etc/rc.local; sysctl -qw net.ipv4.ip_forward=1; " + test.script)
			reading, err := openInside(t, nat.Gateway, "home", test.wan).Read(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(summaries(reading.Problems), "; "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("with rules", func(t *testing.T) {
		g := openInside(t, nat.Gateway, "home", "wan0")
		nat.Gateway.Sh(`nft 'add table inet raw; add chain inet raw pre { type filter hook prerouting priority raw; }; add rule inet raw pre iifname wan0 udp dport 7000-7010 counter drop; add rule inet raw pre iifname wan0 tcp dport 1-10 drop; add rule inet raw pre fib saddr . iif oif missing drop'
[ -e /etc/rc.local ] || mv /etc/rc.other /etc/rc.local
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=0`)
		rules := []plan.Rule{
			forward(t, plan.TCP, "6881", "192.168.78.11:6881"), // on no network
			forward(t, plan.TCP, "6882", lab.ClientWAN+":6882"),
			forward(t, plan.UDP, "7005", lab.SeedboxLAN+":7005"),
			forward(t, plan.TCP, "7006", "["+lab.SeedboxLAN6+"]:7006"),
		}
		want := []string{"IPv6 forwarding is off", "No route to 192.168.78.11", lab.ClientWAN + " is on the wrong side", "UDP ports are dropped early"}
		advised := g.Advise(g.plan(t, rules...).Pending()[0].Changes)
		if got := summaries(advised); !slices.Equal(got, want) {
			t.Errorf("beforehand: got %q, want %q", got, want)
		}
		g.make(t, rules...)
		if got := g.ReadBack().Problems; !slices.Equal(got, advised) {
			t.Errorf("afterwards: got %+v, want %+v", got, advised)
		}
		if got := g.Advise(g.plan(t).Pending()[0].Changes); got != nil {
			t.Errorf("before all are removed: got %+v", got)
		}
		g.make(t)
	})
	// A mark that is set too late is none, and only iptables sets it so late.
	t.Run("a chain of nftables that comes early", func(t *testing.T) {
		for b, early := range map[netfilter.Choice]bool{netfilter.Nftables: false, netfilter.Iptables: true} {
			nat := lab.NewNAT(t)
			nat.Seedbox.Listen("tcp", 6881)
			nat.Gateway.Sh(clean("nft") + `touch /etc/rc.local
nft 'add table ip first; add chain ip first f { type filter hook forward priority -200; }; add rule ip first f iifname wan0 ct state new drop'`)
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.backend = b
			g.make(t, forward(t, plan.TCP, "6881", lab.SeedboxLAN+":6881"))
			answer, want := "seedbox tcp 6881 from "+lab.ClientWAN, []string(nil)
			if early {
				answer, want = "", []string{"A chain of nftables comes too early"}
			}
			passes(t, nat.Client, "tcp", 6881, answer)
			if got := summaries(g.ReadBack().Problems); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", b, got, want)
			}
		}
	})
	t.Run("iptables", func(t *testing.T) {
		for _, variant := range []string{"nft", "legacy"} {
			nat := lab.NewNAT(t)
			nat.Gateway.Sh(clean(variant) + `touch /etc/rc.local
iptables -t raw -A PREROUTING -i wan0 -p udp -m multiport --dports 7000:7010,7020 -m comment --comment "no trackers" -j DROP
iptables -t raw -A PREROUTING -i wan0 -p udp --dport 7005 -m limit --limit 5/s -j DROP
iptables -t raw -A PREROUTING -i lan0 -p udp --dport 8005 -j DROP
iptables -t mangle -A PREROUTING -p tcp -m tcp --dport 1:10 -j DROP
iptables -t mangle -A PREROUTING -m conntrack --ctstate INVALID -j DROP
ip6tables -t mangle -A PREROUTING -p tcp --dport 8006 -j DROP
` + withoutNft)
			g := openInside(t, nat.Gateway, "home", "wan0")
			g.make(t,
				forward(t, plan.UDP, "7005", lab.SeedboxLAN+":7005"), forward(t, plan.UDP, "8005", lab.SeedboxLAN+":8005"),
				forward(t, plan.TCP, "8006", lab.SeedboxLAN+":8006"), forward(t, plan.TCP, "8006", "["+lab.SeedboxLAN6+"]:8006"))
			var got []string
			for _, p := range g.ReadBack().Problems {
				got = append(got, p.Summary+": "+p.Detail)
			}
			if len(got) != 2 || !strings.Contains(got[0], "table raw of iptables") || !strings.Contains(got[0], "no trackers") ||
				!strings.Contains(got[1], "table mangle of ip6tables") || !strings.Contains(got[1], "8006") {
				t.Errorf("%s: got %q", variant, got)
			}
		}
	})
	t.Run("no default route", func(t *testing.T) {
		_, err := openInside(t, nat.Gateway, "home", "").Read(context.Background())
		if err == nil || !strings.Contains(err.Error(), "set wan_interface") {
			t.Errorf("got %v", err)
		}
		nat.Gateway.Sh("ip route add default via " + lab.ClientWAN)
		if _, err := openInside(t, nat.Gateway, "home", "").Read(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// A peer that keeps sending, from the same port, comes through as soon as its
// port is forwarded, and no longer when it isn't. A flow of somebody else with
// the same port outside goes on.
func TestLabUDPFlows(t *testing.T) {
	lab.Need(t, "conntrack")
	nat := lab.NewNAT(t)
	nat.Seedbox.Listen("udp", 6881, 7000)
	nat.Stranger.Listen("udp", 6881)
	nat.Gateway.Sh(`nft insert rule inet filter input iifname wan0 udp dport 6881-7000 accept`)
	g := openInside(t, nat.Gateway, "home", "wan0")
	peer, err := nat.Client.Dial("udp", lab.GatewayWAN+":6881", lab.Patient)
	if err != nil {
		t.Fatal(err)
	}
	outbound, err := nat.Desktop.Dial("udp", lab.StrangerWAN+":6881", lab.Patient)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(conn net.Conn, wait time.Duration) string {
		t.Helper()
		for deadline := time.Now().Add(wait); time.Now().Before(deadline); {
			if _, err := conn.Write([]byte("?\n")); err != nil {
				// The gateway has said that nobody listens: try again.
				continue
			}
			if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 200)
			if n, err := conn.Read(buf); err == nil {
				return strings.Join(strings.Fields(string(buf[:n]))[:3], " ")
			}
		}
		return ""
	}
	drain := func() { ask(peer, lab.Brief) } // answers that were on their way
	if got := ask(peer, lab.Brief); got != "" {
		t.Fatalf("before: %q", got)
	}
	if got := ask(outbound, lab.Patient); got != "stranger udp 6881" {
		t.Fatalf("outbound: %q", got)
	}
	flow := func() string {
		return nat.Gateway.Sh("conntrack -L -p udp --orig-dst " + lab.StrangerWAN + " 2>/dev/null | grep -c . || true")
	}
	flows := flow()

	g.make(t, forward(t, plan.UDP, "6881", lab.SeedboxLAN+":6881"))
	if got := ask(peer, lab.Patient); got != "seedbox udp 6881" {
		t.Errorf("after the forward came: %q", got)
	}
	g.make(t, forward(t, plan.UDP, "6881", lab.SeedboxLAN+":7000"))
	drain()
	if got := ask(peer, lab.Patient); got != "seedbox udp 7000" {
		t.Errorf("after the forward moved: %q", got)
	}
	g.make(t)
	drain()
	if got := ask(peer, lab.Brief); got != "" {
		t.Errorf("after the forward went: %q", got)
	}
	if got := flow(); got != flows {
		t.Errorf("of somebody else's flow there were %s entries, now %s", flows, got)
	}
}

func summaries(problems []providers.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Summary)
	}
	return out
}
