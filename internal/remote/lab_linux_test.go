package remote

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/btplan/btplan/internal/lab"
)

// accounts are logins by all kinds of shells.
var accounts = map[string]string{
	"bash": "bash", "dash": "dash", "ash": "/var/ash", "mksh": "mksh", "ksh": "ksh93", "zsh": "zsh", "fish": "fish", "tcsh": "tcsh", "csh": "bsd-csh",
}

// newAccounts gives what opens a Runner for one of these accounts of a host, or
// for guest, who may not use sudo.
func newAccounts(t *testing.T) func(user string, sudo bool) *Runner {
	lab.Need(t, "sshd", "sudo", "useradd", "busybox", "bash", "dash", "mksh", "ksh93", "zsh", "fish", "tcsh", "bsd-csh")
	home := t.TempDir()
	key := writeSigner(t, filepath.Join(home, ".ssh", "id_ed25519"))
	host := lab.New(t).Host("edge")
	host.WriteFile("/etc/skel/.ssh/authorized_keys", string(ssh.MarshalAuthorizedKey(key.PublicKey())), 0o644)
	host.Sh(`cp "$(command -v busybox)" /var/ash && mkdir /var/home`)
	for user, shell := range accounts {
		host.Sh(`useradd --create-home --base-dir /var/home --password '*' --shell "$(command -v ` + shell + `)" ` + user)
		// As SudoError says that it has to be.
		host.WriteFile("/etc/sudoers.d/"+user, user+" ALL=(root) NOPASSWD: ALL\n", 0o440)
	}
	host.Sh("useradd --create-home --base-dir /var/home --password '*' --shell /bin/sh guest")
	host.ServeSSH()

	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(host.ReadFile("/etc/ssh/ssh_host_ed25519_key.pub")))
	check(t, err)
	known := knownhosts.Line([]string{"127.0.0.1"}, hostKey) + "\n"
	check(t, os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), []byte(known), 0o600))
	return func(user string, sudo bool) *Runner {
		r := open(Target{Host: "127.0.0.1", User: user, Sudo: sudo}, surroundings{home: home})
		r.pool.dial = func(_ context.Context, network, address string) (net.Conn, error) {
			return host.Dial(network, address, lab.Patient)
		}
		t.Cleanup(func() { check(t, r.Close()) })
		return r
	}
}

// Through a real sshd, real login shells and the real sudo a script gets as it
// is, with its input, and its output and code come back. Who may not use sudo
// is told what would let him.
func TestLabLoginShells(t *testing.T) {
	runner := newAccounts(t)
	text := everyByte()
	for user := range accounts {
		for _, sudo := range []bool{false, true} {
			r, as := runner(user, sudo), user
			if sudo {
				as = "root"
			}
			out, err := r.Run(t.Context(), "id -un\n"+nasty(text), []byte("data\x00\xff"))
			if want := as + "\n" + nastyPrints(text, "data\x00\xff"); err != nil || string(out) != want {
				t.Errorf("%s, sudo %t: got %q (%v), want %q", user, sudo, out, err, want)
			}
			out, err = r.Run(t.Context(), "exec sh -s", []byte(`echo "$SSH_CONNECTION"`))
			if fields := strings.Fields(string(out)); err != nil || len(fields) != 4 || fields[2] != "127.0.0.1" || fields[3] != "22" {
				t.Errorf("%s, sudo %t: SSH_CONNECTION is %q (%v)", user, sudo, out, err)
			}
			_, err = r.Run(t.Context(), "echo it\\'s >&2\nexit 7", nil)
			var exit *ExitError
			if !errors.As(err, &exit) || exit.Code != 7 || exit.Stderr != "it's\n" {
				t.Errorf("%s, sudo %t: got %v", user, sudo, err)
			}
		}
	}

	_, err := runner("guest", true).Run(t.Context(), ":", nil)
	if e := unreachable[*SudoError](t, err); e.Missing {
		t.Error("it is not missing")
	}
	says(t, err, "sudo: a password is required", "`guest ALL=(root) NOPASSWD: ALL`")
}
