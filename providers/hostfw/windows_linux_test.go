package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
	"github.com/zclconf/go-cty/cty"
)

// Every way to talk to a Windows passes the suite, behind a real sshd.
func TestLabWindowsSuite(t *testing.T) {
	for mode, lacks := range map[string]providertest.Lacks{
		modeNetSecurity: {Atomicity: true},
		modeAdvFirewall: {Atomicity: true, Traces: true},
		modeICF:         {Atomicity: true, Traces: true, Sources: true},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := hostfake.NewWindows(t)
			p := newShell(t, w.Shell)
			runner := p.login(t) // dials cost more than all the rest
			var clean hostfake.WindowsState
			w.Edit(func(s *hostfake.WindowsState) { clean = *s })
			providertest.Run(t, providertest.Suite{
				Kind:  plan.Allow,
				Lacks: lacks,
				New: func(*testing.T) *providertest.Bench {
					w.Edit(func(s *hostfake.WindowsState) { *s = clean })
					return &providertest.Bench{
						Addr: seedbox,
						Open: func(t *testing.T, project string) providers.Device {
							return p.open(t, runner, "windows", project, map[string]cty.Value{"mode": cty.StringVal(mode)})
						},
						AddForeign: func(_ *testing.T, r plan.Rule) {
							protocol := strings.ToUpper(string(r.Protocol))
							w.Edit(func(s *hostfake.WindowsState) {
								s.Rules = append(s.Rules, hostfake.PortRule("{01}", "By hand", protocol, r.Ports.String()))
								for i := range s.Openings {
									s.Openings[i] = append(s.Openings[i], hostfake.Opening{Protocol: protocol, Port: r.Ports.String(), Mode: "Enable", Name: "By hand"})
								}
							})
						},
						Tamper: func(*testing.T) {
							w.Edit(func(s *hostfake.WindowsState) {
								if mode != modeICF {
									s.Rules = s.Rules[:len(s.Rules)-1]
									return
								}
								for i := range s.Openings {
									s.Openings[i] = s.Openings[i][1:]
								}
							})
						},
						Dump: func(*testing.T) string { return w.Dump() },
					}
				},
			})
		})
	}
}

// windowsMachine is a Windows of which another host is let in by SSH.
type windowsMachine struct {
	*hostfake.Windows
	pair
}

func newWindows(t *testing.T) windowsMachine {
	t.Helper()
	w := hostfake.NewWindows(t)
	return windowsMachine{w, newShell(t, w.Shell)}
}

