package lab

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRestart(t *testing.T) {
	Need(t, "ssh")
	n := NewNAT(t)
	g := n.Gateway
	g.Listen("tcp", 80)
	g.WriteFile("/etc/btplan-lab", "kept", 0o644)
	g.WriteFile("/var/lib/btplan-lab/file", "kept", 0o644)
	g.WriteFile("/run/btplan-lab", "lost", 0o644)
	g.WriteFile("/etc/boot", "nft -f /etc/nftables.conf; echo $(hostname) >>/etc/booted", 0o755)
	g.Start("sleep", "600")
	g.Sh("(sleep 600 >/dev/null 2>&1 &)")
	g.Run("ip", "route", "add", "203.0.113.0/24", "via", ClientWAN)
	rules, wired := g.RuleSet(), n.wiring(t)
	before, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	// A connection that the test holds open must not keep the old host on the
	// network.
	if _, err := n.Control.Dial("tcp", GatewayLAN+":22", Patient); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.Restart("echo of the boot >/run/boot; test -z \"$(nft list ruleset)\"; sh /etc/boot")
		if got := g.ReadFile("/etc/btplan-lab") + g.ReadFile("/var/lib/btplan-lab/file"); got != "keptkept" {
			t.Errorf("/etc and /var have %q", got)
		}
		if out, err := g.Try("cat", "/run/btplan-lab"); err == nil {
			t.Errorf("/run was kept: %q", out)
		}
		if got := g.ReadFile("/run/boot"); got != "of the boot\n" {
			t.Errorf("the boot command wrote %q", got)
		}
		if got := g.Sh("cat /proc/[0-9]*/comm"); strings.Contains(got, "sleep") || !strings.Contains(got, "sshd") {
			t.Errorf("the processes are %q", got)
		}
		if got := g.RuleSet(); got != rules {
			t.Errorf("the rules are\n%s\nand were\n%s", got, rules)
		}
		if got := g.Run("ip", "route"); strings.Contains(got, "203.0.113") || !strings.Contains(got, "lan0") {
			t.Errorf("the routes are %q", got)
		}
		if got := n.wiring(t); got != wired {
			t.Errorf("%d interfaces are with the bridges, and %d were", got, wired)
		}
		if got := n.Control.Run("ssh", "-o", "BatchMode=yes", "root@"+GatewayLAN, "hostname"); got != "gateway\n" {
			t.Errorf("by SSH it says %q", got)
		}
		miss(t, ErrRefused, n.Control, GatewayLAN+":80")
	}
	if got := g.ReadFile("/etc/booted"); got != "gateway\ngateway\ngateway\n" {
		t.Errorf("/etc/booted is %q", got)
	}
	// Nothing is mounted twice.
	if got := strings.Count(g.Sh("cat /proc/self/mountinfo"), " /proc "); got != 2 {
		t.Errorf("/proc is mounted %d times", got)
	}
	n.Client.Listen("tcp", 6881)
	reach(t, n.Seedbox, "tcp", ClientWAN+":6881", n.Client, 6881, GatewayWAN)
	reach(t, n.Seedbox, "tcp", "["+ClientWAN6+"]:6881", n.Client, 6881, SeedboxLAN6)
	after, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the test is in another network namespace")
	}
}

// wiring counts what is in the namespace of the bridges.
func (l *Lab) wiring(t *testing.T) int {
	t.Helper()
	var out []byte
	err := enter(int(l.wire.Fd()), unix.CLONE_NEWNET, func() (err error) {
		out, err = exec.Command("ip", "-o", "link").Output()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(out, []byte("\n"))
}
