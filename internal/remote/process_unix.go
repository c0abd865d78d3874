//go:build unix

package remote

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup gives the command a process group of its own: a Ctrl-C at the
// terminal is for btplan, which lets a running script finish, and what the
// script has started is killed together with it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// exitOf says how a process ended: its code as a shell would give it, and the
// signal if there was one.
func exitOf(state *os.ProcessState) (code int, signal string) {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		name := unix.SignalName(status.Signal())
		return 128 + int(status.Signal()), strings.TrimPrefix(name, "SIG")
	}
	return state.ExitCode(), ""
}
