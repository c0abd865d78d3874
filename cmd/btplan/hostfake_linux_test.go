package main

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
	"github.com/btplan/btplan/internal/lab"
)

// From HCL to the rules of a Windows, over SSH, and back. The machine is played:
// see package hostfake.
func TestLabWindowsFirewall(t *testing.T) {
	t.Parallel()
	w := hostfake.NewWindows(t)
	h := newHome(t)
	h.Seedbox.Run("sed", "-i", `s|^\(root:.*:\)[^:]*$|\1`+w.Shell+"|", "/etc/passwd")
	h.Seedbox.ServeSSH()
	h.Seedbox.LetIn(h.Control, lab.SeedboxLAN)
	h.Control.WriteFile("/root/home/main.btp.hcl", `btplan { project = "home" }
machine "pc" {
  address = "`+lab.SeedboxLAN+`"
  ssh { user = "root" }
  firewall "windows" {}
}
port_range "peers" {
  machine   = machine.pc
  ports     = "6881-6889"
  protocols = ["tcp", "udp"]
}
`, 0o600)
	must := func(code int, says string, args ...string) {
		t.Helper()
		args = append([]string{"-chdir=/root/home"}, args...)
		if got, out := h.exec(args...); got != code || !strings.Contains(out, says) {
			t.Fatalf("btplan %q: exit code %d, want %d and %q:\n%s", args, got, code, says, out)
		}
	}
	before := w.Dump()
	must(2, "Plan: 1 to add, 0 to change, 0 to destroy.", "plan", "-detailed-exitcode")
	must(0, "Apply complete! Resources: 1 added, 0 changed, 0 destroyed.", "apply", "-auto-approve")
	must(0, "No changes. Your devices match the configuration.", "plan", "-detailed-exitcode")
	w.Edit(func(s *hostfake.WindowsState) { s.Rules[len(s.Rules)-1].Enabled = "False" })
	must(2, "it is turned off", "plan", "-detailed-exitcode")
	must(0, "Apply complete! Resources: 0 added, 1 changed, 0 destroyed.", "apply", "-auto-approve")
	must(0, "Destroy complete! Resources: 1 destroyed.", "destroy", "-auto-approve")
	if after := w.Dump(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}
