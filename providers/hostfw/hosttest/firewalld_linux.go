package hosttest

import (
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// FirewalldDump is all that a firewalld holds, now and for good, and has put
// into force.
func FirewalldDump(h *lab.Host) string {
	return h.Sh("find /etc/firewalld -type f | sort | xargs tail -n +1; firewall-cmd --list-all-zones; firewall-cmd --list-all-policies") + h.RuleSet()
}

// NewFirewalld gives a machine whose firewall is firewalld.
func NewFirewalld(t *testing.T) Pair {
	t.Helper()
	return NewFirewalldWith(t, "")
}

// NewFirewalldWith starts firewalld after a script, which saves reloading it.
func NewFirewalldWith(t *testing.T, script string) Pair {
	t.Helper()
	lab.Need(t, "firewalld", "firewall-cmd", "dbus-daemon", "busctl")
	p := NewPair(t)
	p.Machine.Sh("mkdir -p /etc/firewalld/policies\n" + script)
	p.Machine.ServeFirewalld()
	return p
}
