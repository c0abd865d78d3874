package lab

import (
	"strings"
	"testing"
)

func TestDropbear(t *testing.T) {
	Need(t, "ssh", "iptables", "conntrack")
	n := NewNAT(t)
	n.Gateway.ServeDropbear()
	login := func(script string) string {
		t.Helper()
		return n.Control.Run("ssh", "-o", "BatchMode=yes", "root@"+GatewayLAN, script)
	}
	check := func() {
		t.Helper()
		if got := login("readlink -f /proc/$$/exe; readlink -f $SHELL; id -un; pwd"); got != "/usr/local/lib/busybox\n/usr/local/lib/busybox\nroot\n/root\n" {
			t.Errorf("the login is %q", got)
		}
		// Each of these is in the PATH of other hosts.
		missing := []string{"nohup", "timeout", "stat", "setsid", "hostname", "realpath", "bash", "perl", "systemctl", "sshd"}
		got := login("for tool in " + strings.Join(missing, " ") + `; do
			$tool --version 2>&1; ls /bin/$tool /sbin/$tool /usr/bin/$tool /usr/sbin/$tool /usr/local/bin/$tool /usr/local/sbin/$tool 2>/dev/null
			done; true`)
		for _, tool := range missing {
			if !strings.Contains(got, tool+": not found\n") {
				t.Errorf("it does not lack %s", tool)
			}
		}
		if lines := strings.Count(got, "\n"); lines != len(missing) {
			t.Errorf("it has some of the tools: %q", got)
		}
		if got := login("echo b a | tr ' ' '\\n' | sort | xargs; wc -l </etc/nftables.conf | tr -d ' '"); !strings.HasPrefix(got, "a b\n") {
			t.Errorf("the applets say %q", got)
		}
		if got := login("nft list tables; ip -o -4 addr show lan0; conntrack --version; iptables -S FORWARD; iptables-save --version"); !strings.Contains(got, "table inet filter") ||
			!strings.Contains(got, GatewayLAN) || !strings.Contains(got, "conntrack v") || !strings.Contains(got, "-P FORWARD ACCEPT") {
			t.Errorf("the tools say %q", got)
		}
		if got := login("exec 9>/run/lock/l; flock -n 9 && echo locked; sh -c 'flock -n /run/lock/l true'; echo $?; flock -w 1 9 2>&1; echo $?"); got != "locked\n1\nflock: unrecognized option: -w\n1\n" {
			t.Errorf("flock says %q", got)
		}
	}
	check()
	n.Gateway.Restart("nft -f /etc/nftables.conf")
	check()
	if got := n.Gateway.RuleSet(); !strings.Contains(got, "table inet filter") {
		t.Errorf("after the restart the rules are %q", got)
	}
	if out, err := n.Desktop.Try("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "root@"+GatewayLAN, "id"); err == nil {
		t.Errorf("a host without a key may log in: %q", out)
	}
}

func TestDropbearWithout(t *testing.T) {
	Need(t, "ssh")
	l := New(t)
	hosts := l.Hosts("router", "control")
	lan := l.Network("lan")
	lan.Plug(hosts[0], "eth0", "192.168.77.1/24")
	lan.Plug(hosts[1], "eth0", "192.168.77.5/24")
	hosts[0].ServeDropbear("flock", "conntrack", "awk")
	hosts[0].LetIn(hosts[1], "192.168.77.1")
	got := hosts[1].Run("ssh", "-o", "BatchMode=yes", "root@192.168.77.1", "for t in flock conntrack awk; do $t 2>&1; done; nft --version; which sed")
	for _, want := range []string{"flock: not found", "conntrack: not found", "awk: not found", "nftables v", "/sed"} {
		if !strings.Contains(got, want) {
			t.Errorf("the router says %q, without %q", got, want)
		}
	}
}

func TestOtherName(t *testing.T) {
	for _, c := range []struct{ before, name, next string }{
		{"", "[", "ash"}, {"ls", "lsmod", "md5sum"}, {"sort", "stat", "strings"}, {"time", "timeout", "top"}, {"ifconfig", "ip", "kill"}, {"yes", "zzz", "\x7f"},
	} {
		other := otherName(c.before, c.name, c.next)
		if other == c.name || len(other) != len(c.name) || other <= c.before || other >= c.next {
			t.Errorf("between %s and %s, %s becomes %s", c.before, c.next, c.name, other)
		}
	}
	if other := otherName("vi", "w", "wc"); other != "w" {
		t.Errorf("between vi and wc, w becomes %s", other)
	}
}
