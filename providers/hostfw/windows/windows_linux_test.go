package windows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/providertest"
	"github.com/zclconf/go-cty/cty"
)

// Every way to talk to a Windows passes the suite, behind a real sshd; those that
// can with a firewall that drops what the machine sends.
func TestLabWindowsSuite(t *testing.T) {
	for name, test := range map[string]struct {
		mode, program string
		outbound      bool
		lacks         providertest.Lacks
	}{
		"netsecurity": {modeNetSecurity, "", true, providertest.Lacks{Atomicity: true}},
		"advfirewall": {modeAdvFirewall, "", true, providertest.Lacks{Atomicity: true, Traces: true}},
		"icf":         {modeICF, "", false, providertest.Lacks{Atomicity: true, Traces: true, Sources: true}},
		"icf program": {modeICF, azureus, false, providertest.Lacks{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := hostfake.NewWindows(t)
			p := hosttest.NewShell(t, w.Shell)
			runner := p.Login(t) // dials cost more than all the rest
			var clean hostfake.WindowsState
			w.Edit(func(s *hostfake.WindowsState) {
				if test.outbound {
					s.Profiles[1].Outbound = "Block"
				}
				clean = *s
			})
			body := map[string]cty.Value{"mode": cty.StringVal(test.mode)}
			if test.program != "" {
				body["program"] = cty.StringVal(test.program)
			}
			providertest.Run(t, providertest.Suite{
				Kind:     plan.Allow,
				Outbound: test.outbound,
				Lacks:    test.lacks,
				New: func(*testing.T) *providertest.Bench {
					w.Edit(func(s *hostfake.WindowsState) { *s = clean })
					return &providertest.Bench{
						Addr: hosttest.Seedbox,
						Open: func(t *testing.T, project string) providers.Device {
							return p.Open(t, runner, Type(), project, body)
						},
						AddForeign: func(_ *testing.T, r plan.Rule) { w.Edit(func(s *hostfake.WindowsState) { addByHand(s, r) }) },
						Tamper:     func(*testing.T) { w.Edit(func(s *hostfake.WindowsState) { tamper(s, test.mode, test.program) }) },
						Dump:       func(*testing.T) string { return w.Dump() },
					}
				},
			})
		})
	}
}

func addByHand(s *hostfake.WindowsState, r plan.Rule) {
	protocol := strings.ToUpper(string(r.Protocol))
	if r.Kind == plan.Outbound {
		s.Rules = append(s.Rules, hostfake.OutRule("{02}", "Out by hand", protocol, r.Ports.String()))
		return
	}
	s.Rules = append(s.Rules, hostfake.PortRule("{01}", "By hand", protocol, r.Ports.String()))
	for i := range s.Openings {
		s.Openings[i] = append(s.Openings[i], hostfake.Opening{Protocol: protocol, Port: r.Ports.String(), Mode: "Enable", Name: "By hand"})
	}
}

func tamper(s *hostfake.WindowsState, mode, program string) {
	switch {
	case mode != modeICF:
		s.Rules = s.Rules[:len(s.Rules)-1]
	case program != "":
		s.Programs[1] = s.Programs[1][:len(s.Programs[1])-1]
	default:
		for i := range s.Openings {
			s.Openings[i] = s.Openings[i][1:]
		}
	}
}

