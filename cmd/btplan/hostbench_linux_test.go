package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// hostFloors are the least that a plan and an apply run on a machine with each
// firewall: its own commands for reading all of it; and for a change, from the
// comparison with what was planned from.
var hostFloors = map[string]struct{ read, change string }{
	// Listed without elements, and then what is ours with them: other people's
	// sets may hold a hundred thousand.
	"nftables": {"nft -j -t list ruleset; nft -j list table inet btplanhost_home", "nft -j list table inet btplanhost_home; nft list table inet btplanhost_home; nft 'add table inet floor; delete table inet floor'"},
	"iptables": {
		"iptables-save; ip6tables-save",
		"iptables-save; ip6tables-save; for v in ip ip6; do printf '*filter\n:FLOOR - [0:0]\n-X FLOOR\nCOMMIT\n' | ${v}tables-restore -w --noflush; done",
	},
	"ufw": {
		"cat /etc/ufw/user.rules /etc/ufw/user6.rules; iptables -w -S ufw-user-input; ip6tables -w -S ufw6-user-input",
		"cat /etc/ufw/user.rules /etc/ufw/user6.rules; ufw prepend allow proto tcp from any to any port 7000:7009; ufw delete allow proto tcp from any to any port 7000:7009",
	},
	"firewalld": {firewalldFloor, firewalldFloor + "; " + firewalldSet + " 1 7000 tcp; " + firewalldSet + " 0"},
}

const (
	// firewalldBus calls firewalld; firewall-cmd(1) takes ten times as long.
	firewalldBus = "busctl --system call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1"
	// firewalldFloor reads the policies, now and for good, and the zones in use.
	firewalldFloor = "cat /etc/firewalld/policies/*.xml; busctl --system get-property org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1 state; " +
		firewalldBus + " getDefaultZone; " + firewalldBus + ".zone getActiveZones; " + firewalldBus + ".zone getZones; " + firewalldBus + ".zone getZoneSettings2 s public; " +
		firewalldBus + ".policy getPolicies; for p in allow-host-ipv6 btplan-home; do " + firewalldBus + ".policy getPolicySettings s $p; done"
	// firewalldSet gives a policy that isn't btplan's these ports.
	firewalldSet = firewalldBus + ".policy setPolicySettings 'sa{sv}' allow-host-ipv6 1 ports 'a(ss)'"
)

// BenchmarkLabHostPlan: a plan of one machine against a dial and an exec.
func BenchmarkLabHostPlan(b *testing.B) {
	for name, least := range hostFloors {
		b.Run(name, func(b *testing.B) {
			h := newHostBench(b, name)
			h.write("6881-6889")
			h.must("Apply complete!", "apply", "-auto-approve")
			floor := newFloor(b, h.Control)
			againstFloor(b,
				func() { floor.exec(b, floor.dial(b, lab.SeedboxLAN), least.read) },
				func() { h.must("No changes.", "plan") })
		})
	}
}

// BenchmarkLabHostApply: an apply against two dials and three execs: it reads,
// changes and reads again, and comes by a new connection to keep it.
func BenchmarkLabHostApply(b *testing.B) {
	for name, least := range hostFloors {
		b.Run(name, func(b *testing.B) {
			h := newHostBench(b, name)
			h.write("6881-6889")
			h.must("Apply complete!", "apply", "-auto-approve")
			floor := newFloor(b, h.Control)
			ports := []string{"6881-6899", "6881-6889"}
			n := 0
			againstFloor(b,
				func() {
					client := floor.dial(b, lab.SeedboxLAN)
					floor.exec(b, client, least.read)
					floor.exec(b, client, least.change+"; "+least.read)
					floor.exec(b, floor.dial(b, lab.SeedboxLAN), "true")
				},
				func() {
					h.write(ports[n%2])
					n++
					h.must("Apply complete!", "apply", "-auto-approve")
				})
		})
	}
}

// hostBench is a machine with a firewall, reached over SSH.
type hostBench struct {
	*home
	dir, firewall string
}

func newHostBench(b *testing.B, firewall string) *hostBench {
	b.Helper()
	lab.Need(b, hostFirewalls[firewall].needs...)
	h := &hostBench{newHome(b), b.TempDir(), firewall}
	hostFirewalls[firewall].serve(h.Seedbox)
	// The lab's stand-ins for systemd are scripts, and take their time.
	h.Seedbox.Sh("rm -rf /run/systemd/system; touch /etc/rc.local")
	h.Seedbox.ServeSSH()
	h.Seedbox.LetIn(h.Control, lab.SeedboxLAN)
	return h
}

func (h *hostBench) write(ports string) {
	h.t.Helper()
	source := `btplan { project = "home" }
machine "seedbox" {
  address = "` + lab.SeedboxLAN + `"
  ssh { user = "root" }
  firewall "` + h.firewall + `" {}
}
port_range "bt" {
  machine = machine.seedbox
  ports   = "` + ports + `"
}
`
	if err := os.WriteFile(filepath.Join(h.dir, "main.btp.hcl"), []byte(source), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hostBench) must(says, command string, args ...string) {
	h.t.Helper()
	if code, out := h.exec(append([]string{"-chdir=" + h.dir, command}, args...)...); code != 0 || !strings.Contains(out, says) {
		h.t.Fatalf("btplan %s: exit code %d, want %q:\n%s", command, code, says, out)
	}
}
