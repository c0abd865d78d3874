package remote

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLoginAbove(t *testing.T) {
	const at = "192.0.2.2 50000 192.0.2.11 22"
	proc := t.TempDir()
	process := func(pid, stat, environ string) {
		t.Helper()
		dir := filepath.Join(proc, pid)
		check(t, os.Mkdir(dir, 0o700))
		check(t, os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o600))
		check(t, os.WriteFile(filepath.Join(dir, "environ"), []byte(environ), 0o600))
	}
	process("10", "10 (sshd) S 1 10 10\n", "PATH=/bin\x00")
	process("11", "11 (-bash) S 10 11 11\n", "SSH_CONNECTION="+at+"\x00PATH=/bin\x00")
	process("12", "12 (a) S 1 (sudo) S 11 12 12\n", "PATH=/bin\x00X_SSH_CONNECTION=no\x00SSH_CONNECTION=\x00")
	process("13", "13 (sudo) S 12 12 12\n", "")
	process("20", "20 (loop) S 20 20 20\n", "")
	process("21", "21", "")
	process("22", "22 (x) S no 1\n", "")
	process("23", "23 (x) S 99 1\n", "")
	for pid, want := range map[int]string{13: at, 12: at, 11: at, 10: "", 20: "", 21: "", 22: "", 23: "", 99: ""} {
		if got := loginAbove(proc, pid); got != want {
			t.Errorf("%d: got %q, want %q", pid, got, want)
		}
	}
}

// Only sudo takes the variable away: a shell that has none has no login.
func TestOwnLogin(t *testing.T) {
	for _, test := range []struct{ env, sudo, want string }{
		{"192.0.2.2 50000 192.0.2.11 22", "", "192.0.2.2 50000 192.0.2.11 22"},
		{"192.0.2.2 50000 192.0.2.11 22", "btplan", "192.0.2.2 50000 192.0.2.11 22"},
		{"", "", ""},
	} {
		t.Setenv(loginVar, test.env)
		t.Setenv("SUDO_COMMAND", test.sudo)
		if got := ownLogin(); got != test.want {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}
