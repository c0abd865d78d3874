package firewalld

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/providertest"
)

// kernelDump is what it has on disk and in the kernel, without asking it:
// that takes its time.
func kernelDump(h *lab.Host) string {
	return h.Sh("find /etc/firewalld -type f | sort | xargs tail -n +1") + h.RuleSet()
}

var matrix = hosttest.Matrix{Kind: Kind, Reload: "firewall-cmd --reload", Dump: hosttest.FirewalldDump}

// shutOut is a policy that rejects what the machine sends, but for what IPv6
// can't do without, and some rules.
func shutOut(rules string) string {
	return "cat >" + policiesDir + `/shut.xml <<'END'
<?xml version="1.0" encoding="utf-8"?>
<policy target="REJECT" priority="-1">
  <ingress-zone name="HOST"/>
  <egress-zone name="ANY"/>
  <rule family="ipv6"><icmp-type name="neighbour-solicitation"/><accept/></rule>
  <rule family="ipv6"><icmp-type name="neighbour-advertisement"/><accept/></rule>
  ` + rules + `
</policy>
END
`
}

func TestLabFirewalld(t *testing.T) {
	t.Parallel()
	matrix.Run(t, hosttest.NewFirewalld(t))
}

// A new policy needs a reload. What others have set until the next one is there
// all the same, afterwards and when all is destroyed.
func TestLabFirewalldRuntimeRules(t *testing.T) {
	t.Parallel()
	p := hosttest.NewFirewalld(t)
	p.Machine.Listen("tcp", 4444, 6881)
	p.Machine.Sh(`firewall-cmd --add-port=4444/tcp --add-port=5000-5010/udp
firewall-cmd --remove-service=dhcpv6-client
firewall-cmd --add-rich-rule='rule family="ipv4" source address="203.0.113.9" log prefix="it'"'"'s $(c) " drop'
firewall-cmd --zone=home --add-source=203.0.113.128/25
firewall-cmd --zone=home --add-forward-port=port=80:proto=tcp:toport=8080
firewall-cmd --policy=allow-host-ipv6 --add-rich-rule='rule port port="9" protocol="udp" accept'`)
	// firewalld lists what is on one line in any order.
	settings := func() string {
		var lines []string
		for line := range strings.Lines(p.Machine.Sh("firewall-cmd --list-all-zones; firewall-cmd --policy allow-host-ipv6 --list-all")) {
			words := strings.Fields(line)
			slices.Sort(words)
			lines = append(lines, strings.Join(words, " "))
		}
		return strings.Join(lines, "\n")
	}
	before := settings()
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	got := d.Warned(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}})
	if !strings.Contains(got, `203.0.113.9`) || !strings.Contains(got, "warning: Rules are overridden") {
		t.Errorf("got %q", got)
	}
	for range 2 {
		d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
		p.Passes(t, "tcp", 6881, true)
		p.Passes(t, "tcp", 4444, true)
		d.Make(t)
		p.Passes(t, "tcp", 6881, false)
		p.Passes(t, "tcp", 4444, true)
	}
	if after := settings(); after != before {
		t.Errorf("what others had set was\n%s\nand is\n%s", before, after)
	}
}

// Who has shut the very ports has done so on purpose.
func TestLabFirewalldConflict(t *testing.T) {
	t.Parallel()
	p := hosttest.NewFirewalld(t)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	p.Machine.Sh(`firewall-cmd --add-rich-rule='rule port port="6885" protocol="tcp" reject'`)
	if got := d.Warned(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889")}}); !strings.Contains(got, "refused: A rule shuts these ports") {
		t.Errorf("got %q", got)
	}
}

