package lab

import (
	"strings"
	"testing"
	"time"
)

// ownUnit is a unit such as a program's own rules have: started after those of
// the packet filter's own service, and again whenever that is.
const ownUnit = `[Unit]
Description=Rules of our own
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
ConditionPathExists=/etc/own.nft

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/own.nft
ExecReload=/usr/sbin/nft -f /etc/own.nft
ExecStop=-/usr/sbin/nft delete table inet own

[Install]
WantedBy=multi-user.target
`

func TestSystemd(t *testing.T) {
	n := NewNAT(t)
	g := n.Gateway
	g.ServeSystemd()
	// It can be loaded only after the table of others, and once.
	g.WriteFile("/etc/own.nft", "add table inet own\nadd chain inet own c\nadd rule inet filter input tcp dport 1 comment \"own\"\n", 0o644)
	g.WriteFile("/etc/systemd/system/own.service", ownUnit, 0o644)
	if err := g.VerifyUnit("/etc/systemd/system/own.service"); err != nil {
		t.Error(err)
	}
	g.Run("nft", "flush", "ruleset")
	state := func(want string) {
		t.Helper()
		got := g.Sh("for u in nftables own.service; do systemctl is-enabled $u || true; systemctl is-active $u || true; done 2>&1")
		if got = strings.Join(strings.Fields(got), " "); got != want {
			t.Errorf("the units are %q, want %q", got, want)
		}
	}
	own := func(want int) {
		t.Helper()
		if got := strings.Count(g.RuleSet(), `comment "own"`); got != want {
			t.Errorf("our rule is there %d times, want %d:\n%s", got, want, g.ReadFile(SystemdLog))
		}
	}
	g.Run("test", "-d", "/run/systemd/system")
	state("disabled inactive disabled inactive")

	g.Sh("systemctl daemon-reload; systemctl enable --now nftables; systemctl enable own; systemctl start own")
	state("enabled active enabled active")
	own(1)
	g.Run("systemctl", "start", "own") // it is
	own(1)
	g.Run("systemctl", "reload", "nftables") // flushes everything
	own(1)
	g.Run("systemctl", "restart", "nftables")
	own(1)
	g.Run("systemctl", "stop", "nftables")
	own(0)
	state("enabled inactive enabled inactive")
	g.Run("systemctl", "restart", "nftables")
	own(0) // what wasn't active isn't started
	if out, err := g.Try("systemctl", "reload", "own"); err == nil || !strings.Contains(err.Error(), "not active") {
		t.Errorf("reload of a unit that is not active: %q, %v", out, err)
	}

	g.Restart("systemctl default")
	state("enabled active enabled active")
	own(1)
	g.Run("systemctl", "disable", "--now", "own")
	g.Restart("systemctl default")
	state("enabled active disabled inactive")
	own(0)
	g.Run("rm", "/etc/own.nft")
	g.Run("systemctl", "start", "own")
	state("enabled active disabled inactive")
}

// What a script must not forget, and what the real one would not do, isn't done.
func TestSystemdIsStrict(t *testing.T) {
	h := New(t).Host("a")
	h.ServeSystemd()
	unit := func(execStart string) {
		h.WriteFile("/etc/systemd/system/a.service", "[Service]\nType=oneshot\nExecStart="+execStart+"\n", 0o644)
	}
	unit("/bin/touch /run/one")
	h.Run("systemctl", "start", "a")
	unit("/bin/touch /run/two")
	h.Run("systemctl", "start", "a")
	h.Sh("test -e /run/one; test ! -e /run/two")
	h.Sh("systemctl daemon-reload; systemctl start a; test -e /run/two")

	unit(`/bin/sh -c 'echo "$0 $$HOME 100%%" >/run/quoted' 'a b'`)
	h.Sh("systemctl daemon-reload; systemctl start a")
	if got := h.ReadFile("/run/quoted"); got != "a b  100%\n" {
		t.Errorf("the command wrote %q", got)
	}
	unit("/bin/echo said > /run/redirected\nExecStart=-/bin/false\nExecStart=/bin/touch /run/three")
	h.Sh("systemctl daemon-reload; systemctl start a; test ! -e /run/redirected; test -e /run/three")
	if got := h.ReadFile(SystemdLog); !strings.Contains(got, "said > /run/redirected") {
		t.Errorf("the log is %q", got)
	}
	unit("/bin/false\nExecStart=/bin/touch /run/four")
	h.Run("systemctl", "daemon-reload")
	if _, err := h.Try("systemctl", "start", "a"); err == nil || !strings.Contains(err.Error(), "Job for a.service failed") {
		t.Errorf("start of what fails: %v", err)
	}
	h.Sh("test ! -e /run/four; test \"$(systemctl is-active a)\" = failed")
	if _, err := h.Try("systemctl", "start", "b"); err == nil || !strings.Contains(err.Error(), "b.service not found") {
		t.Errorf("start of nothing: %v", err)
	}
	h.WriteFile("/etc/systemd/system/bad.service", "[Service]\nType=oneshot\nExecStart=not-a-path\nNoSuch=key\n", 0o644)
	if err := h.VerifyUnit("/etc/systemd/system/bad.service"); err == nil || !strings.Contains(err.Error(), "NoSuch") {
		t.Errorf("VerifyUnit of a bad file says %v", err)
	}
}

