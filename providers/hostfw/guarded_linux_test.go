package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// Who has shut the very ports has done so on purpose; a broader rule, or one
// against some senders, is overridden, and named.
func TestLabPacketFilterDenials(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	for name, test := range map[string]struct{ firewall, typ, rule, want string }{
		"nft, broader":        {nftDrop, "nftables", "nft insert rule inet filter input tcp dport 6000-7999 drop", "warning: Rules are overridden. nftables has rules that would keep packets out of the ports that are to be opened: rule handle"},
		"nft, some senders":   {nftDrop, "nftables", "nft insert rule inet filter input ip saddr 203.0.113.9 drop", "(nft -a list chain inet filter input shows it)"},
		"nft, the very ports": {nftDrop, "nftables", "nft insert rule inet filter input tcp dport { 6881, 6885-6889 } reject", "refused: A rule shuts these ports. Rule handle"},
		"nft, other ports":    {nftDrop, "nftables", "nft insert rule inet filter input tcp dport 6000-6880 drop", ""},
		"nft, another state":  {nftDrop, "nftables", "nft insert rule inet filter input tcp dport 6881 ct state new limit rate over 5/second drop", ""},
		"nft, jumped to": {nftDrop, "nftables", "nft 'add chain inet filter shut; add rule inet filter shut tcp dport 6881-7000 drop; insert rule inet filter input jump shut'",
			"(nft -a list chain inet filter shut shows it)"},
		"iptables, broader":        {iptablesDrop("legacy"), "iptables", "iptables-legacy -I INPUT -p tcp -m multiport --dports 80,6885 -j DROP", "rule -A INPUT -p tcp -m multiport --dports 80,6885 -j DROP of chain INPUT of table filter of iptables-legacy"},
		"iptables, the very ports": {iptablesDrop("legacy"), "iptables", "ip6tables-legacy -I INPUT -p tcp --dport 6885 -j REJECT", "refused: A rule shuts these ports. Rule -A INPUT -p tcp -m tcp --dport 6885 -j REJECT --reject-with icmp6-port-unreachable of chain INPUT of table filter of ip6tables-legacy"},
		"iptables, seen by nft":    {iptablesDrop("nft"), "nftables", "iptables-nft -I INPUT -p tcp --dport 6881:6889 -j DROP", "refused: A rule shuts these ports"},
		"iptables, everything":     {iptablesDrop("nft"), "nftables", "iptables-nft -A INPUT -j REJECT", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := hosttest.NewPair(t)
			p.Machine.Sh(test.firewall + test.rule)
			d := hosttest.OpenInside(t, p.Machine, kindNamed(test.typ), "home")
			got := d.Warned(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889")}})
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if strings.HasPrefix(test.want, "refused") {
				return
			}
			// An overridden rule is really overridden.
			p.Machine.Listen("tcp", 6885)
			d.Make(t, hosttest.Allow(t, plan.TCP, "6881-6889"))
			p.Passes(t, "tcp", 6885, true)
		})
	}
}

