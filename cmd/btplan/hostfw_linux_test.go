package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// hostFirewalls are the firewalls of the lab's machines: how each is started,
// what it calls its own reload, and its own listing.
var hostFirewalls = map[string]struct {
	needs  []string
	serve  func(*lab.Host)
	reload string
	list   string
}{
	"ufw": {
		[]string{"ufw", "iptables"}, (*lab.Host).ServeUFW,
		"ufw reload", "ufw show added; cat /etc/ufw/user.rules /etc/ufw/user6.rules; iptables -S; ip6tables -S",
	},
	"firewalld": {
		[]string{"firewalld", "firewall-cmd", "dbus-daemon", "busctl"}, (*lab.Host).ServeFirewalld,
		"firewall-cmd --reload", "firewall-cmd --list-all-zones; firewall-cmd --list-all-policies; ls /etc/firewalld/policies; nft -s list ruleset",
	},
	"nftables": {
		[]string{"nft", "systemctl"}, serveNftables,
		"systemctl reload nftables.service", "nft -s list ruleset; find /etc/systemd/system | sort",
	},
	"iptables": {
		[]string{"iptables-nft", "ip6tables-nft", "systemctl"}, serveIptables,
		"for v in ip ip6; do ${v}tables-restore </etc/iptables/rules.$v; done; sh /etc/btplan/home.host.sh", "iptables -S; ip6tables -S; ls /etc/iptables /etc/btplan 2>/dev/null || :",
	},
}

// serveNftables has a machine shut what is not SSH, by its /etc/nftables.conf.
func serveNftables(h *lab.Host) {
	h.ServeSystemd()
	h.WriteFile("/etc/nftables.conf", `flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport 22 accept
	}
}
`, 0o644)
	h.Sh("systemctl enable nftables.service; systemctl start nftables.service")
}

// serveIptables has a machine shut what is not SSH, without nft.
func serveIptables(h *lab.Host) {
	h.ServeSystemd()
	h.Sh(`mount --bind /dev/null /usr/sbin/nft
mkdir -p /etc/iptables
for v in ip ip6; do
	${v}tables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	${v}tables -A INPUT -p tcp --dport 22 -j ACCEPT
	${v}tables -P INPUT DROP
	${v}tables-save >/etc/iptables/rules.$v
done`)
}

// From HCL to a packet through a machine's own firewall, over SSH, and back.
func TestLabHostFirewall(t *testing.T) {
	for name, firewall := range hostFirewalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, firewall.needs...)
			h := newHome(t)
			example, err := filepath.Abs("../../examples/host-firewall")
			if err != nil {
				t.Fatal(err)
			}
			must := func(code int, says string, args ...string) {
				t.Helper()
				args = append([]string{"-chdir=" + example, args[0], "-var=seedbox=" + lab.SeedboxLAN, `-var=lan=["` + lab.DesktopLAN + `/32"]`}, args[1:]...)
				if got, out := h.exec(args...); got != code || !strings.Contains(out, says) {
					t.Fatalf("btplan %q: exit code %d, want %d and %q:\n%s", args, got, code, says, out)
				}
			}
			reaches := func(from *lab.Host, protocol, port string, want bool) {
				t.Helper()
				wait := lab.Brief
				if want {
					wait = lab.Patient
				}
				if _, err := from.Probe(protocol, lab.SeedboxLAN+":"+port, wait); (err == nil) != want {
					t.Errorf("%s to %s %s: %v, want it to pass: %v", from.Name, protocol, port, err, want)
				}
			}
			h.Seedbox.ServeSSH()
			h.Seedbox.LetIn(h.Control, lab.SeedboxLAN)
			h.Seedbox.Listen("tcp", 6880, 6881, 6889, 9091)
			h.Seedbox.Listen("udp", 6881)

			must(2, "machine.seedbox has nftables, which is active there.", "plan", "-detailed-exitcode")
			firewall.serve(h.Seedbox)
			before := h.Seedbox.Sh(firewall.list)
			reaches(h.Desktop, "tcp", "6881", false)
			must(2, "machine.seedbox has "+name+", which is active there.", "plan", "-detailed-exitcode")
			must(0, "Apply complete! Resources: 2 added, 0 changed, 0 destroyed.", "apply", "-auto-approve")
			for range 2 {
				reaches(h.Desktop, "tcp", "6881", true)
				reaches(h.Control, "tcp", "6889", true)
				reaches(h.Control, "udp", "6881", true)
				reaches(h.Desktop, "tcp", "9091", true)
				reaches(h.Control, "tcp", "9091", false)
				reaches(h.Control, "tcp", "6880", false)
				must(0, "No changes. Your devices match the configuration.", "plan", "-detailed-exitcode")
				h.Seedbox.Sh(firewall.reload)
			}
			must(0, "# machine.seedbox (auto: "+name+") holds 3 rules that this project made", "show")
			must(0, "Destroy complete! Resources: 2 destroyed.", "destroy", "-auto-approve")
			reaches(h.Desktop, "tcp", "6881", false)
			if after := h.Seedbox.Sh(firewall.list); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// A plan that has to do with the port by which btplan comes in is refused; and
// this computer's own firewall is changed without SSH.
func TestLabHostFirewallGuard(t *testing.T) {
	lab.Need(t, hostFirewalls["ufw"].needs...)
	h := newHome(t)
	h.Seedbox.ServeSSH()
	h.Seedbox.LetIn(h.Control, lab.SeedboxLAN)
	h.Seedbox.ServeUFW()
	config := func(reach, ports string) string {
		return `btplan { project = "home" }
machine "seedbox" {
  address = "` + lab.SeedboxLAN + `"
  ` + reach + `
  firewall "ufw" {}
}
port_range "bt" {
  machine = machine.seedbox
  ports   = "` + ports + `"
}
`
	}
	run := func(on *lab.Host, args ...string) string {
		out, _ := on.Command(t.Context(), h.btplan, args...).CombinedOutput()
		return string(out)
	}
	h.Control.WriteFile("/root/home/main.btp.hcl", config(`ssh { user = "root" }`, "20-30"), 0o600)
	if out := run(h.Control, "-chdir=/root/home", "plan"); !strings.Contains(out, "TCP port 22 is SSH's") || !strings.Contains(out, "on main.btp.hcl line 7") && !strings.Contains(out, "main.btp.hcl line 7") {
		t.Errorf("the port of SSH is in the range, and the plan says\n%s", out)
	}

	// On the machine itself. What lets SSH in then goes away, by hand.
	h.Seedbox.WriteFile("/root/home/main.btp.hcl", config("local = true", "20-30"), 0o600)
	if out := run(h.Seedbox, "-chdir=/root/home", "apply", "-auto-approve"); !strings.Contains(out, "Apply complete!") {
		t.Fatalf("the apply says\n%s", out)
	}
	h.Seedbox.Sh("ufw delete allow 22/tcp")
	h.Control.WriteFile("/root/home/main.btp.hcl", config(`ssh { user = "root" }`, "6881"), 0o600)
	for _, command := range []string{"plan", "destroy"} {
		args := []string{"-chdir=/root/home", command}
		if command == "destroy" {
			args = append(args, "-auto-approve")
		}
		if out := run(h.Control, args...); !strings.Contains(out, "btplan would lock itself out") {
			t.Errorf("%s would shut SSH's port, and says\n%s", command, out)
		}
	}
	h.Seedbox.Sh("ufw allow 22/tcp")
	if out := run(h.Control, "-chdir=/root/home", "apply", "-auto-approve"); !strings.Contains(out, "Apply complete!") {
		t.Errorf("the apply says\n%s", out)
	}
}
