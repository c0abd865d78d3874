package hostfw

import (
	"slices"
	"strings"
	"testing"

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

var firewalldMatrix = matrix{name: "firewalld", reload: "firewall-cmd --reload", dump: firewalldDump}

func newFirewalld(t *testing.T) pair {
	t.Helper()
	lab.Need(t, "firewalld", "firewall-cmd", "dbus-daemon", "busctl")
	p := newPair(t)
	p.machine.ServeFirewalld()
	return p
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
	d := openInside(t, p.machine, "firewalld", "home")
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
	d := openInside(t, p.machine, "firewalld", "home")
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
	d := openInside(t, p.machine, "firewalld", "home")
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
	d := openInside(t, p.machine, "firewalld", "a project with a long name")
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

func TestLabFirewalldSuite(t *testing.T) {
	t.Parallel()
	p := newFirewalld(t)
	providertest.Run(t, providertest.Suite{
		Kind: plan.Allow,
		New: func(*testing.T) *providertest.Bench {
			p.machine.Sh(`ports=$(firewall-cmd --permanent --list-ports); if [ "$ports" ]; then
	for port in $ports; do firewall-cmd --permanent --remove-port=$port; firewall-cmd --remove-port=$port; done
fi; rm -f /etc/firewalld/zones/*`)
			return &providertest.Bench{
				Addr: seedbox,
				Open: func(t *testing.T, project string) providers.Device {
					return openInside(t, p.machine, "firewalld", project)
				},
				AddForeign: func(_ *testing.T, r plan.Rule) {
					p.machine.Sh("for p in '' --permanent; do firewall-cmd $p --add-port=" + r.Ports.String() + "/" + string(r.Protocol) + "; done")
				},
				Tamper: func(t *testing.T) {
					rule := strings.TrimSpace(p.machine.Sh("firewall-cmd --policy btplan-home --list-rich-rules | head -n 1"))
					if rule == "" {
						t.Fatal("there is no rule to take away")
					}
					p.machine.Run("firewall-cmd", "--policy", "btplan-home", "--remove-rich-rule="+rule)
				},
				Dump: func(*testing.T) string { return firewalldDump(p.machine) },
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
