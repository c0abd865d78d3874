package hostfw

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
	"github.com/btplan/btplan/plan"
)

// Auto takes the firewall of another system for what it is, whatever runs
// scripts there, and says so.
func TestLabAutoElsewhere(t *testing.T) {
	t.Parallel()
	windows := newWindows(t)
	// Cygwin's sshd, as old Windows have it: there is a sh.
	cygwin := hostfake.NewWindows(t)
	shell := filepath.Join(filepath.Dir(cygwin.Shell), "cygwin")
	script := "#!/bin/sh\ncase $2 in sh*) OS=Windows_NT exec sh \"$@\" ;; esac\nexec " + cygwin.Shell + " \"$@\"\n"
	if err := os.WriteFile(shell, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	mac := newMac(t)
	for name, test := range map[string]struct {
		pair
		found string
		dump  func() string
	}{
		"windows": {windows.pair, windowsName, windows.Dump},
		"cygwin":  {newShell(t, shell), windowsName, cygwin.Dump},
		"mac":     {mac.pair, macosName, mac.holds},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.dump()
			d := test.open(t, test.login(t), autoType(), "home", nil)
			d.make(t, allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "6881"))
			if got := d.Device.(*auto).ReadBack(); got.Found != test.found || len(got.Rules) < 2 {
				t.Errorf("got %+v", got)
			}
			if got := d.told(t, allow(t, plan.TCP, "20-30")); !strings.Contains(got, "TCP port 22 is SSH's") {
				t.Errorf("told: %s", got)
			}
			d.make(t)
			if after := test.dump(); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
	cygwin.Edit(func(s *hostfake.WindowsState) { s.NoShell = true })
	xp := newShell(t, shell)
	_, err := xp.open(t, xp.login(t), autoType(), "home", nil).Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), `the machine is a Windows: there seems to be no PowerShell on the machine: for Windows XP and Server 2003, write firewall "windows" with mode = "icf"`) {
		t.Errorf("Windows XP: got %v", err)
	}
	windows.Edit(func(s *hostfake.WindowsState) { s.NoModule = true })
	r, err := windows.open(t, windows.login(t), autoType(), "home", nil).Read(t.Context())
	if err != nil || r.Found != windowsName {
		t.Errorf("without the module: got %+v, %v", r, err)
	}
}
