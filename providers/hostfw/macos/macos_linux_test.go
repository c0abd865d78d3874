package macos

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/providertest"
	"github.com/zclconf/go-cty/cty"
)

func TestLabMacosSuite(t *testing.T) {
	t.Parallel()
	m := hosttest.NewMac(t)
	runner := m.Login(t)
	var clean hostfake.MacState
	m.Edit(func(s *hostfake.MacState) {
		s.Main = append(s.Main, "block drop out all")
		clean = *s
	})
	providertest.Run(t, providertest.Suite{
		Kind:     plan.Allow,
		Outbound: true,
		New: func(*testing.T) *providertest.Bench {
			m.Edit(func(s *hostfake.MacState) { *s = clean })
			return &providertest.Bench{
				Addr: hosttest.Seedbox,
				Open: func(t *testing.T, project string) providers.Device {
					return m.Open(t, runner, Type(), project, nil)
				},
				AddForeign: func(_ *testing.T, r plan.Rule) {
					m.Edit(func(s *hostfake.MacState) {
						s.Main = append(s.Main, "pass "+pfWays[r.Kind]+" proto "+string(r.Protocol)+" from any to any port = "+r.Ports.String()+" flags S/SA keep state")
					})
				},
				Tamper: func(t *testing.T) {
					m.Edit(func(s *hostfake.MacState) {
						anchor := anchor("home")
						s.Anchors[anchor] = s.Anchors[anchor][1:]
					})
				},
				Dump: func(*testing.T) string { return m.Holds() },
			}
		},
	})
}

// The application firewall lets the program in while there are rules, and is
// left as it was.
func TestLabMacosProgram(t *testing.T) {
	t.Parallel()
	const app = "/Applications/It's a client.app"
	m := hosttest.NewMac(t)
	m.Edit(func(s *hostfake.MacState) {
		s.Global, s.Apps = 1, []hostfake.App{{Path: "/Applications/Zoom.app", Allow: true}}
	})
	before := m.Holds()
	body := map[string]cty.Value{"program": cty.StringVal(app)}
	runner := m.Login(t)
	d := m.Open(t, runner, Type(), "home", body)
	rules := []plan.Rule{hosttest.Allow(t, plan.TCP, "6881-6889")}
	d.Make(t, rules...)
	if got := m.Dump(); !strings.Contains(got, app) {
		t.Errorf("the program is not let in:\n%s", got)
	}
	// Somebody takes it off the list, and then blocks it.
	m.Edit(func(s *hostfake.MacState) { s.Apps = s.Apps[:1] })
	if p := d.Make(t, rules...); len(p.Pending()) != 1 || p.Pending()[0].Changes[0].Because != "the application firewall does not let in "+app {
		t.Errorf("got %+v", p.Pending())
	}
	m.Edit(func(s *hostfake.MacState) { s.Apps[1].Allow = false })
	if got := d.Told(t, rules...); !strings.Contains(got, "refused: The program is blocked") {
		t.Errorf("got %q", got)
	}
	m.Edit(func(s *hostfake.MacState) { s.Apps[1].Allow = true })
	d.Make(t)
	if after := m.Holds(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// A change that fails half way leaves nothing of it behind.
func TestLabMacosHalfway(t *testing.T) {
	t.Parallel()
	m := hosttest.NewMac(t)
	d := m.Open(t, m.Login(t), Type(), "home", nil)
	for _, rules := range [][]plan.Rule{nil, {hosttest.Allow(t, plan.TCP, "6881-6889")}} {
		d.Make(t, rules...)
		before := m.Holds()
		p := d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.UDP, "7001")}})
		m.Edit(func(s *hostfake.MacState) { s.FailOnce = "-f /etc" })
		if err := d.CarryOut(t, p); err == nil {
			t.Error("the change failed, and nothing is said")
		}
		if after := m.Holds(); after != before {
			t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
		}
	}
}

// What pf and the application firewall do whatever rules there are is told.
func TestLabMacosTells(t *testing.T) {
	t.Parallel()
	m := hosttest.NewMac(t)
	// By way of sudo, which keeps nothing of the environment.
	runner := remote.Open(remote.Target{
		Host: hosttest.MachineAddr, User: "root", Direct: true, Sudo: true,
		IdentityFile: "/root/.ssh/id_ed25519", KnownHostsFile: "/root/.ssh/known_hosts",
	})
	t.Cleanup(func() { _ = runner.Close() })
	d := m.Open(t, runner, Type(), "home", nil)
	m.Machine.WriteFile("/etc/services", "acmsoda 6969/tcp\n", 0o644)
	rule := hosttest.Allow(t, plan.TCP, "6881-6889")
	var clean hostfake.MacState
	m.Edit(func(s *hostfake.MacState) { clean = *s })
	for want, edit := range map[string]func(*hostfake.MacState){
		"problem: pf is off":                                                func(s *hostfake.MacState) { s.Enabled = false },
		"problem: pf does not look at btplan's rules":                       func(s *hostfake.MacState) { s.Main = nil },
		"problem: The application firewall is on":                           func(s *hostfake.MacState) { s.Global = 1 },
		"problem: The application firewall blocks all incoming connections": func(s *hostfake.MacState) { s.BlockAll = true },
		"refused: A rule shuts these ports": func(s *hostfake.MacState) {
			s.Main = append(s.Main, "block drop in proto tcp from any to any port = 6885")
		},
		`refused: A rule shuts these ports. pf has the rule "block drop in proto tcp from any to any port = acmsoda"`: func(s *hostfake.MacState) {
			s.Main = append(s.Main, "block drop in proto tcp from any to any port = acmsoda")
			rule = hosttest.Allow(t, plan.TCP, "6960-6969")
		},
		"refused: A rule stands before btplan's": func(s *hostfake.MacState) {
			s.Main = append([]string{"block drop in quick proto tcp from any to any port 6000:7000"}, s.Main...)
		},
		"warning: Rules are overridden": func(s *hostfake.MacState) { s.Main = append(s.Main, "block drop in all") },
		"refused: TCP port 22 is SSH's": func(*hostfake.MacState) { rule = hosttest.Allow(t, plan.TCP, "20-30") },
	} {
		m.Edit(func(s *hostfake.MacState) {
			*s = clean
			s.Main = append([]string(nil), clean.Main...)
			edit(s)
		})
		if got := d.Told(t, rule); !strings.HasPrefix(got, want) || strings.Contains(got, "\n") && !strings.Contains(want, "refused") {
			t.Errorf("got %q, want %q", got, want)
		}
		rule = hosttest.Allow(t, plan.TCP, "6881-6889")
	}
}
