package hostfw

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
	"github.com/btplan/btplan/providers/providertest"
)

// firewalldDump is all that a firewalld holds, now and for good, and has put
// into force.
func firewalldDump(h *lab.Host) string {
	return h.Sh("find /etc/firewalld -type f | sort | xargs tail -n +1; firewall-cmd --list-all-zones; firewall-cmd --list-all-policies") + h.RuleSet()
}

// firewalldKernelDump is what it has on disk and in the kernel, without asking it:
// that takes its time.
func firewalldKernelDump(h *lab.Host) string {
	return h.Sh("find /etc/firewalld -type f | sort | xargs tail -n +1") + h.RuleSet()
}

var firewalldMatrix = matrix{kind: firewalldKind, reload: "firewall-cmd --reload", dump: firewalldDump}

func newFirewalld(t *testing.T) pair {
	t.Helper()
	return newFirewalldWith(t, "")
}

// newFirewalldWith starts firewalld after a script, which saves reloading it.
func newFirewalldWith(t *testing.T, script string) pair {
	t.Helper()
	lab.Need(t, "firewalld", "firewall-cmd", "dbus-daemon", "busctl")
	p := newPair(t)
	p.machine.Sh("mkdir -p " + policiesDir + "\n" + script)
	p.machine.ServeFirewalld()
	return p
}

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
	firewalldMatrix.run(t, newFirewalld(t))
}

// A new policy needs a reload. What others have set until the next one is there
// all the same, afterwards and when all is destroyed.
func TestLabFirewalldRuntimeRules(t *testing.T) {
	t.Parallel()
	p := newFirewalld(t)
	p.machine.Listen("tcp", 4444, 6881)
	p.machine.Sh(`firewall-cmd --add-port=4444/tcp --add-port=5000-5010/udp
firewall-cmd --remove-service=dhcpv6-client
firewall-cmd --add-rich-rule='rule family="ipv4" source address="203.0.113.9" log prefix="it'"'"'s $(c) " drop'
firewall-cmd --zone=home --add-source=203.0.113.128/25
firewall-cmd --zone=home --add-forward-port=port=80:proto=tcp:toport=8080
firewall-cmd --policy=allow-host-ipv6 --add-rich-rule='rule port port="9" protocol="udp" accept'`)
	// firewalld lists what is on one line in any order.
	settings := func() string {
		var lines []string
		for line := range strings.Lines(p.machine.Sh("firewall-cmd --list-all-zones; firewall-cmd --policy allow-host-ipv6 --list-all")) {
			words := strings.Fields(line)
			slices.Sort(words)
			lines = append(lines, strings.Join(words, " "))
		}
		return strings.Join(lines, "\n")
	}
	before := settings()
	d := openInside(t, p.machine, firewalldKind, "home")
	got := d.warned(t, owned{bt: {allow(t, plan.TCP, "6881")}})
	if !strings.Contains(got, `203.0.113.9`) || !strings.Contains(got, "warning: Rules are overridden") {
		t.Errorf("got %q", got)
	}
	for range 2 {
		d.make(t, allow(t, plan.TCP, "6881"))
		p.passes(t, "tcp", 6881, true)
		p.passes(t, "tcp", 4444, true)
		d.make(t)
		p.passes(t, "tcp", 6881, false)
		p.passes(t, "tcp", 4444, true)
	}
	if after := settings(); after != before {
		t.Errorf("what others had set was\n%s\nand is\n%s", before, after)
	}
}

// Who has shut the very ports has done so on purpose.
func TestLabFirewalldConflict(t *testing.T) {
	t.Parallel()
	p := newFirewalld(t)
	d := openInside(t, p.machine, firewalldKind, "home")
	p.machine.Sh(`firewall-cmd --add-rich-rule='rule port port="6885" protocol="tcp" reject'`)
	if got := d.warned(t, owned{bt: {allow(t, plan.TCP, "6881-6889")}}); !strings.Contains(got, "refused: A rule shuts these ports") {
		t.Errorf("got %q", got)
	}
}