// Somebody else does things to our rules: each is drift, and mended. What they
// put beside them stays.
func TestLabFirewalldDrift(t *testing.T) {
	t.Parallel()
	p := hosttest.NewFirewalld(t)
	before := hosttest.FirewalldDump(p.Machine)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881", "203.0.113.7/32")}}
	const rule = `'rule port port="6881-6889" protocol="tcp" accept'`
	for script, why := range map[string]string{
		"firewall-cmd --policy btplan-home --remove-rich-rule=" + rule:             "it is not in force",
		"firewall-cmd --permanent --policy btplan-home --remove-rich-rule=" + rule: "missing in firewalld's permanent configuration",
		"firewall-cmd --permanent --policy btplan-home --set-priority=7":           "its policy was changed on the machine",
		"firewall-cmd --policy btplan-home --remove-ingress-zone=ANY":              "until the next reload",
	} {
		d.MakeAll(t, want)
		p.Machine.Sh(script)
		found := false
		pending := d.Plan(t, want).Pending()
		for _, r := range pending {
			for _, c := range r.Changes {
				found = found || c.Drift && strings.Contains(c.Because, why)
			}
		}
		if !found {
			t.Errorf("%s: want drift because %q, got %+v", script, why, pending)
		}
		d.MakeAll(t, want)
	}
	theirs := func(verb string) {
		p.Machine.Sh(`for p in '' --permanent; do
	firewall-cmd $p --policy btplan-home --` + verb + `-port=7777/tcp
	firewall-cmd $p --policy btplan-home --` + verb + `-rich-rule='rule port port="9" protocol="udp" accept'
done
rm -f /etc/firewalld/policies/*.old`)
	}
	theirs("add")
	d.Make(t, hosttest.Allow(t, plan.TCP, "6881-6899"))
	p.Machine.Sh("firewall-cmd --policy btplan-home --query-port=7777/tcp && firewall-cmd --permanent --policy btplan-home --query-port=7777/tcp")
	theirs("remove")
	d.MakeAll(t, nil)
	if after := hosttest.FirewalldDump(p.Machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// A firewalld that doesn't run takes rules for when it does, and has them after
// a reboot.
func TestLabFirewalldStopped(t *testing.T) {
	t.Parallel()
	lab.Need(t, "firewalld", "firewall-cmd", "dbus-daemon", "busctl")
	p := hosttest.NewPair(t)
	d := hosttest.OpenInside(t, p.Machine, Kind, "a project with a long name")
	rules := []plan.Rule{hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881", hosttest.OtherAddr+"/32", hosttest.OtherAddr6+"/128")}
	d.Make(t, rules...)
	if problems := d.ReadBack().Problems; len(problems) != 1 || problems[0].Summary != "firewalld is not running" {
		t.Errorf("got %+v", problems)
	}
	p.Machine.ServeFirewalld()
	for range 2 {
		p.Machine.Listen("tcp", 6880, 6889)
		p.Machine.Listen("udp", 6881)
		p.Passes(t, "tcp", 6889, true)
		p.Passes(t, "udp", 6881, true)
		p.Passes(t, "tcp", 6880, false)
		if left := d.Plan(t, host.Owned{hosttest.BT: rules}).Pending(); len(left) > 0 {
			t.Errorf("there is something to do: %+v", left)
		}
		p.Machine.Restart("")
	}
	d.Make(t)
}

// Where a policy drops what the machine sends, trackers are let out to, and
// nobody else; so they are after a reload and a reboot.
func TestLabFirewalldTrackers(t *testing.T) {
	t.Parallel()
	p := hosttest.NewFirewalldWith(t, shutOut(`<rule><port port="6960-6969" protocol="udp"/><drop/></rule>
  <port port="443" protocol="tcp"/>`))
	p.Other.Listen("tcp", 6968, 6969)
	p.Other.Listen("udp", 6968, 6969)
	before := hosttest.FirewalldDump(p.Machine)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	want := host.Owned{hosttest.Seedbox: {hosttest.Out(t, plan.TCP, "443"), hosttest.Out(t, plan.TCP, "6969"), hosttest.Out(t, plan.UDP, "6969")}, hosttest.BT: {hosttest.Allow(t, plan.TCP, "6968")}}
	got := d.Warned(t, want)
	if !strings.Contains(got, `drop" of the policy shut`) || strings.Contains(got, "refused") {
		t.Errorf("got %q", got)
	}
	p.GetsOut(t, "tcp", "6969", false)
	d.MakeAll(t, want)
	if !d.ReadBack().DropsOutbound {
		t.Error("our own rules make it think that nothing is dropped")
	}
	if list := p.Machine.Sh("firewall-cmd --policy btpout-home --list-all"); strings.Contains(list, `"443"`) {
		t.Errorf("what is let out already is let out once more:\n%s", list)
	}
	for _, again := range []func(){
		func() {},
		func() { p.Machine.Sh("firewall-cmd --reload") },
		func() { p.Machine.Restart("") },
	} {
		again()
		for _, protocol := range []string{"tcp", "udp"} {
			p.GetsOut(t, protocol, "6969", true)
			p.GetsOut(t, protocol, "6968", false)
		}
		if left := d.Plan(t, want).Pending(); len(left) > 0 {
			t.Errorf("there is something to do: %+v", left)
		}
	}
	// The way in stays as it is when that out changes, and what others have set
	// until the next reload too.
	p.Machine.Sh("firewall-cmd --policy btplan-home --add-port=7777/udp")
	d.MakeAll(t, host.Owned{hosttest.BT: want[hosttest.BT]})
	p.GetsOut(t, "tcp", "6969", false)
	p.Machine.Sh("firewall-cmd --policy btplan-home --query-port=7777/udp")
	d.MakeAll(t, nil)
	if after := hosttest.FirewalldDump(p.Machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// What others do while a change waits to be claimed outlives it: of the change
// only its own rules are taken back, and not even they when somebody has changed
// them.
func TestLabFirewalldUndo(t *testing.T) {
	t.Parallel()
	p := hosttest.NewFirewalld(t)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	ours := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "7001")}}
	const theirs = "rule priority=\"-1\" port port=\"7777\" protocol=\"tcp\" accept"
	addTheirs := func(where string) {
		p.Machine.Sh("firewall-cmd " + where + " --add-rich-rule='" + theirs + "'")
	}
	untouched := hosttest.FirewalldDump(p.Machine)

	// A policy comes, and nobody does anything.
	p.Machine.Run("sh", "-c", d.Unclaimed(t, ours))
	if after := hosttest.FirewalldDump(p.Machine); after != untouched {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, untouched)
	}

	// A policy comes, and so does a rule of somebody else.
	takeBack := d.Unclaimed(t, ours)
	addTheirs("--zone=home")
	p.Machine.Run("sh", "-c", takeBack)
	p.Machine.Sh("firewall-cmd --zone=home --query-rich-rule='" + theirs + "'")
	if got := p.Machine.Sh("firewall-cmd --policy btplan-home --list-rich-rules; ls " + policiesDir); strings.TrimSpace(got) != "" {
		t.Errorf("of the change there is still %q", got)
	}

	// Rules of ours change, and somebody reloads: that is no change of ours.
	d.MakeAll(t, ours)
	takeBack = d.Unclaimed(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "1"), hosttest.Allow(t, plan.TCP, "7001")}})
	p.Machine.Sh("firewall-cmd --reload")
	p.Machine.Run("sh", "-c", takeBack)
	if left := d.Plan(t, ours).Pending(); len(left) > 0 {
		t.Errorf("there is something to do: %+v", left)
	}

	// Rules of ours change, and then somebody changes them too.
	takeBack = d.Unclaimed(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "7002")}})
	addTheirs("--policy=btplan-home")
	before := hosttest.FirewalldDump(p.Machine)
	p.Machine.Run("sh", "-c", takeBack)
	if after := hosttest.FirewalldDump(p.Machine); after != before {
		t.Errorf("changed by others, and yet taken back:\n%s\nbefore:\n%s", after, before)
	}

	// The policy goes, and somebody sets something: that stays, and the policy is
	// back from the next reload on.
	takeBack = d.Unclaimed(t, nil)
	addTheirs("--zone=work")
	p.Machine.Run("sh", "-c", takeBack)
	p.Machine.Sh("firewall-cmd --zone=work --query-rich-rule='" + theirs + "'")
	pending := d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "7002")}}).Pending()
	if len(pending) != 1 || pending[0].Changes[0].Because != "its policy is not in force" {
		t.Errorf("got %+v", pending)
	}
	if got := p.Machine.Sh("ls -d /run/btplan/* 2>/dev/null || :"); got != "" {
		t.Errorf("files are left behind: %s", got)
	}
}

