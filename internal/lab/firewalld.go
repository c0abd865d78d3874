//go:build linux

package lab

import (
	"fmt"
)

// ServeFirewalld starts firewalld in the host, with the configuration that it
// has in /etc/firewalld, and the message bus that it is reached by. It returns
// when firewall-cmd(1) says that it is running, and starts it again after a
// restart.
func (h *Host) ServeFirewalld() {
	h.lab.t.Helper()
	Need(h.lab.t, "firewalld", "firewall-cmd", "dbus-daemon")
	if err := h.do(h.serveFirewalld); err != nil {
		h.lab.t.Fatalf("lab: %v", err)
	}
}

func (h *Host) serveFirewalld() error {
	if _, err := h.Try("mkdir", "-p", "/run/dbus"); err != nil {
		return err
	}
	bus, err := h.start("dbus-daemon", "--system", "--nofork", "--nopidfile", "--print-address")
	if err != nil {
		return err
	}
	if err := bus.await("unix:path="); err != nil { // it says so when it listens
		return err
	}
	firewalld, err := h.start("firewalld", "--nofork", "--nopid")
	if err != nil {
		return err
	}
	// The name on the bus comes first, and the rules later.
	_, err = h.Try("sh", "-euc", `
		for i in $(seq 100); do
			if firewall-cmd --quiet --state; then exit 0; fi
			sleep 0.1
		done
		exit 1`)
	if err != nil {
		return fmt.Errorf("%s does not run: %w\n%s", firewalld, err, firewalld.Output())
	}
	return nil
}
