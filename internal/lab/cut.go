//go:build linux

package lab

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Cut loses all that is sent to the host and all that it sends, from now on,
// and tells nobody: its interfaces stay up, as when a line breaks somewhere on
// the way. [Host.Mend] ends that.
func (h *Host) Cut() {
	h.lab.t.Helper()
	if err := h.wire(unix.SIOCBRDELIF); err != nil {
		h.lab.t.Fatalf("lab: cut %s off: %v", h.Name, err)
	}
}

// Mend undoes [Host.Cut].
func (h *Host) Mend() {
	h.lab.t.Helper()
	if err := h.wire(unix.SIOCBRADDIF); err != nil {
		h.lab.t.Fatalf("lab: mend the cables of %s: %v", h.Name, err)
	}
}

// wire does one thing to all the host's cables: it adds their ports to the
// bridges, or deletes them. System calls do it in microseconds, and a program
// would take too long for what happens meanwhile.
func (h *Host) wire(request uint) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, c := range h.cables {
		errs = append(errs, c.wire(int(h.lab.bridges.Fd()), request))
	}
	return errors.Join(errs...)
}

func (c *cable) wire(socket int, request uint) error {
	port, err := unix.NewIfreq(c.port)
	if err == nil {
		err = unix.IoctlIfreq(socket, unix.SIOCGIFINDEX, port)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.port, err)
	}
	bridge, err := unix.NewIfreq(c.network.name)
	if err == nil {
		bridge.SetUint32(port.Uint32())
		err = unix.IoctlIfreq(socket, request, bridge)
	}
	if err != nil {
		return fmt.Errorf("%s of %s: %w", c.port, c.network.name, err)
	}
	return nil
}

// CutSSH cuts the control host off, as [Host.Cut] does, as soon as there is an
// event of the gateway's rules, its files, or the test: within a millisecond,
// if the computer isn't busy. What it gives is closed once that is done.
// n.Control.Mend() lets it in again.
func (n *NAT) CutSSH(when <-chan struct{}) (cut <-chan struct{}) {
	done := make(chan struct{})
	n.watches.Go(func() {
		select {
		case <-when:
		case <-n.gone:
			return
		}
		if err := n.Control.wire(unix.SIOCBRDELIF); err != nil {
			n.t.Errorf("lab: cut %s off: %v", n.Control.Name, err)
			return
		}
		close(done)
	})
	return done
}

// Pause stops all the host's processes where they are. Its kernel goes on: a
// connection to one of its servers is accepted, and then nothing comes.
// [Host.Resume] ends that.
func (h *Host) Pause() {
	h.lab.t.Helper()
	// To -1 is to all but the sender and process 1: see kill(2).
	h.Sh("kill -STOP -1")
}

// Resume undoes [Host.Pause].
func (h *Host) Resume() {
	h.lab.t.Helper()
	h.Sh("kill -CONT -1")
}
