package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
)

// cabin is a configuration with one port range, whose machine and ports a test
// changes.
type cabin struct {
	*home
	dir         string
	revertAfter time.Duration // what write writes

	rules    func() string          // all the rules that the gateway has
	changing func() <-chan struct{} // is closed in the middle of the next change, or at its end
}

func newCabin(t testing.TB) *cabin {
	t.Helper()
	c := &cabin{home: newHome(t), dir: t.TempDir(), revertAfter: patient}
	c.rules = c.Gateway.RuleSet
	c.changing = func() <-chan struct{} { return c.Gateway.SawRules("btplan_cabin") }
	c.Seedbox.Listen("tcp", 6881)
	c.Desktop.Listen("tcp", 6881)
	return c
}

// useIptables makes the gateway one of a variant of iptables alone: "nft",
// "legacy".
func (c *cabin) useIptables(variant string) {
	c.t.Helper()
	lab.Need(c.t, "iptables-"+variant)
	c.Gateway.Sh(`nft flush ruleset
for p in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
	ln -sf "/usr/sbin/${p%tables*}tables-` + variant + `${p#*tables}" /etc/alternatives/$p
done
iptables -P FORWARD DROP
iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -i lan0 -o wan0 -j ACCEPT
iptables -t nat -A POSTROUTING -o wan0 -j MASQUERADE
mount --bind /dev/null /usr/sbin/nft`)
	// The order of chains means nothing, nor does what is empty.
	c.rules = func() string {
		return c.Gateway.Sh(`{ iptables-nft-save; iptables-legacy-save; } 2>/dev/null | grep -e '^-A' -e '^:BTPLAN' | sed 's/ \[.*//' | sort`)
	}
	c.changing = func() <-chan struct{} { return c.Gateway.SawRules("BTPLAN-DNAT-cabin") }
	if variant == "legacy" {
		c.changing = func() <-chan struct{} {
			const lock = "/run/xtables.lock" // made by the first change, and only that
			c.Gateway.Sh("rm -f " + lock)
			return c.Gateway.SawFile(lock)
		}
	}
}

// kinds are gateways that differ in what a change and its undoing are made of.
var kinds = map[string]func(*cabin){
	"nftables":        func(*cabin) {},
	"iptables-nft":    func(c *cabin) { c.useIptables("nft") },
	"iptables-legacy": func(c *cabin) { c.useIptables("legacy") },
	"Dropbear":        func(c *cabin) { c.Gateway.ServeDropbear() },
	"Dropbear and iptables-nft": func(c *cabin) {
		c.useIptables("nft")
		c.Gateway.ServeDropbear("nft")
	},
	"systemd": func(c *cabin) { c.Gateway.ServeSystemd() },
}

// How long the gateway waits for a claim: patient where there will be one,
// however busy this computer is, and hasty where there won't.
const (
	patient = time.Minute
	hasty   = 5 * time.Second
)

// write writes the configuration that forwards port 6881 to a machine.
func (c *cabin) write(machine string) {
	c.t.Helper()
	source := fmt.Sprintf(`
btplan {
  project = "cabin"
}
gateway "linux" "edge" {
  wan_interface = "wan0"
  revert_after  = %q
  ssh {
    host = %q
    user = "root"
  }
}
machine "pc" {
  address = %q
}
port_range "pc" {
  machine  = machine.pc
  gateways = [gateway.edge]
  ports    = 6881
}
`, c.revertAfter, lab.GatewayLAN, machine)
	if err := os.WriteFile(filepath.Join(c.dir, "main.btp.hcl"), []byte(source), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cabin) must(code int, says string, args ...string) {
	c.t.Helper()
	got, out := c.exec(append([]string{"-chdir=" + c.dir}, args...)...)
	if got != code || !strings.Contains(out, says) {
		c.t.Fatalf("btplan %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, says, out)
	}
}

// awaitRules waits until the gateway's rules are these.
func (c *cabin) awaitRules(want string, limit time.Duration) {
	c.t.Helper()
	await(c.t, limit, func() string {
		if got := c.rules(); got != want {
			return fmt.Sprintf("the gateway holds\n%s\nand not\n%s", got, want)
		}
		return ""
	})
}

// await waits until there is nothing wrong any more.
func await(t testing.TB, limit time.Duration, wrong func() string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); ; <-tick.C {
		got := wrong()
		if got == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s", limit, got)
		}
	}
}

// grace is how much later than revert_after a busy gateway may be.
const grace = 5 * time.Second

