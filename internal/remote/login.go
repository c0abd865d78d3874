package remote

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// loginVar is the variable in which sshd tells a login where it comes from, and
// by which port: ssh(1).
const loginVar = "SSH_CONNECTION"

// ownLogin is the SSH_CONNECTION of the login that btplan itself runs in; "":
// it runs in none, as far as can be seen. `sudo btplan` doesn't get the variable,
// but on Linux root can read it where it still is.
func ownLogin() string {
	if at := os.Getenv(loginVar); at != "" || os.Getenv("SUDO_COMMAND") == "" {
		return at
	}
	return loginAbove("/proc", os.Getppid())
}

// loginAbove gives the SSH_CONNECTION of a process or else of the nearest one
// above it that has one: see proc(5).
func loginAbove(proc string, pid int) string {
	const most = 32 // of processes above each other; more is no login by a person
	for range most {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		environ, err := os.ReadFile(filepath.Join(dir, "environ")) // #nosec G304 -- a number below /proc
		if err != nil {
			return ""
		}
		for v := range bytes.SplitSeq(environ, []byte{0}) {
			if at, found := strings.CutPrefix(string(v), loginVar+"="); found && at != "" {
				return at
			}
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat")) // #nosec G304 -- a number below /proc
		if err != nil {
			return ""
		}
		// Behind the program's name, which may hold anything, in parentheses:
		// the state, and the parent.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 {
			return ""
		}
		if pid, err = strconv.Atoi(fields[1]); err != nil || pid <= 1 {
			return ""
		}
	}
	return ""
}
