package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
)

// ufwDump is all that a ufw holds and has put into force.
func ufwDump(h *lab.Host) string {
	return h.Sh("ufw show added; cat /etc/ufw/user.rules /etc/ufw/user6.rules; iptables -S; ip6tables -S; ls /etc/btplan 2>/dev/null || :")
}

var ufwMatrix = matrix{name: "ufw", reload: "ufw reload", dump: ufwDump}

func newUFW(t *testing.T) pair {
	t.Helper()
	lab.Need(t, "ufw", "iptables")
	p := newPair(t)
	p.machine.ServeUFW()
	return p
}

func TestLabUFW(t *testing.T) {
	t.Parallel()
	ufwMatrix.run(t, newUFW(t))
}

// Behind a broad deny nothing would get in: our rules come before it.
func TestLabUFWDeny(t *testing.T) {
	t.Parallel()
	p := newUFW(t)
	p.machine.Sh("ufw deny 6000:7999/tcp; ufw deny in on eth0 proto udp from any to any; ufw deny from 203.0.113.9")
	d := openInside(t, p.machine, "ufw", "home")
	got := d.warned(t, owned{bt: {allow(t, plan.TCP, "6881-6889")}})
	for _, name := range []string{`"deny proto tcp from any to any port 6000:7999"`, `"deny from 203.0.113.9 to any"`} {
		if !strings.Contains(got, name) || strings.Contains(got, "udp") || strings.Contains(got, "refused") {
			t.Errorf("the rule %s is overridden, and what is said is\n%s", name, got)
		}
	}
	ufwMatrix.run(t, p)
}

// Who has shut the very ports has done so on purpose.
func TestLabUFWConflict(t *testing.T) {
	t.Parallel()
	p := newUFW(t)
	d := openInside(t, p.machine, "ufw", "home")
	want := owned{bt: {allow(t, plan.TCP, "6881-6889")}}
	d.makeAll(t, want)
	p.machine.Sh("ufw deny 6881:6889/tcp") // makes a deny of ours
	if got := d.warned(t, want); !strings.Contains(got, "refused: A rule shuts these ports") {
		t.Errorf("got %q", got)
	}
	p.machine.Sh("ufw delete deny 6881:6889/tcp; ufw reject 6885/tcp")
	if got := d.warned(t, want); !strings.Contains(got, `"reject proto tcp from any to any port 6885"`) {
		t.Errorf("got %q", got)
	}
	// One rule of ufw's would have to be two people's.
	p.machine.Sh("ufw delete reject 6885/tcp; ufw limit proto tcp from 203.0.113.0/24 to any port 7000")
	want = owned{bt: {allow(t, plan.TCP, "7000", "203.0.113.0/24", "198.51.100.0/24")}}
	if got := d.warned(t, want); !strings.Contains(got, `refused: A rule is in the way. ufw has the rule "limit proto tcp from 203.0.113.0/24 to any port 7000"`) {
		t.Errorf("got %q", got)
	}
}

