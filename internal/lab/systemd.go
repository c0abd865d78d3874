//go:build linux

package lab

import (
	_ "embed" // for the scripts
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The stand-ins for what would ask a running systemd. The scripts say what they
// can do.
var (
	//go:embed systemd/systemctl
	systemctl string
	//go:embed systemd/systemd-run
	systemdRun string
	//go:embed systemd/units
	units string
)

// SystemdLog is where the stand-ins for systemd write which commands of units
// they ran, and what these printed.
const SystemdLog = "/run/systemd/lab/log"

// ServeSystemd makes the host one that systemd runs on, as far as scripts see:
// /run/systemd/system is there, and systemctl and systemd-run work on the real
// unit files of /etc/systemd/system, which begins empty, and /lib/systemd/system.
// No systemd runs: one would reach for the devices, the temporary directory and
// the kernel's parameters, which are this computer's. `systemctl default`
// starts what is enabled, as a boot does, and is for [Host.Restart].
func (h *Host) ServeSystemd() {
	h.lab.t.Helper()
	Need(h.lab.t, "systemctl", "systemd-run", "systemd-analyze", "setsid")
	err := h.Enter(func() error {
		if err := os.RemoveAll("/etc/systemd/system"); err != nil {
			return err
		}
		if err := os.Mkdir("/etc/systemd/system", 0o755); err != nil { // #nosec G301 -- its usual mode
			return err
		}
		return standIn()
	})
	if err == nil {
		err = h.do(func() error {
			_, err := h.Try("mkdir", "-p", "/run/systemd/system")
			return err
		})
	}
	if err != nil {
		h.lab.t.Fatalf("lab: %s: %v", h.Name, err)
	}
}

// standIn puts the scripts in place of the programs. They find the real
// systemctl in the directory where they are themselves.
func standIn() error {
	const dir = "/usr/local/sbin"
	real := map[string]string{"systemctl": find("systemctl"), "systemd-run": find("systemd-run")}
	if err := unix.Mount("systemd", dir, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	program, err := os.ReadFile(real["systemctl"])
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"systemctl": []byte(systemctl), "systemd-run": []byte(systemdRun), "units": []byte(units), "real-systemctl": program,
	} {
		if err := os.WriteFile(dir+"/"+name, content, 0o755); err != nil { // #nosec G306 -- the usual mode of programs
			return err
		}
	}
	for name, path := range real {
		if err := unix.Mount(dir+"/"+name, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	return nil
}

// VerifyUnit has the real systemd check a unit file of the host and what it
// names, by systemd-analyze(1). The error has all that it says.
func (h *Host) VerifyUnit(path string) error {
	out, err := h.Command(h.lab.t.Context(), "systemd-analyze", "verify", "--man=no", path).CombinedOutput()
	if err == nil && len(out) > 0 {
		err = errors.New("it has warnings")
	}
	if err != nil {
		return fmt.Errorf("%s: systemd-analyze verify %s: %w\n%s", h.Name, path, err, out)
	}
	return nil
}