// Somebody else does things to our rules: each is drift, and mended. What they
// put beside them stays.
func TestLabFirewalldDrift(t *testing.T) {
	t.Parallel()
	p := newFirewalld(t)
	before := firewalldDump(p.machine)
	d := openInside(t, p.machine, firewalldKind, "home")
	want := owned{bt: {allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "6881", "203.0.113.7/32")}}
	const rule = `'rule port port="6881-6889" protocol="tcp" accept'`
	for script, why := range map[string]string{
		"firewall-cmd --policy btplan-home --remove-rich-rule=" + rule:             "it is not in force",
		"firewall-cmd --permanent --policy btplan-home --remove-rich-rule=" + rule: "missing in firewalld's permanent configuration",
		"firewall-cmd --permanent --policy btplan-home --set-priority=7":           "its policy was changed on the machine",
		"firewall-cmd --policy btplan-home --remove-ingress-zone=ANY":              "until the next reload",
	} {
		d.makeAll(t, want)
		p.machine.Sh(script)
		found := false
		pending := d.plan(t, want).Pending()
		for _, r := range pending {
			for _, c := range r.Changes {
				found = found || c.Drift && strings.Contains(c.Because, why)
			}
		}
		if !found {
			t.Errorf("%s: want drift because %q, got %+v", script, why, pending)
		}
		d.makeAll(t, want)
	}
	theirs := func(verb string) {
		p.machine.Sh(`for p in '' --permanent; do
	firewall-cmd $p --policy btplan-home --` + verb + `-port=7777/tcp
	firewall-cmd $p --policy btplan-home --` + verb + `-rich-rule='rule port port="9" protocol="udp" accept'
done
rm -f /etc/firewalld/policies/*.old`)
	}
	theirs("add")
	d.make(t, allow(t, plan.TCP, "6881-6899"))
	p.machine.Sh("firewall-cmd --policy btplan-home --query-port=7777/tcp && firewall-cmd --permanent --policy btplan-home --query-port=7777/tcp")
	theirs("remove")
	d.makeAll(t, nil)
	if after := firewalldDump(p.machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// A firewalld that doesn't run takes rules for when it does, and has them after
// a reboot.
func TestLabFirewalldStopped(t *testing.T) {
	t.Parallel()
	lab.Need(t, "firewalld", "firewall-cmd", "dbus-daemon", "busctl")
	p := newPair(t)
	d := openInside(t, p.machine, firewalldKind, "a project with a long name")
	rules := []plan.Rule{allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "6881", otherAddr+"/32", otherAddr6+"/128")}
	d.make(t, rules...)
	if problems := d.ReadBack().Problems; len(problems) != 1 || problems[0].Summary != "firewalld is not running" {
		t.Errorf("got %+v", problems)
	}
	p.machine.ServeFirewalld()
	for range 2 {
		p.machine.Listen("tcp", 6880, 6889)
		p.machine.Listen("udp", 6881)
		p.passes(t, "tcp", 6889, true)
		p.passes(t, "udp", 6881, true)
		p.passes(t, "tcp", 6880, false)
		if left := d.plan(t, owned{bt: rules}).Pending(); len(left) > 0 {
			t.Errorf("there is something to do: %+v", left)
		}
		p.machine.Restart("")
	}
	d.make(t)
}