// What somebody else does to our rules is drift, and mended.
func TestLabWindowsDrift(t *testing.T) {
	t.Parallel()
	w := newWindows(t)
	before := w.Dump()
	d := w.open(t, w.login(t), "windows", "home", nil)
	rules := []plan.Rule{allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "6881", "203.0.113.0/24", "0.0.0.0/1")}
	for want, edit := range map[string]func(r *hostfake.Rule){
		"it is turned off":                             func(r *hostfake.Rule) { r.Enabled = "False" },
		"it keeps packets out":                         func(r *hostfake.Rule) { r.Action = "Block" },
		"it counts in some networks only":              func(r *hostfake.Rule) { r.Profile = "Domain, Private" },
		"it was made to count for some connections":    func(r *hostfake.Rule) { r.RemotePort = []string{"80"} },
		"its mark was taken off":                       func(r *hostfake.Rule) { r.Description = "" },
		"it was given another name":                    func(r *hostfake.Rule) { r.Display = "torrents" },
		"changed on the machine since btplan wrote it": func(r *hostfake.Rule) { r.LocalPort = []string{"6881-6885"} },
		"it is for another program":                    func(r *hostfake.Rule) { r.Program = `C:\x.exe` },
	} {
		d.make(t, rules...)
		w.Edit(func(s *hostfake.WindowsState) { edit(&s.Rules[len(s.Rules)-1]) })
		if got := d.drift(t); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	d.make(t, rules...)
	d.make(t)
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// What the firewall does whatever rules there are is told.
func TestLabWindowsTells(t *testing.T) {
	t.Parallel()
	w := newWindows(t)
	runner := w.login(t)
	d := w.open(t, runner, "windows", "home", nil)
	block := func(ports ...string) hostfake.Rule {
		r := hostfake.PortRule("{01}", "No torrents", "TCP", ports...)
		r.Action = "Block"
		return r
	}
	rule := allow(t, plan.TCP, "6881-6889")
	for want, edit := range map[string]func(*hostfake.WindowsState){
		"problem: The Windows firewall is off":               func(s *hostfake.WindowsState) { s.Profiles[1].Enabled = "False" },
		"problem: Windows blocks all incoming connections":   func(s *hostfake.WindowsState) { s.Profiles[1].Inbound = "False" },
		"problem: Policy overrides the rules of the machine": func(s *hostfake.WindowsState) { s.Profiles[1].LocalRules = "False" },
		"refused: A rule shuts these ports":                  func(s *hostfake.WindowsState) { s.Rules = append(s.Rules, block("6881", "6889")) },
		"warning: Rules keep packets out. The Windows firewall has rules that block some of the packets to the ports that are to be opened: \"No torrents\".": func(s *hostfake.WindowsState) { s.Rules = append(s.Rules, block("6000-7000")) },
		"warning: Rules keep packets out": func(s *hostfake.WindowsState) {
			r := block("Any")
			r.Source, r.Protocol = "GroupPolicy", "Any"
			s.Rules = append(s.Rules, r)
		},
		"refused: TCP port 22 is SSH's": func(*hostfake.WindowsState) { rule = allow(t, plan.TCP, "20-30") },
		"": func(s *hostfake.WindowsState) {
			s.Profiles[0].Enabled = "False" // the machine is in no domain
			r := block("6881-6889")
			r.Program = `C:\game.exe`
			s.Rules = append(s.Rules, r)
		},
	} {
		var clean hostfake.WindowsState
		w.Edit(func(s *hostfake.WindowsState) {
			clean = *s
			clean.Profiles = append([]hostfake.Profile(nil), s.Profiles...)
			edit(s)
		})
		if got := d.told(t, rule); !strings.HasPrefix(got, want) && !strings.Contains(got, "\n"+want) || want == "" && got != "" {
			t.Errorf("got %q, want %q", got, want)
		}
		rule = allow(t, plan.TCP, "6881-6889")
		w.Edit(func(s *hostfake.WindowsState) { *s = clean })
	}
}

// A rule for a program; and a Windows 7, which has no module NetSecurity and may
// speak German.
func TestLabWindowsProgram(t *testing.T) {
	t.Parallel()
	const program = `C:\Program Files\Azureus\Azureus.exe`
	w := newWindows(t)
	before := w.Dump()
	runner := w.login(t)
	body := map[string]cty.Value{"program": cty.StringVal(program)}
	rules := []plan.Rule{allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "6881", "203.0.113.0/24")}
	for _, s := range []hostfake.WindowsState{{}, {NoModule: true}, {NoModule: true, Language: "de"}} {
		w.Edit(func(now *hostfake.WindowsState) { now.NoModule, now.Language = s.NoModule, s.Language })
		d := w.open(t, runner, "windows", "home", body)
		d.make(t, rules...)
		made := 0
		w.Edit(func(s *hostfake.WindowsState) {
			for _, r := range s.Rules {
				if r.Program == program {
					made++
				}
			}
		})
		if made != 2 {
			t.Errorf("%+v: %d rules for the program", s, made)
		}
		// The block says another program, or none.
		if got := w.open(t, runner, "windows", "home", nil).drift(t); got != "it is for another program" {
			t.Errorf("%+v: got %q", s, got)
		}
		d.make(t)
	}
	w.Edit(func(now *hostfake.WindowsState) { now.NoModule, now.Language = false, "" })
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	w.Edit(func(now *hostfake.WindowsState) { now.NoModule = true })
	_, err := w.open(t, runner, "windows", "home", map[string]cty.Value{"mode": cty.StringVal(modeNetSecurity)}).Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), `write mode = "advfirewall"`) {
		t.Errorf("got %v", err)
	}
}

// A failure is told in the machine's words, with what to do about it.
func TestLabWindowsLimited(t *testing.T) {
	t.Parallel()
	w := newWindows(t)
	runner := w.login(t)
	rule := allow(t, plan.TCP, "6881-6889")
	w.Edit(func(s *hostfake.WindowsState) { s.Limited = true })
	before := w.Dump()
	for mode, says := range map[string]string{
		modeNetSecurity: "administrators only: log in as one, by an SSH server that gives elevated sessions",
		modeAdvFirewall: "A specified value is not valid.",
	} {
		d := w.open(t, runner, "windows", "home", map[string]cty.Value{"mode": cty.StringVal(mode)})
		if err := d.apply(t, d.plan(t, owned{bt: {rule}})); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", mode, err, says)
		}
	}
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}
