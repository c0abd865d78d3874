package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
)

var ufwMatrix = matrix{kind: ufwKind, reload: "ufw reload", dump: ufwDump}

func TestLabUFW(t *testing.T) {
	t.Parallel()
	ufwMatrix.run(t, newUFW(t))
}

// Behind a broad deny nothing would get in: our rules come before it. What goes
// out is denied too, but for the answers.
func TestLabUFWDeny(t *testing.T) {
	t.Parallel()
	p := newUFW(t)
	p.machine.Sh("ufw default deny outgoing; ufw deny 6000:7999/tcp; ufw deny in on eth0 proto udp from any to any; ufw deny from 203.0.113.9")
	d := openInside(t, p.machine, ufwKind, "home")
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
	d := openInside(t, p.machine, ufwKind, "home")
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
	d := openInside(t, p.machine, ufwKind, "home")
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
	d := openInside(t, p.machine, ufwKind, "home")
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

// The cases of the suite take turns on two machines: a command of ufw's takes
// most of a second, and spends half of that waiting for the kernel.
func TestLabUFWSuite(t *testing.T) {
	t.Parallel()
	const machines = 2
	free := make(chan suiteUFW, machines)
	for range machines {
		free <- newSuiteUFW(t)
	}
	providertest.Run(t, providertest.Suite{
		Kind:     plan.Allow,
		Outbound: true,
		New: func(t *testing.T) *providertest.Bench {
			t.Parallel()
			m := <-free
			t.Cleanup(func() { free <- m })
			m.clean()
			return m.bench()
		},
	})
}

// suiteUFW is a machine whose ufw denies what goes out too.
type suiteUFW struct {
	*lab.Host
	files map[string]string // as they are without rules of btplan's
}

func newSuiteUFW(t *testing.T) suiteUFW {
	t.Helper()
	m := suiteUFW{newUFW(t).machine, map[string]string{"/etc/ufw/user.rules": "", "/etc/ufw/user6.rules": ""}}
	m.Sh("ufw default deny outgoing")
	for path := range m.files {
		m.files[path] = m.ReadFile(path)
	}
	return m
}

// clean takes away what a case has left there.
func (m suiteUFW) clean() {
	left := false
	for path, clean := range m.files {
		if m.ReadFile(path) != clean {
			m.WriteFile(path, clean, 0o640)
			left = true
		}
	}
	if left {
		m.Sh("ufw reload")
	}
}

func (m suiteUFW) bench() *providertest.Bench {
	return &providertest.Bench{
		Addr: seedbox,
		Open: func(t *testing.T, project string) providers.Device { return openInside(t, m.Host, ufwKind, project) },
		AddForeign: func(_ *testing.T, r plan.Rule) {
			m.Run("ufw", "allow", directionOf(r.Kind), spelledPorts(r.Ports)+"/"+string(r.Protocol))
		},
		Tamper: func(t *testing.T) {
			wrote := parseWritten([]byte(m.ReadFile(ufwWritten("home"))))
			if len(wrote) == 0 {
				t.Fatal("there is no rule to take away")
			}
			m.Run("ufw", append([]string{"delete"}, strings.Fields(wrote[0].args())...)...)
		},
		Dump: func(*testing.T) string { return ufwDump(m.Host) },
	}
}