// Where a policy drops what the machine sends, trackers are let out to, and
// nobody else; so they are after a reload and a reboot.
func TestLabFirewalldTrackers(t *testing.T) {
	t.Parallel()
	p := newFirewalldWith(t, shutOut(`<rule><port port="6960-6969" protocol="udp"/><drop/></rule>
  <port port="443" protocol="tcp"/>`))
	p.other.Listen("tcp", 6968, 6969)
	p.other.Listen("udp", 6968, 6969)
	before := firewalldDump(p.machine)
	d := openInside(t, p.machine, firewalldKind, "home")
	want := owned{seedbox: {out(t, plan.TCP, "443"), out(t, plan.TCP, "6969"), out(t, plan.UDP, "6969")}, bt: {allow(t, plan.TCP, "6968")}}
	got := d.warned(t, want)
	if !strings.Contains(got, `drop" of the policy shut`) || strings.Contains(got, "refused") {
		t.Errorf("got %q", got)
	}
	p.getsOut(t, "tcp", "6969", false)
	d.makeAll(t, want)
	if !d.ReadBack().DropsOutbound {
		t.Error("our own rules make it think that nothing is dropped")
	}
	if list := p.machine.Sh("firewall-cmd --policy btpout-home --list-all"); strings.Contains(list, `"443"`) {
		t.Errorf("what is let out already is let out once more:\n%s", list)
	}
	for _, again := range []func(){
		func() {},
		func() { p.machine.Sh("firewall-cmd --reload") },
		func() { p.machine.Restart("") },
	} {
		again()
		for _, protocol := range []string{"tcp", "udp"} {
			p.getsOut(t, protocol, "6969", true)
			p.getsOut(t, protocol, "6968", false)
		}
		if left := d.plan(t, want).Pending(); len(left) > 0 {
			t.Errorf("there is something to do: %+v", left)
		}
	}
	// The way in stays as it is when that out changes, and what others have set
	// until the next reload too.
	p.machine.Sh("firewall-cmd --policy btplan-home --add-port=7777/udp")
	d.makeAll(t, owned{bt: want[bt]})
	p.getsOut(t, "tcp", "6969", false)
	p.machine.Sh("firewall-cmd --policy btplan-home --query-port=7777/udp")
	d.makeAll(t, nil)
	if after := firewalldDump(p.machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// What others do while a change waits to be claimed outlives it: of the change
// only its own rules are taken back, and not even they when somebody has changed
// them.
func TestLabFirewalldUndo(t *testing.T) {
	t.Parallel()
	p := newFirewalld(t)
	d := openInside(t, p.machine, firewalldKind, "home")
	ours := owned{bt: {allow(t, plan.TCP, "7001")}}
	const theirs = "rule priority=\"-1\" port port=\"7777\" protocol=\"tcp\" accept"
	addTheirs := func(where string) {
		p.machine.Sh("firewall-cmd " + where + " --add-rich-rule='" + theirs + "'")
	}
	untouched := firewalldDump(p.machine)

	// A policy comes, and nobody does anything.
	p.machine.Run("sh", "-c", d.unclaimed(t, ours))
	if after := firewalldDump(p.machine); after != untouched {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, untouched)
	}

	// A policy comes, and so does a rule of somebody else.
	takeBack := d.unclaimed(t, ours)
	addTheirs("--zone=home")
	p.machine.Run("sh", "-c", takeBack)
	p.machine.Sh("firewall-cmd --zone=home --query-rich-rule='" + theirs + "'")
	if got := p.machine.Sh("firewall-cmd --policy btplan-home --list-rich-rules; ls " + policiesDir); strings.TrimSpace(got) != "" {
		t.Errorf("of the change there is still %q", got)
	}

	// Rules of ours change, and somebody reloads: that is no change of ours.
	d.makeAll(t, ours)
	takeBack = d.unclaimed(t, owned{bt: {allow(t, plan.TCP, "1"), allow(t, plan.TCP, "7001")}})
	p.machine.Sh("firewall-cmd --reload")
	p.machine.Run("sh", "-c", takeBack)
	if left := d.plan(t, ours).Pending(); len(left) > 0 {
		t.Errorf("there is something to do: %+v", left)
	}

	// Rules of ours change, and then somebody changes them too.
	takeBack = d.unclaimed(t, owned{bt: {allow(t, plan.TCP, "7002")}})
	addTheirs("--policy=btplan-home")
	before := firewalldDump(p.machine)
	p.machine.Run("sh", "-c", takeBack)
	if after := firewalldDump(p.machine); after != before {
		t.Errorf("changed by others, and yet taken back:\n%s\nbefore:\n%s", after, before)
	}

	// The policy goes, and somebody sets something: that stays, and the policy is
	// back from the next reload on.
	takeBack = d.unclaimed(t, nil)
	addTheirs("--zone=work")
	p.machine.Run("sh", "-c", takeBack)
	p.machine.Sh("firewall-cmd --zone=work --query-rich-rule='" + theirs + "'")
	pending := d.plan(t, owned{bt: {allow(t, plan.TCP, "7002")}}).Pending()
	if len(pending) != 1 || pending[0].Changes[0].Because != "its policy is not in force" {
		t.Errorf("got %+v", pending)
	}
	if got := p.machine.Sh("ls -d /run/btplan/* 2>/dev/null || :"); got != "" {
		t.Errorf("files are left behind: %s", got)
	}
}

// The machine takes back what cuts btplan off.
func TestLabFirewalldRevert(t *testing.T) {
	t.Parallel()
	p := newFirewalld(t)
	const revertAfter = 6 * time.Second
	d := p.openOver(t, firewalldKind, revertAfter)
	before := firewalldDump(p.machine)
	changes := d.plan(t, owned{bt: {allow(t, plan.TCP, "6881")}}).Pending()[0].Changes
	changed := p.machine.SawRules("btplan-home")
	result := make(chan error, 1)
	go func() { result <- d.Apply(context.Background(), changes, func(plan.Change, error) {}) }()
	<-changed
	p.other.Cut()
	if err := <-result; !errors.Is(err, providers.ErrRolledBack) {
		t.Errorf("got %v, want it rolled back", err)
	}
	p.awaitDump(t, firewalldDump, before)
}

// The whole suite runs where what the machine sends is dropped: once is enough,
// for firewalld takes its time.
func TestLabFirewalldSuite(t *testing.T) {
	t.Parallel()
	p := newFirewalldWith(t, shutOut(""))
	foreign := false
	providertest.Run(t, providertest.Suite{
		Kind:     plan.Allow,
		Outbound: true,
		New: func(*testing.T) *providertest.Bench {
			if foreign {
				p.machine.Sh("firewall-cmd --reload")
				foreign = false
			}
			return &providertest.Bench{
				Addr: seedbox,
				Open: func(t *testing.T, project string) providers.Device {
					return openInside(t, p.machine, firewalldKind, project)
				},
				AddForeign: func(_ *testing.T, r plan.Rule) {
					where := "--zone public"
					if r.Kind == plan.Outbound {
						where = "--policy shut"
					}
					p.machine.Sh("firewall-cmd " + where + " --add-port=" + r.Ports.String() + "/" + string(r.Protocol))
					foreign = true
				},
				Tamper: func(t *testing.T) {
					rule := strings.TrimSpace(p.machine.Sh("firewall-cmd --policy btplan-home --list-rich-rules | head -n 1"))
					if rule == "" {
						t.Fatal("there is no rule to take away")
					}
					p.machine.Run("firewall-cmd", "--policy", "btplan-home", "--remove-rich-rule="+rule)
				},
				Dump: func(*testing.T) string { return firewalldKernelDump(p.machine) },
			}
		},
	})
}

// firewalldRules are rules as people make them.
const firewalldRules = `firewall-cmd --add-port=8080/tcp --add-port=5000-5010/udp
firewall-cmd --zone=home --add-source=203.0.113.128/25
firewall-cmd --zone=home --add-rich-rule='rule family="ipv4" source address="10.0.0.0/8" port port="9091" protocol="tcp" log prefix="it is $(c)" accept'
firewall-cmd --zone=home --add-rich-rule='rule family="ipv4" source address="10.0.0.0/8" port port="9092" protocol="tcp" accept'
firewall-cmd --zone=work --add-port=1234/tcp
firewall-cmd --add-rich-rule='rule priority="-5" family="ipv6" source NOT address="2001:db8::1" reject type="icmp6-port-unreachable"'
firewall-cmd --add-rich-rule='rule service name="ftp" limit value="2/m" accept'
firewall-cmd --policy btplan-home --remove-rich-rule='rule port port="6900" protocol="tcp" accept'`