// Somebody else does things to our rules: each is drift, and mended.
func TestLabPacketFilterDrift(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	const (
		viaNft  = "nftables"
		viaIpt  = "iptables"
		noHooks = `nft delete rule inet filter input handle $(nft -a list chain inet filter input | sed -n 's/.*btplan:hook.*handle //p')`
	)
	for name, test := range map[string]struct{ firewall, typ, script, why string }{
		"an element goes":  {nftDrop, viaNft, `nft 'delete element inet btplanhost_home in { udp . 6881 }'`, "changed on the machine"},
		"an element comes": {nftDrop, viaNft, `nft 'add element inet btplanhost_home in { tcp . 7000 comment "` + plan.Mark("home", hosttest.BT) + `:00000000" }'`, "changed on the machine"},
		"a mark goes":      {nftDrop, viaNft, `nft 'delete element inet btplanhost_home in { udp . 6881 }; add element inet btplanhost_home in { udp . 6881 }'`, "it has lost btplan's mark"},
		"a comment goes": {iptablesDrop("legacy"), viaIpt, `for I in iptables-legacy ip6tables-legacy; do
	$I -R BTPLANHOST-IN-home $(($($I -S BTPLANHOST-IN-home | grep -n -- "-p udp" | cut -d: -f1) - 1)) -p udp --dport 6881 -j ACCEPT
done`, "it has lost btplan's mark"},
		"the hook goes":        {nftDrop, viaNft, noHooks, "btplan's rule in it is missing or too far down"},
		"the hook is too late": {nftDrop, viaNft, "nft insert rule inet filter input tcp dport 1-65535 drop", "btplan's rule in it is missing or too far down"},
		"a chain goes":         {nftDrop, viaNft, "nft 'flush chain inet btplanhost_home input; delete chain inet btplanhost_home input'", "is missing or was changed"},
		"its rules go":         {nftDrop, viaNft, "nft flush chain inet btplanhost_home let_in", "the rules of chain let_in"},
		"output is dropped":    {nftDrop, viaNft, outputDrop, "is missing or was changed"},
		"the table goes":       {nftDrop, viaNft, "nft delete table inet btplanhost_home", ""},
		"a rule goes":          {iptablesDrop("legacy"), viaIpt, "ip6tables-legacy -D BTPLANHOST-IN-home 1", "were changed"},
		"the jump goes":        {iptablesDrop("legacy"), viaIpt, "iptables-legacy -D INPUT 1", "that leads to BTPLANHOST-IN-home is missing or too far down"},
		"a drop comes first":   {iptablesDrop("legacy"), viaIpt, "iptables-legacy -I INPUT -p tcp -j DROP", "that leads to BTPLANHOST-IN-home is missing or too far down"},
		"another filter drops": {iptablesDrop("legacy"), viaIpt, "nft 'add table inet more; add chain inet more input { type filter hook input priority 0; policy drop; }; add rule inet more input meta l4proto ipv6-icmp accept'", "is missing"},
		"all is flushed":       {iptablesDrop("nft"), viaIpt, "iptables-nft -F; iptables-nft -X", "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := hosttest.NewPair(t)
			p.Machine.Sh(test.firewall)
			p.Machine.Listen("tcp", 6885)
			d := hosttest.OpenInside(t, p.Machine, kindNamed(test.typ), "home")
			want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881")}}
			d.MakeAll(t, want)
			p.Machine.Sh(test.script)
			pending := d.Plan(t, want).Pending()
			drift := ""
			for _, r := range pending {
				for _, c := range r.Changes {
					drift += c.Because
				}
			}
			if len(pending) == 0 || !strings.Contains(drift, test.why) {
				t.Errorf("want drift because %q, got %+v", test.why, pending)
			}
			d.MakeAll(t, want)
			p.Passes(t, "tcp", 6885, true)
		})
	}
}

// Where nobody drops anything, our rules are there and no hooks.
func TestLabPacketFilterOpen(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	p := hosttest.NewPair(t)
	if got := hosttest.OpenInside(t, p.Machine, autoKind, "home").Plan(t, nil); len(got.Pending()) > 0 {
		t.Error(got)
	}
	if now := p.Machine.Sh("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names; nft list ruleset; ls /run | grep btplan || true"); now != "" {
		t.Errorf("reading has made\n%s", now)
	}
	p.Machine.Sh("nft 'add table inet filter; add chain inet filter input { type filter hook input priority 0; }'")
	before := p.Machine.Sh("nft list table inet filter")
	d := hosttest.OpenInside(t, p.Machine, autoKind, "home")
	d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
	if found := d.ReadBack().Found; found != "nftables" {
		t.Errorf("auto found %q", found)
	}
	if now := p.Machine.Sh("nft list table inet filter"); now != before {
		t.Errorf("the chain was changed:\n%s", now)
	}
}

