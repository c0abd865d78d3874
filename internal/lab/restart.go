//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Restart ends the host and starts it again, as a power cut and a reboot do.
// All its processes, listeners and connections end, its network namespace is a
// new one without rules or addresses, and /run is empty. /etc, /var and /root
// are what they were. Then the lab does again what it had done by [Network.Plug],
// [Host.Route], [Host.Sysctl] and the Serve methods, and the host runs boot, a
// shell script: what its boot loads. Nothing else may use the host meanwhile.
func (h *Host) Restart(boot string) {
	h.lab.t.Helper()
	if err := h.restart(); err != nil {
		h.lab.t.Fatalf("lab: restart %s: %v", h.Name, err)
	}
	h.Sh(boot)
}

func (h *Host) restart() error {
	// An open file of the namespace keeps the mounts, and so the disk.
	disk, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", h.holder.Process.Pid))
	if err != nil {
		return err
	}
	defer func() { _ = disk.Close() }() // nothing was written to it
	// A socket that is open elsewhere keeps a network namespace, which then
	// must not answer for its addresses any more.
	for _, c := range h.cables {
		if err := h.lab.ip("link del %s\n", c.port); err != nil {
			return err
		}
	}
	if err := h.end(); err != nil {
		return err
	}
	h.mu.Lock()
	h.commands, h.cables, h.down = nil, nil, false
	h.mu.Unlock()
	err = h.hold(againEnv+"=1", func(holder *exec.Cmd) error { return startOn(disk, holder) })
	if err != nil {
		return err
	}
	for _, step := range h.setup {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// startOn starts a holder with a copy of the mounts that disk stands for.
func startOn(disk *os.File, holder *exec.Cmd) error {
	return enter(int(disk.Fd()), unix.CLONE_NEWNS, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("copy the mounts: %w", err)
		}
		// The /proc there shows the processes of a namespace that is gone, and
		// the holder is found by /proc/self/exe.
		if err := unix.Unmount("/proc", unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount /proc: %w", err)
		}
		if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return fmt.Errorf("mount /proc: %w", err)
		}
		return holder.Start()
	})
}
