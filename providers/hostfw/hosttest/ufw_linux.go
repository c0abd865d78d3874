package hosttest

import (
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// UFWDump is all that a ufw holds and has put into force.
func UFWDump(h *lab.Host) string {
	return h.Sh("ufw show added; cat /etc/ufw/user.rules /etc/ufw/user6.rules; iptables -S; ip6tables -S; ls /etc/btplan 2>/dev/null || :")
}

// NewUFW gives a machine whose firewall is ufw.
func NewUFW(t *testing.T) Pair {
	t.Helper()
	lab.Need(t, "ufw", "iptables")
	p := NewPair(t)
	p.Machine.ServeUFW()
	return p
}