// cutOff runs a command that is to forward to the desktop, cuts its line as
// soon as the gateway has changed, and checks that the gateway goes back to
// what it was. Then the line is mended, and the gateway may take its time again.
func (c *cabin) cutOff(args ...string) {
	c.t.Helper()
	before := c.rules()
	c.revertAfter = hasty
	c.write(lab.DesktopLAN)
	cut := c.CutSSH(c.changing())
	c.must(6, "Error: gateway.edge could not be changed", args...)
	<-cut
	c.awaitRules(before, hasty+grace)
	c.Control.Mend()
	c.revertAfter = patient
	c.write(lab.DesktopLAN)
}

// Whenever a change cuts btplan off, or btplan dies, the gateway goes back to
// what it was, by itself.
func TestLabLockout(t *testing.T) {
	again, destroy := []string{"apply", "-auto-approve"}, []string{"destroy", "-auto-approve"}
	for name, test := range map[string]struct {
		kind  string
		first string // the machine that the gateway forwards to before; empty: none
		args  []string
	}{
		"the first apply":           {"nftables", "", again},
		"a later apply":             {"nftables", lab.SeedboxLAN, again},
		"destroying again":          {"nftables", lab.SeedboxLAN, destroy},
		"iptables-nft":              {"iptables-nft", lab.SeedboxLAN, again},
		"iptables-nft, at first":    {"iptables-nft", "", again},
		"iptables-legacy":           {"iptables-legacy", lab.SeedboxLAN, again},
		"iptables-legacy, destroy":  {"iptables-legacy", lab.SeedboxLAN, destroy},
		"Dropbear":                  {"Dropbear", lab.SeedboxLAN, destroy},
		"Dropbear and iptables-nft": {"Dropbear and iptables-nft", lab.SeedboxLAN, again},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCabin(t)
			kinds[test.kind](c)
			if test.first != "" {
				c.write(test.first)
				c.must(0, "Apply complete!", "apply", "-auto-approve")
			}
			c.cutOff(test.args...)
			if test.first != "" {
				c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
			}
			c.must(0, "omplete!", test.args...)
		})
	}
}

// SIGKILL in the middle of an apply.
func TestLabKilled(t *testing.T) {
	for _, kind := range []string{"nftables", "iptables-nft", "iptables-legacy", "Dropbear", "Dropbear and iptables-nft", "systemd"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newCabin(t)
			kinds[kind](c)
			c.write(lab.SeedboxLAN)
			c.must(0, "Apply complete!", "apply", "-auto-approve")
			before := c.rules()
			c.revertAfter = hasty
			c.write(lab.DesktopLAN)
			changing := c.changing()
			cmd := c.Control.Command(t.Context(), c.btplan, "-chdir="+c.dir, "apply", "-auto-approve")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-changing
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
				t.Fatalf("btplan was quicker than the signal: %v", err)
			}
			// The gateway goes on with what it is at.
			await(t, hasty, func() string {
				if c.rules() == before {
					return "the gateway has not changed"
				}
				return ""
			})
			c.awaitRules(before, hasty+grace)
			c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
			await(t, grace, c.leftOver)
		})
	}
}

// leftOver tells of what a change has left on the gateway: files about what is
// to be undone, and who waits for that.
func (c *cabin) leftOver() string {
	return c.Gateway.Sh(`ls /run/btplan 2>/dev/null || true
for p in $(grep -l '[s]leep' /proc/[0-9]*/cmdline 2>/dev/null); do tr '\0' ' ' <$p; done 2>/dev/null || true`)
}

// Nothing of a change goes on once btplan has ended, or it would be in the way
// of the next ones.
func TestLabLeftOver(t *testing.T) {
	for _, kind := range []string{"nftables", "iptables-nft", "Dropbear", "systemd"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newCabin(t)
			kinds[kind](c)
			for _, machine := range []string{lab.SeedboxLAN, lab.DesktopLAN} {
				c.write(machine)
				c.must(0, "Apply complete!", "apply", "-auto-approve")
			}
			await(t, grace, c.leftOver) // which is far less than it would wait
		})
	}
}

