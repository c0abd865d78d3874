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