// What is ordered goes in that order, and what isn't, in the one that harms.
func TestSystemdOrder(t *testing.T) {
	h := New(t).Host("a")
	h.ServeSystemd()
	boot := func(order string) string {
		t.Helper()
		// The names are such that neither sorts as the units must go.
		for name, lines := range map[string]string{"one": "", "two": "", "own": order} {
			wanted := "multi-user.target"
			if name != "own" {
				wanted = "sysinit.target"
				lines = "DefaultDependencies=no\n"
			}
			dir := map[bool]string{true: "/etc/systemd/system/", false: "/run/systemd/system/"}[name == "own"]
			h.WriteFile(dir+name+".service", "[Unit]\n"+lines+"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo "+
				name+" >>/run/order'\n[Install]\nWantedBy="+wanted+"\n", 0o644)
		}
		h.Sh("systemctl stop one two own; rm -f /run/order; systemctl enable -q one two own; systemctl default")
		return strings.Join(strings.Fields(h.ReadFile("/run/order")), " ")
	}
	for order, want := range map[string]string{
		"":                                "own two one",
		"After=one.service\n":             "two one own",
		"After=one.service two.service\n": "two one own",
		"After=two.service\nBefore=one.service\n": "two own one",
	} {
		if got := boot(order); got != want {
			t.Errorf("with %q the order is %q, want %q", order, got, want)
		}
	}
	h.WriteFile("/etc/systemd/system/own.service", "[Unit]\nBefore=sysinit.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n", 0o644)
	h.Run("systemctl", "daemon-reload")
	if _, err := h.Try("systemctl", "default"); err == nil || !strings.Contains(err.Error(), "cycle") {
		t.Errorf("a cycle: %v", err)
	}
}

func TestSystemdRun(t *testing.T) {
	h := New(t).Host("a")
	h.ServeSystemd()
	const exact = "--timer-property=AccuracySec=100ms"
	start, ran := time.Now(), h.SawFile("/run/ran")
	h.Run("systemd-run", "--on-active=1", "--unit=one", exact, "touch", "/run/ran")
	if _, err := h.Try("systemd-run", "--on-active=1", "--unit=one", exact, "true"); err == nil || !strings.Contains(err.Error(), "one.timer was already loaded") {
		t.Errorf("a second timer of the same name: %v", err)
	}
	h.Run("systemctl", "is-active", "one.timer")
	await(t, "the command", ran)
	if took := time.Since(start); took < time.Second {
		t.Errorf("it ran after %v", took)
	}

	h.Run("systemd-run", "--on-active=1s", "--unit=two", exact, "touch", "/run/stopped")
	h.Run("systemd-run", "--on-active=1s", "--unit=late", "touch", "/run/late")
	h.Run("systemctl", "stop", "two.timer")
	if _, err := h.Try("systemctl", "stop", "two.timer"); err == nil || !strings.Contains(err.Error(), "not loaded") {
		t.Errorf("a second stop: %v", err)
	}
	// A third, which runs later than the others would have.
	ran = h.SawFile("/run/third")
	h.Run("systemd-run", "--on-active=1500ms", "--unit=three", exact, "touch", "/run/third")
	await(t, "the third", ran)
	if got := h.Sh("ls /run; systemctl is-active late.timer"); strings.Contains(got, "stopped") || strings.Contains(got, "late") {
		t.Errorf("/run has %q", got)
	}

	h.Run("systemd-run", "--on-active=1h", "--unit=four", exact, "true")
	h.Restart("")
	h.Sh("! systemctl is-active four.timer")
	for _, args := range [][]string{{"true"}, {"--on-active=soon", "true"}, {"--on-active=1"}, {"--on-active=1", "no-such"}, {"--pty", "--on-active=1", "true"}} {
		if out, err := h.Try("systemd-run", args...); err == nil {
			t.Errorf("systemd-run %q gives %q", args, out)
		}
	}
}