// The machine takes back what cuts btplan off.
func TestLabFirewalldRevert(t *testing.T) {
	t.Parallel()
	p := hosttest.NewFirewalld(t)
	const revertAfter = 6 * time.Second
	d := p.OpenOver(t, Kind, revertAfter)
	before := hosttest.FirewalldDump(p.Machine)
	changes := d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}).Pending()[0].Changes
	changed := p.Machine.SawRules("btplan-home")
	result := make(chan error, 1)
	go func() { result <- d.Apply(context.Background(), changes, func(plan.Change, error) {}) }()
	<-changed
	p.Other.Cut()
	if err := <-result; !errors.Is(err, providers.ErrRolledBack) {
		t.Errorf("got %v, want it rolled back", err)
	}
	p.AwaitDump(t, hosttest.FirewalldDump, before)
}

// The whole suite runs where what the machine sends is dropped: once is enough,
// for firewalld takes its time.
func TestLabFirewalldSuite(t *testing.T) {
	t.Parallel()
	p := hosttest.NewFirewalldWith(t, shutOut(""))
	foreign := false
	providertest.Run(t, providertest.Suite{
		Kind:     plan.Allow,
		Outbound: true,
		New: func(*testing.T) *providertest.Bench {
			if foreign {
				p.Machine.Sh("firewall-cmd --reload")
				foreign = false
			}
			return &providertest.Bench{
				Addr: hosttest.Seedbox,
				Open: func(t *testing.T, project string) providers.Device {
					return hosttest.OpenInside(t, p.Machine, Kind, project)
				},
				AddForeign: func(_ *testing.T, r plan.Rule) {
					where := "--zone public"
					if r.Kind == plan.Outbound {
						where = "--policy shut"
					}
					p.Machine.Sh("firewall-cmd " + where + " --add-port=" + r.Ports.String() + "/" + string(r.Protocol))
					foreign = true
				},
				Tamper: func(t *testing.T) {
					rule := strings.TrimSpace(p.Machine.Sh("firewall-cmd --policy btplan-home --list-rich-rules | head -n 1"))
					if rule == "" {
						t.Fatal("there is no rule to take away")
					}
					p.Machine.Run("firewall-cmd", "--policy", "btplan-home", "--remove-rich-rule="+rule)
				},
				Dump: func(*testing.T) string { return kernelDump(p.Machine) },
			}
		},
	})
}