// After a restart of the gateway the rules are there again, with nobody's
// help; after a destroy and a restart they aren't.
func TestLabReboot(t *testing.T) {
	c := newCabin(t)
	const rcLocal = "#!/bin/sh -e\n# The owner's own.\ntrue\nexit 0\n"
	c.Gateway.WriteFile("/etc/rc.local", rcLocal, 0o755)
	etc := func() string {
		return c.Gateway.Sh("cd /etc; find . -newer rc.local -type f -o -path '*btplan*' | sort; cat rc.local")
	}
	before := etc()
	c.write(lab.SeedboxLAN)
	c.must(0, "Apply complete!", "apply", "-auto-approve")
	c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)

	boot := func() {
		c.Gateway.Restart("nft -f /etc/nftables.conf; sh -e /etc/rc.local")
	}
	boot()
	c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
	c.must(0, "No changes.", "plan", "-detailed-exitcode")

	// What is saved is compared too.
	c.Gateway.WriteFile("/etc/btplan/cabin.sh", "exit 0\n", 0o700)
	c.must(2, "it isn't saved as it is for the next boot", "plan", "-detailed-exitcode")
	c.must(0, "Apply complete! Resources: 0 added, 1 changed, 0 destroyed.", "apply", "-auto-approve")
	c.must(0, "No changes.", "plan", "-detailed-exitcode")
	boot()
	c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)

	// What was flushed, but is still saved, is told.
	c.Gateway.Run("nft", "-f", "/etc/nftables.conf")
	c.must(0, "No changes.", "plan", "-destroy", "-detailed-exitcode")
	c.must(0, "Rules that are gone come back at the next boot", "destroy", "-auto-approve")
	c.must(0, "Apply complete!", "apply", "-auto-approve")
	_, out := c.exec("-chdir="+c.dir, "destroy", "-auto-approve")
	if !strings.Contains(out, "Destroy complete!") || strings.Contains(out, "Warning") {
		t.Errorf("destroy said:\n%s", out)
	}
	if after := etc(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	boot()
	c.reaches(c.Client, "tcp", "6881", "")
}

