package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// asAnna has the machine let in a user who is not root, and who becomes root by
// sudo.
const asAnna = `mkdir -p /var/home
useradd --create-home --base-dir /var/home --password '*' --shell /bin/sh anna
cp -r /root/.ssh /var/home/anna
chown -R anna: /var/home/anna/.ssh
echo 'anna ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/anna
`

// A login that is not root's does all that root's does, by way of sudo: it
// claims its change, and knows the port by which it came.
func TestLabHostFirewallSudo(t *testing.T) {
	for name, firewall := range hostFirewalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, append(firewall.needs, "sudo", "useradd")...)
			h := newHome(t)
			example, err := filepath.Abs("../../examples/host-firewall")
			if err != nil {
				t.Fatal(err)
			}
			must := func(code int, says, command string, args ...string) {
				t.Helper()
				args = append([]string{"-chdir=" + example, command, "-var=seedbox=" + lab.SeedboxLAN, "-var=user=anna"}, args...)
				if got, out := h.exec(args...); got != code || !strings.Contains(out, says) {
					t.Fatalf("btplan %q: exit code %d, want %d and %q:\n%s", args, got, code, says, out)
				}
			}
			firewall.serve(h.Seedbox)
			h.Seedbox.ServeSSH()
			h.Seedbox.LetIn(h.Control, lab.SeedboxLAN)
			h.Seedbox.Listen("tcp", 6889)
			must(1, "anna@"+lab.SeedboxLAN, "plan")

			h.Seedbox.Sh(asAnna)
			before := h.Seedbox.Sh(firewall.list)
			must(0, "Apply complete! Resources: 2 added, 0 changed, 0 destroyed.", "apply", "-auto-approve")
			if _, err := h.Desktop.Probe("tcp", lab.SeedboxLAN+":6889", lab.Patient); err != nil {
				t.Error(err)
			}
			must(0, "No changes. Your devices match the configuration.", "plan", "-detailed-exitcode")
			must(0, "Destroy complete! Resources: 2 destroyed.", "destroy", "-auto-approve")
			if after := h.Seedbox.Sh(firewall.list); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}

			h.Control.WriteFile("/root/home/main.btp.hcl", `btplan { project = "home" }
machine "seedbox" {
  address = "`+lab.SeedboxLAN+`"
  firewall "auto" {}
  ssh {
    user = "anna"
    sudo = true
  }
}
port_range "bt" {
  machine = machine.seedbox
  ports   = "20-30"
}
`, 0o600)
			if code, out := h.exec("-chdir=/root/home", "plan"); code != 1 || !strings.Contains(out, "TCP port 22 is SSH's") {
				t.Errorf("the port of SSH is in the range, and the plan says\n%s", out)
			}
		})
	}
}
