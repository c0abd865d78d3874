package lab

import (
	"strings"
	"testing"
)

func TestFirewalld(t *testing.T) {
	Need(t, "firewalld", "firewall-cmd", "dbus-daemon")
	n := NewNAT(t)
	h := n.Desktop
	h.Listen("tcp", 6881, 6882)
	h.ServeFirewalld()
	if answer, err := n.Control.Probe("tcp", DesktopLAN+":6881", Brief); err == nil {
		t.Errorf("what isn't open answers %q", answer)
	}
	h.Run("firewall-cmd", "--quiet", "--permanent", "--add-port=6881/tcp")
	h.Run("firewall-cmd", "--quiet", "--add-port=6881/tcp", "--add-port=6882/tcp")
	reach(t, n.Control, "tcp", DesktopLAN+":6881", h, 6881, ControlLAN)
	reach(t, n.Control, "tcp", DesktopLAN+":6882", h, 6882, ControlLAN)
	if got := h.RuleSet(); !strings.Contains(got, "table inet firewalld") {
		t.Errorf("the rules are\n%s", got)
	}

	h.Restart("")
	h.Listen("tcp", 6881, 6882)
	reach(t, n.Control, "tcp", DesktopLAN+":6881", h, 6881, ControlLAN)
	if _, err := n.Control.Probe("tcp", DesktopLAN+":6882", Brief); err == nil {
		t.Error("what wasn't permanent is there after a restart")
	}
}