// What somebody else does to our rules is drift, and mended.
func TestLabWindowsDrift(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWindows(t)
	before := w.Dump()
	d := w.Open(t, w.Login(t), Type(), "home", nil)
	rules := []plan.Rule{hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881", "203.0.113.0/24", "0.0.0.0/1")}
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
		d.Make(t, rules...)
		w.Edit(func(s *hostfake.WindowsState) { edit(&s.Rules[len(s.Rules)-1]) })
		if got := d.Drift(t); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	d.Make(t, rules...)
	d.Make(t)
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// What the firewall does whatever rules there are is told.
func TestLabWindowsTells(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWindows(t)
	runner := w.Login(t)
	d := w.Open(t, runner, Type(), "home", nil)
	block := func(ports ...string) hostfake.Rule {
		r := hostfake.PortRule("{01}", "No torrents", "TCP", ports...)
		r.Action = "Block"
		return r
	}
	rule := hosttest.Allow(t, plan.TCP, "6881-6889")
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
		"refused: A rule shuts these ports. The Windows firewall has the rule \"No trackers\", which is for these very ports (tcp 6969 outbound)": func(s *hostfake.WindowsState) {
			rule.Kind, rule.Ports = plan.Outbound, plan.PortRange{First: 6969, Last: 6969}
			s.Profiles[1].Outbound = "Block"
			r := hostfake.OutRule("{01}", "No trackers", "TCP", "6969")
			r.Action = "Block"
			s.Rules = append(s.Rules, r)
		},
		"warning: Rules keep packets from going out. The Windows firewall has rules that block some of what the machine sends to its trackers: \"Not to them\".": func(s *hostfake.WindowsState) {
			rule.Kind, rule.Ports = plan.Outbound, plan.PortRange{First: 6969, Last: 6969}
			s.Profiles[1].Outbound = "Block"
			r := hostfake.OutRule("{01}", "Not to them", "TCP", "6969")
			r.Action, r.RemoteAddress = "Block", []string{"198.51.100.0/255.255.255.0"}
			s.Rules = append(s.Rules, r)
		},
		"refused: TCP port 22 is SSH's": func(*hostfake.WindowsState) { rule = hosttest.Allow(t, plan.TCP, "20-30") },
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
		if got := d.Told(t, rule); !strings.HasPrefix(got, want) && !strings.Contains(got, "\n"+want) || want == "" && got != "" {
			t.Errorf("got %q, want %q", got, want)
		}
		rule = hosttest.Allow(t, plan.TCP, "6881-6889")
		w.Edit(func(s *hostfake.WindowsState) { *s = clean })
	}
}

// What the machine sends is dropped or not by the profile that counts, whatever
// rules of ours there are; and ours go where it no longer is.
func TestLabWindowsDropsOutbound(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWindows(t)
	runner := w.Login(t)
	out := plan.Rule{Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}}
	for _, mode := range []string{modeNetSecurity, modeAdvFirewall, modeICF} {
		d := w.Open(t, runner, Type(), "home", map[string]cty.Value{"mode": cty.StringVal(mode)})
		if mode != modeICF {
			d.Make(t, out)
		}
		for _, test := range []struct {
			outbound, enabled, network string
			want                       bool
		}{
			{"Block", "True", "Private", mode != modeICF},
			{"Block", "True", "Public", false},
			{"Block", "False", "Private", false},
			{"Allow", "True", "Private", false},
			{"NotConfigured", "True", "Private", false},
		} {
			w.Edit(func(s *hostfake.WindowsState) {
				s.Profiles[1].Outbound, s.Profiles[1].Enabled, s.Networks = test.outbound, test.enabled, []string{test.network}
			})
			r, err := d.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if back := d.Device.(providers.ReadingBack).ReadBack(); r.DropsOutbound != test.want || back.DropsOutbound != test.want {
				t.Errorf("%s, %+v: got %t, and %t by reading back", mode, test, r.DropsOutbound, back.DropsOutbound)
			}
			if mode != modeICF && !slices.ContainsFunc(r.Rules, func(l plan.Live) bool { return l.Owner == hosttest.BT && l.Rule.Equal(out) }) {
				t.Errorf("%s, %+v: our rule is not read", mode, test)
			}
		}
		d.Make(t)
	}
	// Whoever drops what the machine sends may have deleted all that lets it.
	w.Edit(func(s *hostfake.WindowsState) {
		s.Rules = slices.DeleteFunc(s.Rules, func(r hostfake.Rule) bool { return r.Direction == "Outbound" })
		s.Profiles[1].Outbound = "Block"
	})
	d := w.Open(t, runner, Type(), "home", map[string]cty.Value{"mode": cty.StringVal(modeAdvFirewall)})
	d.Make(t, out)
	d.Make(t)
}

// A rule for a program; and a Windows 7, which has no module NetSecurity and may
// speak German.
func TestLabWindowsProgram(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWindows(t)
	before := w.Dump()
	runner := w.Login(t)
	body := map[string]cty.Value{"program": cty.StringVal(azureus)}
	rules := []plan.Rule{hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881", "203.0.113.0/24")}
	for _, s := range []hostfake.WindowsState{{}, {NoModule: true}, {NoModule: true, Language: "de"}} {
		w.Edit(func(now *hostfake.WindowsState) { now.NoModule, now.Language = s.NoModule, s.Language })
		d := w.Open(t, runner, Type(), "home", body)
		d.Make(t, rules...)
		made := 0
		w.Edit(func(s *hostfake.WindowsState) {
			for _, r := range s.Rules {
				if r.Program == azureus {
					made++
				}
			}
		})
		if made != 2 {
			t.Errorf("%+v: %d rules for the program", s, made)
		}
		// The block says another program, or none.
		if got := w.Open(t, runner, Type(), "home", nil).Drift(t); got != "it is for another program" {
			t.Errorf("%+v: got %q", s, got)
		}
		d.Make(t)
	}
	w.Edit(func(now *hostfake.WindowsState) { now.NoModule, now.Language = false, "" })
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	w.Edit(func(now *hostfake.WindowsState) { now.NoModule = true })
	_, err := w.Open(t, runner, Type(), "home", map[string]cty.Value{"mode": cty.StringVal(modeNetSecurity)}).Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), `write mode = "advfirewall"`) {
		t.Errorf("got %v", err)
	}
}

