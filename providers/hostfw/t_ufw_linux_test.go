package hostfw

import (
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// ufwDump is all that a ufw holds and has put into force.
func ufwDump(h *lab.Host) string {
	return h.Sh("ufw show added; cat /etc/ufw/user.rules /etc/ufw/user6.rules; iptables -S; ip6tables -S; ls /etc/btplan 2>/dev/null || :")
}

func newUFW(t *testing.T) pair {
	t.Helper()
	lab.Need(t, "ufw", "iptables")
	p := newPair(t)
	p.machine.ServeUFW()
	return p
}
