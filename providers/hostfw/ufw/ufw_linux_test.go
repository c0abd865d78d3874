package ufw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/providertest"
)

var matrix = hosttest.Matrix{Kind: Kind, Reload: "ufw reload", Dump: hosttest.UFWDump}

func TestLabUFW(t *testing.T) {
	t.Parallel()
	matrix.Run(t, hosttest.NewUFW(t))
}

// Behind a broad deny nothing would get in: our rules come before it. What goes
// out is denied too, but for the answers.
func TestLabUFWDeny(t *testing.T) {
	t.Parallel()
	p := hosttest.NewUFW(t)
	p.Machine.Sh("ufw default deny outgoing; ufw deny 6000:7999/tcp; ufw deny in on eth0 proto udp from any to any; ufw deny from 203.0.113.9")
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	got := d.Warned(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889")}})
	for _, name := range []string{`"deny proto tcp from any to any port 6000:7999"`, `"deny from 203.0.113.9 to any"`} {
		if !strings.Contains(got, name) || strings.Contains(got, "udp") || strings.Contains(got, "refused") {
			t.Errorf("the rule %s is overridden, and what is said is\n%s", name, got)
		}
	}
	matrix.Run(t, p)
}

// Who has shut the very ports has done so on purpose.
func TestLabUFWConflict(t *testing.T) {
	t.Parallel()
	p := hosttest.NewUFW(t)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889")}}
	d.MakeAll(t, want)
	p.Machine.Sh("ufw deny 6881:6889/tcp") // makes a deny of ours
	if got := d.Warned(t, want); !strings.Contains(got, "refused: A rule shuts these ports") {
		t.Errorf("got %q", got)
	}
	p.Machine.Sh("ufw delete deny 6881:6889/tcp; ufw reject 6885/tcp")
	if got := d.Warned(t, want); !strings.Contains(got, `"reject proto tcp from any to any port 6885"`) {
		t.Errorf("got %q", got)
	}
	// One rule of ufw's would have to be two people's.
	p.Machine.Sh("ufw delete reject 6885/tcp; ufw limit proto tcp from 203.0.113.0/24 to any port 7000")
	want = host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "7000", "203.0.113.0/24", "198.51.100.0/24")}}
	if got := d.Warned(t, want); !strings.Contains(got, `refused: A rule is in the way. ufw has the rule "limit proto tcp from 203.0.113.0/24 to any port 7000"`) {
		t.Errorf("got %q", got)
	}
}

// Somebody else does things to our rules: each is drift, and mended.
func TestLabUFWDrift(t *testing.T) {
	t.Parallel()
	p := hosttest.NewUFW(t)
	before := hosttest.UFWDump(p.Machine)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881")}}
	for script, why := range map[string]string{
		"ufw allow 6881:6889/tcp":                                    "its mark was taken off",
		"ufw allow 6881:6889/tcp comment torrents":                   "its mark was taken off",
		"ufw delete allow 6881:6889/tcp":                             "changed on the machine since btplan wrote it",
		"ufw insert 1 deny 6000:7000/tcp":                            "stands before it",
		"iptables -D ufw-user-input 1":                               "it is not in force",
		"ufw delete allow proto udp from 0.0.0.0/0 to any port 6881": "one IP version only",
	} {
		d.MakeAll(t, want)
		p.Machine.Sh(script)
		pending := d.Plan(t, want).Pending()
		found := false
		for _, r := range pending {
			for _, c := range r.Changes {
				found = found || c.Drift && strings.Contains(c.Because, why)
			}
		}
		if !found {
			t.Errorf("%s: want drift because %q, got %+v", script, why, pending)
		}
		d.MakeAll(t, want)
		if strings.Contains(script, "deny") {
			p.Machine.Sh("ufw delete deny 6000:7000/tcp")
		}
	}
	d.MakeAll(t, nil)
	if after := hosttest.UFWDump(p.Machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// A ufw that is turned off takes rules for when it is on.
func TestLabUFWInactive(t *testing.T) {
	t.Parallel()
	p := hosttest.NewUFW(t)
	p.Machine.Sh("ufw disable")
	p.Machine.Listen("tcp", 6881, 6882)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
	if problems := d.ReadBack().Problems; len(problems) != 1 || problems[0].Summary != "ufw is not active" {
		t.Errorf("got %+v", problems)
	}
	p.Passes(t, "tcp", 6882, true)
	p.Machine.Sh("ufw --force enable")
	p.Passes(t, "tcp", 6881, true)
	p.Passes(t, "tcp", 6882, false)
	if left := d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}).Pending(); len(left) > 0 {
		t.Errorf("there is something to do: %+v", left)
	}
	// Its chains are flushed behind its back.
	p.Machine.Sh("nft flush ruleset")
	d.Plan(t, nil)
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
	m := suiteUFW{hosttest.NewUFW(t).Machine, map[string]string{"/etc/ufw/user.rules": "", "/etc/ufw/user6.rules": ""}}
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
		Addr: hosttest.Seedbox,
		Open: func(t *testing.T, project string) providers.Device {
			return hosttest.OpenInside(t, m.Host, Kind, project)
		},
		AddForeign: func(_ *testing.T, r plan.Rule) {
			m.Run("ufw", "allow", directionOf(r.Kind), host.SpelledPorts(r.Ports)+"/"+string(r.Protocol))
		},
		Tamper: func(t *testing.T) {
			wrote := parseWritten([]byte(m.ReadFile(writtenFile("home"))))
			if len(wrote) == 0 {
				t.Fatal("there is no rule to take away")
			}
			m.Run("ufw", append([]string{"delete"}, strings.Fields(wrote[0].args())...)...)
		},
		Dump: func(*testing.T) string { return hosttest.UFWDump(m.Host) },
	}
}