// On Windows XP a program is let in by an entry of its own, in the place of ports.
func TestLabICFProgram(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWindows(t)
	before := w.Dump()
	runner := w.Login(t)
	open := func(program string) hosttest.OverSSH {
		body := map[string]cty.Value{"mode": cty.StringVal(modeICF), "program": cty.NullVal(cty.String)}
		if program != "" {
			body["program"] = cty.StringVal(program)
		}
		return w.Open(t, runner, Type(), "home", body)
	}
	entries := func() (out []string) {
		w.Edit(func(s *hostfake.WindowsState) {
			for i, list := range s.Programs {
				for _, p := range list[1:] { // the first was there before
					out = append(out, fmt.Sprintf("%d: %s for %s in %s, %s", i, p.Name, p.Path, p.Scope, p.Mode))
				}
			}
			out = append(out, fmt.Sprintf("%d and %d ports", len(s.Openings[0]), len(s.Openings[1])))
		})
		return out
	}
	check := func(want ...string) {
		t.Helper()
		if got := entries(); !slices.Equal(got, want) {
			t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const mark = "btplan:home:bt/alice+2520smith "
	rules := []plan.Rule{hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.TCP, "6900"), hosttest.Allow(t, plan.UDP, "6881")}

	// Ports become a program, another program, and ports again.
	open("").Make(t, rules...)
	check("11 and 11 ports")
	d := open(azureus)
	if got := d.Drift(t); got != "it is for any program" {
		t.Errorf("got %q", got)
	}
	if got := d.Told(t, rules...); !strings.HasPrefix(got, "warning: The program is let in on every port. ") {
		t.Errorf("told: %s", got)
	}
	d.Make(t, rules...)
	name := mark + "tcp 6881-6889,6900; " + mark + "udp 6881"
	check("0: "+name+" for "+azureus+" in ALL, Enable", "1: "+name+" for "+azureus+" in ALL, Enable", "0 and 0 ports")
	d = open(`D:\bt.exe`)
	if got := d.Drift(t); got != "it is for another program" {
		t.Errorf("got %q", got)
	}
	sourced := []plan.Rule{hosttest.Allow(t, plan.TCP, "6881", "203.0.113.0/24"), hosttest.Allow(t, plan.UDP, "6881", "198.51.100.7/32")}
	d.Make(t, sourced...)
	name = mark + "tcp 6881 from 203.0.113.0/24; " + mark + "udp 6881 from 198.51.100.7/32"
	in := ` for D:\bt.exe in 198.51.100.7/32,203.0.113.0/24, Enable`
	check("0: "+name+in, "1: "+name+in, "0 and 0 ports")
	d = open("")
	if got := d.Drift(t); got != "it is for one program" {
		t.Errorf("got %q", got)
	}
	d.Make(t, rules...)
	check("11 and 11 ports")
	d.Make(t)
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// An entry that somebody else has made for the program is theirs.
func TestLabICFProgramTaken(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWindows(t)
	d := w.Open(t, w.Login(t), Type(), "home", map[string]cty.Value{"mode": cty.StringVal(modeICF), "program": cty.StringVal(azureus)})
	rule := hosttest.Allow(t, plan.TCP, "6881-6889")
	theirs := hostfake.Program{Path: strings.ToUpper(azureus), Name: "Azureus (by hand)", Mode: "Enable", Scope: "ALL"}
	d.Make(t, rule)

	// The program's installer has put it there in one profile.
	w.Edit(func(s *hostfake.WindowsState) { s.Programs[1][1] = theirs })
	if got := d.Drift(t); got != "it counts in some networks only" {
		t.Errorf("drift: %q", got)
	}
	if got := d.Told(t, rule); !strings.Contains(got, `refused: The program has an entry already. The Windows firewall lets `+azureus+` in by the entry "Azureus (by hand)"`) {
		t.Errorf("told: %s", got)
	}
	if err := d.CarryOut(t, d.Plan(t, host.Owned{hosttest.BT: {rule}})); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("got %v", err)
	}
	d.Make(t)
	w.Edit(func(s *hostfake.WindowsState) {
		if len(s.Programs[0]) != 1 || len(s.Programs[1]) != 2 || s.Programs[1][1] != theirs {
			t.Fatalf("got %+v", s.Programs)
		}
		theirs.Mode = "Disable"
		s.Programs[1][1] = theirs
	})
	if got := d.Told(t, rule); !strings.Contains(got, "refused: A rule shuts out this program") {
		t.Errorf("told: %s", got)
	}
	w.Edit(func(s *hostfake.WindowsState) { s.Programs[1] = s.Programs[1][:1] })
	var many []plan.Rule
	for port := 1025; port < 6000; port += 2 {
		many = append(many, hosttest.Allow(t, plan.TCP, fmt.Sprint(port)))
	}
	if got := d.Told(t, many...); !strings.Contains(got, "refused: Too much for the entry of one program") {
		t.Errorf("told: %s", got)
	}
	if _, err := d.Shape([]plan.Rule{hosttest.Allow(t, plan.TCP, "1", "2001:db8::/32")}); !errors.Is(err, providers.ErrUnsupported) {
		t.Errorf("sources of IPv6: got %v", err)
	}
}

// Windows XP has one opening for a port in each profile: those of others are left
// alone, be they turned off, made since the plan, or in the place of ours.
func TestLabICFPortTaken(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWindows(t)
	d := w.Open(t, w.Login(t), Type(), "home", map[string]cty.Value{"mode": cty.StringVal(modeICF), "program": cty.NullVal(cty.String)})
	rule := hosttest.Allow(t, plan.TCP, "6881")
	theirs := hostfake.Opening{Protocol: "TCP", Port: "6881", Mode: "Disable", Name: "eMule"}
	before := w.Dump()

	w.Edit(func(s *hostfake.WindowsState) { s.Openings[1] = append(s.Openings[1], theirs) })
	if got := d.Told(t, rule); !strings.HasPrefix(got, `refused: A rule shuts these ports. The Windows firewall has the entry "eMule" for TCP port 6881, which is turned off.`) {
		t.Errorf("told: %s", got)
	}
	w.Edit(func(s *hostfake.WindowsState) { s.Openings[1] = s.Openings[1][:0] })

	late := d.Plan(t, host.Owned{hosttest.BT: {rule}})
	w.Edit(func(s *hostfake.WindowsState) { s.Openings[1] = []hostfake.Opening{theirs} })
	if err := d.CarryOut(t, late); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("got %v", err)
	}
	w.Edit(func(s *hostfake.WindowsState) { s.Openings[1] = s.Openings[1][:0] })

	d.Make(t, rule)
	w.Edit(func(s *hostfake.WindowsState) { s.Openings[1] = []hostfake.Opening{theirs} })
	if got := d.Drift(t); got != "it counts in some networks only" {
		t.Errorf("drift: %q", got)
	}
	d.Make(t)
	w.Edit(func(s *hostfake.WindowsState) {
		if len(s.Openings[0]) != 0 || !slices.Equal(s.Openings[1], []hostfake.Opening{theirs}) {
			t.Errorf("got %+v", s.Openings)
		}
		s.Openings[1] = s.Openings[1][:0]
	})
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// A failure is told in the machine's words, with what to do about it.
func TestLabWindowsLimited(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWindows(t)
	runner := w.Login(t)
	rule := hosttest.Allow(t, plan.TCP, "6881-6889")
	w.Edit(func(s *hostfake.WindowsState) { s.Limited = true })
	before := w.Dump()
	for mode, says := range map[string]string{
		modeNetSecurity: "only administrators can read and change the firewall, and btplan is none there. Log in as one, by an SSH server that gives elevated sessions",
		modeAdvFirewall: "A specified value is not valid.",
	} {
		d := w.Open(t, runner, Type(), "home", map[string]cty.Value{"mode": cty.StringVal(mode)})
		if err := d.CarryOut(t, d.Plan(t, host.Owned{hosttest.BT: {rule}})); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", mode, err, says)
		}
	}
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}