// A plan that would send btplan's own connection to a machine is refused, by
// the way by which btplan came; the same plan by another way is none.
func TestLabOwnPort(t *testing.T) {
	h := newHome(t)
	h.Gateway.LetIn(h.Control, lab.GatewayWAN)
	before := h.Gateway.RuleSet()
	dir := t.TempDir()
	plan := func(host string) (int, string) {
		source := fmt.Sprintf(`
btplan {
  project = "cabin"
}
gateway "linux" "edge" {
  wan_interface = "wan0"
  ssh {
    host = %q
    user = "root"
  }
}
machine "pc" {
  address = %q
}
port_range "ssh" {
  machine  = machine.pc
  gateways = [gateway.edge]
  ports    = 22
}
`, host, lab.SeedboxLAN)
		if err := os.WriteFile(filepath.Join(dir, "main.btp.hcl"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		return h.exec("-chdir="+dir, "apply", "-auto-approve")
	}
	code, out := plan(lab.GatewayWAN)
	if code != 1 || !strings.Contains(out, "Error: gateway.edge: btplan would be cut off") || !strings.Contains(out, "main.btp.hcl line 15") {
		t.Errorf("by the WAN address: exit code %d:\n%s", code, out)
	}
	if after := h.Gateway.RuleSet(); after != before {
		t.Errorf("touched:\n%s", after)
	}
	if code, out := plan(lab.GatewayLAN); code != 0 {
		t.Errorf("by the LAN address: exit code %d:\n%s", code, out)
	}
	if code, out := h.exec("-chdir="+dir, "plan", "-detailed-exitcode"); code != 0 {
		t.Errorf("the plan after it: exit code %d:\n%s", code, out)
	}
}

// All of it on a gateway such as OpenWrt is: Dropbear, and busybox for a shell
// and tools.
func TestLabOpenWrt(t *testing.T) {
	c := newCabin(t)
	c.Gateway.ServeDropbear("flock")
	c.Gateway.WriteFile("/etc/rc.local", "exit 0\n", 0o755)
	before := c.Gateway.RuleSet()
	c.write(lab.SeedboxLAN)
	c.must(0, "Apply complete!", "apply", "-auto-approve")
	c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
	c.must(0, "No changes.", "plan", "-detailed-exitcode")

	c.cutOff("apply", "-auto-approve")
	c.must(0, "Apply complete!", "apply", "-auto-approve")
	c.reaches(c.Client, "tcp", "6881", "desktop from "+lab.ClientWAN)

	c.Gateway.Restart("nft -f /etc/nftables.conf; sh /etc/rc.local")
	c.reaches(c.Client, "tcp", "6881", "desktop from "+lab.ClientWAN)
	c.must(0, "No changes.", "plan", "-detailed-exitcode")
	c.must(0, "Destroy complete!", "destroy", "-auto-approve")
	if after := c.Gateway.RuleSet(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	if got := c.Gateway.ReadFile("/etc/rc.local"); got != "exit 0\n" {
		t.Errorf("/etc/rc.local is %q", got)
	}
}

// Where systemd runs, a unit of our own brings the rules back: at boot, and
// when the unit that loads the gateway's own rules starts again.
func TestLabSystemd(t *testing.T) {
	c := newCabin(t)
	c.Gateway.ServeSystemd()
	c.Gateway.Sh("systemctl enable nftables.service; systemctl start nftables.service") // Debian's own unit
	units := func() string { return c.Gateway.Sh("cd /etc/systemd/system; find . | sort") }
	before := units()
	c.write(lab.SeedboxLAN)
	c.must(0, "Apply complete!", "apply", "-auto-approve")
	c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
	if err := c.Gateway.VerifyUnit("/etc/systemd/system/btplan-cabin.service"); err != nil {
		t.Error(err)
	}
	c.must(0, "No changes.", "plan", "-detailed-exitcode")

	for _, verb := range []string{"restart", "reload"} {
		c.Gateway.Sh("systemctl " + verb + " nftables.service")
		c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
		c.must(0, "No changes.", "plan", "-detailed-exitcode")
	}
	c.Gateway.Restart("systemctl default")
	c.reaches(c.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
	c.must(0, "No changes.", "plan", "-detailed-exitcode")

	c.Gateway.Sh("systemctl disable btplan-cabin.service")
	c.must(2, "it isn't saved as it is for the next boot", "plan", "-detailed-exitcode")
	c.must(0, "Apply complete!", "apply", "-auto-approve")

	// The change that is cut off is taken back by systemd.
	c.cutOff("apply", "-auto-approve")
	if log := c.Gateway.ReadFile(lab.SystemdLog); !strings.Contains(log, "btplan-undo-") {
		t.Errorf("systemd has not done it. It did:\n%s", log)
	}

	c.must(0, "Destroy complete!", "destroy", "-auto-approve")
	if after := units(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	c.Gateway.Restart("systemctl default")
	c.reaches(c.Client, "tcp", "6881", "")
}

// Under a load of new connections, applying again and again loses none, nor a
// flow that was there before.
func TestLabReapplyUnderLoad(t *testing.T) {
	c := newCabin(t)
	c.Seedbox.ListenLines(7000)
	c.Seedbox.Listen("udp", 7000)
	c.write(lab.SeedboxLAN)
	source := filepath.Join(c.dir, "main.btp.hcl")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	extra := func(port int) {
		t.Helper()
		block := fmt.Sprintf(`
port_range "kept" {
  machine   = machine.pc
  gateways  = [gateway.edge]
  ports     = 7000
  protocols = ["tcp", "udp"]
}
port_range "changing" {
  machine   = machine.pc
  gateways  = [gateway.edge]
  ports     = %d
  protocols = ["tcp", "udp"]
}
`, port)
		if err := os.WriteFile(source, []byte(string(text)+block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	extra(8000)
	c.must(0, "Apply complete!", "apply", "-auto-approve")
	flow := c.Client.Hold("tcp", lab.GatewayWAN+":7000")
	const applies = 150
	loads := map[string]*lab.Load{}
	for protocol, port := range map[string]string{"tcp": "6881", "udp": "7000"} {
		const rate, minutes = 50, 20 // far more than it takes
		loads[protocol] = c.Client.Load(protocol, lab.GatewayWAN+":"+port, rate, 60*minutes*rate)
	}
	for i := range applies {
		extra(8001 + i)
		c.must(0, "Apply complete! Resources: 1 added, 0 changed, 1 destroyed.", "apply", "-auto-approve")
	}
	for protocol, load := range loads {
		opened, failed := load.Stop()
		t.Logf("%d new %s connections during %d applies", opened, protocol, applies)
		if len(failed) > 0 {
			t.Errorf("%d of %d new %s connections failed, the first: %v", len(failed), opened, protocol, failed[0])
		}
		if opened < applies {
			t.Errorf("only %d new %s connections were made", opened, protocol)
		}
	}
	if err := flow.Alive(); err != nil {
		t.Errorf("the flow that was there before: %v", err)
	}
	await(t, grace, c.leftOver)
}

// A gateway whose firewall is firewalld is refused with a word for what to do,
// and nothing is done to it.
func TestLabFirewalld(t *testing.T) {
	c := newCabin(t)
	c.Gateway.ServeFirewalld()
	before := c.Gateway.RuleSet()
	c.write(lab.SeedboxLAN)
	c.must(1, "systemctl disable --now firewalld", "apply", "-auto-approve")
	if after := c.Gateway.RuleSet(); after != before {
		t.Errorf("touched:\n%s\nbefore:\n%s", after, before)
	}
}
