package lab

import (
	"strings"
	"testing"
)

func TestUFW(t *testing.T) {
	Need(t, "ufw", "iptables")
	n := NewNAT(t)
	h := n.Desktop
	h.Listen("tcp", 22, 6881)
	h.ServeUFW()
	for range 2 {
		if answer, err := n.Control.Probe("tcp", DesktopLAN+":6881", Brief); err == nil {
			t.Errorf("what isn't open answers %q", answer)
		}
		reach(t, n.Control, "tcp", DesktopLAN+":22", h, 22, ControlLAN)
		h.Restart("")
		h.Listen("tcp", 22, 6881)
	}
	h.Run("ufw", "allow", "6881/tcp")
	reach(t, n.Control, "tcp", DesktopLAN+":6881", h, 6881, ControlLAN)
	if got := n.Seedbox.ReadFile("/etc/ufw/user.rules"); strings.Contains(got, "6881") {
		t.Error("a rule of one host is another one's too")
	}
}
