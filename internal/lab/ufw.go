//go:build linux

package lab

// ServeUFW turns ufw(8) on in the host, with a configuration of its own that
// lets in SSH alone, and starts it again after a restart.
func (h *Host) ServeUFW() {
	h.lab.t.Helper()
	Need(h.lab.t, "ufw", "iptables")
	// What it is installed with is not in the form in which ufw writes it.
	h.Sh("ufw allow 22/tcp && ufw --force enable")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setup = append(h.setup, func() error {
		_, err := h.Try("/lib/ufw/ufw-init", "start")
		return err
	})
}