// What the machine itself sends to the ports of trackers gets out, and the
// answers in, even where nobody has thought of answers.
func TestLabTrackers(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	const shut = `nft -f - <<'END'
table inet shut {
	chain input { type filter hook input priority 0; policy drop; meta l4proto { icmp, ipv6-icmp } accept; }
	chain output { type filter hook output priority 0; policy drop; meta l4proto { icmp, ipv6-icmp } accept; }
}
END
`
	legacy := iptablesDrop("legacy") + iptablesOutputDrop("legacy") + "for I in iptables-legacy ip6tables-legacy; do $I -D INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; done\n"
	for name, test := range map[string]struct{ firewall, typ string }{
		"nftables":                  {shut, "nftables"},
		"iptables":                  {legacy, "iptables"},
		"both, ours in iptables":    {legacy + shut, "iptables"},
		"both, ours in nftables":    {legacy + shut, "nftables"},
		"iptables-nft, ours in nft": {iptablesDrop("nft") + iptablesOutputDrop("nft"), "nftables"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := hosttest.NewPair(t)
			p.Machine.Sh(test.firewall)
			for _, protocol := range []string{"tcp", "udp"} {
				p.Other.Listen(protocol, 6969, 6970)
			}
			getsOut := func(port string, want bool) {
				t.Helper()
				wait := lab.Brief
				if want {
					wait = lab.Patient
				}
				for _, protocol := range []string{"tcp", "udp"} {
					for _, addr := range []string{hosttest.OtherAddr, "[" + hosttest.OtherAddr6 + "]"} {
						if _, err := p.Machine.Probe(protocol, addr+":"+port, wait); (err == nil) != want {
							t.Errorf("%s to %s:%s: %v, want it to pass: %t", protocol, addr, port, err, want)
						}
					}
				}
			}
			getsOut("6969", false)
			d := hosttest.OpenInside(t, p.Machine, kindNamed(test.typ), "home")
			before := filterDump(p.Machine)
			d.MakeAll(t, host.Owned{hosttest.Seedbox: {
				{Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}},
				{Kind: plan.Outbound, Protocol: plan.UDP, Ports: plan.PortRange{First: 6969, Last: 6969}},
			}})
			if !d.ReadBack().DropsOutbound {
				t.Error("our own rules make it think that nothing is dropped")
			}
			getsOut("6969", true)
			getsOut("6970", false)
			d.Make(t)
			getsOut("6969", false)
			if after := filterDump(p.Machine); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// A machine that systemd runs on has the rules again after a reboot, and after
// the manager of its own rules has loaded them anew.
func TestLabPacketFilterBoot(t *testing.T) {
	t.Parallel()
	p := hosttest.NewPair(t)
	p.Machine.ServeSystemd()
	p.Machine.Sh(nftDrop + "systemctl enable nftables.service; systemctl start nftables.service")
	units := func() string { return p.Machine.Sh("cd /etc/systemd/system; find . | sort") }
	before := units()
	p.Machine.Listen("tcp", 6881, 6882)
	d := hosttest.OpenInside(t, p.Machine, autoKind, "home")
	d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
	if err := p.Machine.VerifyUnit("/etc/systemd/system/btplan-home.host.service"); err != nil {
		t.Error(err)
	}
	for _, again := range []func(){
		func() {},
		func() { p.Machine.Sh("systemctl restart nftables.service") },
		func() { p.Machine.Sh("systemctl reload nftables.service") },
		func() {
			p.Machine.Restart("systemctl default")
			p.Machine.Listen("tcp", 6881, 6882)
		},
	} {
		again()
		p.Passes(t, "tcp", 6881, true)
		p.Passes(t, "tcp", 6882, false)
		if left := d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}).Pending(); len(left) > 0 {
			t.Errorf("there is something to do: %+v", left)
		}
	}
	p.Machine.Sh("systemctl disable btplan-home.host.service")
	if left := d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}).Pending(); len(left) != 1 || left[0].Changes[0].Because != host.Unsaved {
		t.Errorf("got %+v", left)
	}
	d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
	// Rules that are flushed come back at the next boot, wanted or not.
	p.Machine.Sh("nft delete table inet btplanhost_home")
	d.Plan(t, nil)
	if problems := d.ReadBack().Problems; len(problems) != 1 || problems[0].Summary != "Rules that are gone come back at the next boot" {
		t.Errorf("the rules were flushed, and what is said is %+v", problems)
	}
	d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
	d.Destroy(t)
	if after := units(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// Of iptables, rules are there again after a reboot too: whatever loads those of
// the machine's owner comes first, and flushes all others.
func TestLabIptablesBoot(t *testing.T) {
	t.Parallel()
	lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			p := hosttest.NewPair(t)
			rcLocal := "#!/bin/sh\n" + reloadIptables(variant) + "exit 0\n"
			p.Machine.WriteFile("/etc/rc.local", rcLocal, 0o755)
			p.Machine.Sh(iptablesDrop(variant) + withoutNft)
			before := filterDump(p.Machine)
			d := hosttest.OpenInside(t, p.Machine, kindNamed("iptables"), "home")
			rule := hosttest.Allow(t, plan.TCP, "6881")
			d.Make(t, rule)
			p.Machine.Restart("sh -e /etc/rc.local")
			p.Machine.Listen("tcp", 6881, 6882)
			p.Passes(t, "tcp", 6881, true)
			p.Passes(t, "tcp", 6882, false)
			if left := d.Plan(t, host.Owned{hosttest.BT: {rule}}).Pending(); len(left) > 0 {
				t.Errorf("there is something to do: %+v", left)
			}
			d.Destroy(t)
			if after := filterDump(p.Machine); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
			if got := p.Machine.ReadFile("/etc/rc.local"); got != rcLocal {
				t.Errorf("left in rc.local: %s", got)
			}
		})
	}
}