// Somebody else does things to our rules: each is drift, and mended.
func TestLabUFWDrift(t *testing.T) {
	t.Parallel()
	p := newUFW(t)
	before := ufwDump(p.machine)
	d := openInside(t, p.machine, "ufw", "home")
	want := owned{bt: {allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "6881")}}
	for script, why := range map[string]string{
		"ufw allow 6881:6889/tcp":                                    "its mark was taken off",
		"ufw allow 6881:6889/tcp comment torrents":                   "its mark was taken off",
		"ufw delete allow 6881:6889/tcp":                             "changed on the machine since btplan wrote it",
		"ufw insert 1 deny 6000:7000/tcp":                            "stands before it",
		"iptables -D ufw-user-input 1":                               "it is not in force",
		"ufw delete allow proto udp from 0.0.0.0/0 to any port 6881": "one IP version only",
	} {
		d.makeAll(t, want)
		p.machine.Sh(script)
		pending := d.plan(t, want).Pending()
		found := false
		for _, r := range pending {
			for _, c := range r.Changes {
				found = found || c.Drift && strings.Contains(c.Because, why)
			}
		}
		if !found {
			t.Errorf("%s: want drift because %q, got %+v", script, why, pending)
		}
		d.makeAll(t, want)
		if strings.Contains(script, "deny") {
			p.machine.Sh("ufw delete deny 6000:7000/tcp")
		}
	}
	d.makeAll(t, nil)
	if after := ufwDump(p.machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// A ufw that is turned off takes rules for when it is on.
func TestLabUFWInactive(t *testing.T) {
	t.Parallel()
	p := newUFW(t)
	p.machine.Sh("ufw disable")
	p.machine.Listen("tcp", 6881, 6882)
	d := openInside(t, p.machine, "ufw", "home")
	d.make(t, allow(t, plan.TCP, "6881"))
	if problems := d.ReadBack().Problems; len(problems) != 1 || problems[0].Summary != "ufw is not active" {
		t.Errorf("got %+v", problems)
	}
	p.passes(t, "tcp", 6882, true)
	p.machine.Sh("ufw --force enable")
	p.passes(t, "tcp", 6881, true)
	p.passes(t, "tcp", 6882, false)
	if left := d.plan(t, owned{bt: {allow(t, plan.TCP, "6881")}}).Pending(); len(left) > 0 {
		t.Errorf("there is something to do: %+v", left)
	}
	// Its chains are flushed behind its back.
	p.machine.Sh("nft flush ruleset")
	d.plan(t, nil)
	if problems := d.ReadBack().Problems; len(problems) != 1 || problems[0].Summary != "ufw's rules are not in force" {
		t.Errorf("got %+v", problems)
	}
}

// Rules are still there after a reboot.
func TestLabUFWReboot(t *testing.T) {
	t.Parallel()
	p := newUFW(t)
	d := openInside(t, p.machine, "ufw", "home")
	rules := []plan.Rule{allow(t, plan.TCP, "6881-6889"), allow(t, plan.TCP, "7001", otherAddr+"/32")}
	d.make(t, rules...)
	p.machine.Restart("")
	p.machine.Listen("tcp", 6889, 6890)
	p.passes(t, "tcp", 6889, true)
	p.passes(t, "tcp", 6890, false)
	if left := d.plan(t, owned{bt: rules}).Pending(); len(left) > 0 {
		t.Errorf("there is something to do: %+v", left)
	}
}

func TestLabUFWSuite(t *testing.T) {
	t.Parallel()
	lab.Need(t, "ufw", "iptables")
	p := newUFW(t)
	clean := p.machine.Sh("cat /etc/ufw/user.rules /dev/null")
	clean6 := p.machine.ReadFile("/etc/ufw/user6.rules")
	providertest.Run(t, providertest.Suite{
		Kind: plan.Allow,
		New: func(*testing.T) *providertest.Bench {
			if p.machine.ReadFile("/etc/ufw/user.rules") != clean {
				p.machine.WriteFile("/etc/ufw/user.rules", clean, 0o640)
				p.machine.WriteFile("/etc/ufw/user6.rules", clean6, 0o640)
				p.machine.Sh("ufw reload")
			}
			return &providertest.Bench{
				Addr: seedbox,
				Open: func(t *testing.T, project string) providers.Device {
					return openInside(t, p.machine, "ufw", project)
				},
				AddForeign: func(_ *testing.T, r plan.Rule) {
					p.machine.Run("ufw", "allow", spelledPorts(r.Ports)+"/"+string(r.Protocol))
				},
				Tamper: func(t *testing.T) {
					for line := range strings.Lines(p.machine.ReadFile(ufwWritten("home"))) {
						f := strings.Fields(line)
						p.machine.Run("ufw", append([]string{"delete"}, strings.Fields(ourTuple(f[0], f[1], f[2]).args())...)...)
						return
					}
					t.Fatal("there is no rule to take away")
				},
				Dump: func(*testing.T) string { return ufwDump(p.machine) },
			}
		},
	})
}

// ufwRules are rules as people make them.
const ufwRules = `ufw limit ssh/tcp
ufw deny 7000:8000/tcp
ufw allow in on lo to any port 99 proto udp
ufw allow from 10.1.2.3
ufw deny from 203.0.113.9 to any port 6881 proto udp comment "hi there"
ufw route allow in on eth0 out on eth1 to 10.0.0.5 port 80 proto tcp
ufw reject log 25/tcp
ufw allow 53 comment 'a; "b" $(c)'
ufw allow proto tcp from 10.0.0.0/255.255.0.255 to any port 80,443,8080:8090
ufw allow proto tcp from any port 20 to any port 9
ufw allow OpenSSH
ufw allow out 9/udp
ufw delete allow 6900/tcp
ufw allow 6881:6889,6900/tcp`
