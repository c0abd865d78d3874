package hostfw

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/hostfw/macos"
	"github.com/btplan/btplan/providers/hostfw/windows"
)

// Auto takes the firewall of another system for what it is, whatever runs
// scripts there, and says so.
func TestLabAutoElsewhere(t *testing.T) {
	t.Parallel()
	pc := hosttest.NewWindows(t)
	// Cygwin's sshd, as old Windows have it: there is a sh.
	cygwin := hostfake.NewWindows(t)
	shell := filepath.Join(filepath.Dir(cygwin.Shell), "cygwin")
	script := "#!/bin/sh\ncase $2 in sh*) OS=Windows_NT exec sh \"$@\" ;; esac\nexec " + cygwin.Shell + " \"$@\"\n"
	if err := os.WriteFile(shell, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	mac := hosttest.NewMac(t)
	for name, test := range map[string]struct {
		hosttest.Pair
		found string
		dump  func() string
	}{
		"windows": {pc.Pair, windows.Name, pc.Dump},
		"cygwin":  {hosttest.NewShell(t, shell), windows.Name, cygwin.Dump},
		"mac":     {mac.Pair, macos.Name, mac.Holds},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.dump()
			d := test.Open(t, test.Login(t), autoType(), "home", nil)
			d.Make(t, hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881"))
			if got := d.Device.(*auto).ReadBack(); got.Found != test.found || len(got.Rules) < 2 {
				t.Errorf("got %+v", got)
			}
			if got := d.Told(t, hosttest.Allow(t, plan.TCP, "20-30")); !strings.Contains(got, "TCP port 22 is SSH's") {
				t.Errorf("told: %s", got)
			}
			d.Make(t)
			if after := test.dump(); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
	cygwin.Edit(func(s *hostfake.WindowsState) { s.NoShell = true })
	xp := hosttest.NewShell(t, shell)
	_, err := xp.Open(t, xp.Login(t), autoType(), "home", nil).Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), `the machine is a Windows: there seems to be no PowerShell on the machine: for Windows XP and Server 2003, write firewall "windows" with mode = "icf"`) {
		t.Errorf("Windows XP: got %v", err)
	}
	pc.Edit(func(s *hostfake.WindowsState) { s.NoModule = true })
	r, err := pc.Open(t, pc.Login(t), autoType(), "home", nil).Read(t.Context())
	if err != nil || r.Found != windows.Name {
		t.Errorf("without the module: got %+v, %v", r, err)
	}
}
