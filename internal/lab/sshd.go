//go:build linux

package lab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Where the keys of a host are.
const (
	hostKey    = "/etc/ssh/ssh_host_ed25519_key"
	userKey    = "/root/.ssh/id_ed25519"
	knownHosts = "/root/.ssh/known_hosts"
	authorized = "/root/.ssh/authorized_keys"
)

const sshdConfig = `ListenAddress 0.0.0.0
ListenAddress ::
HostKey ` + hostKey + `
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
LogLevel VERBOSE
`

// ServeSSH starts OpenSSH's server on port 22 of the host, with a new host key
// and for root alone, and returns when it listens. See [Host.LetIn].
func (h *Host) ServeSSH() *Process {
	h.lab.t.Helper()
	h.makeKey(hostKey)
	if err := errors.Join(h.configureSSH(), h.startOpenSSH()); err != nil {
		h.lab.t.Fatalf("lab: %v", err)
	}
	return h.ssh
}

// configureSSH writes what sshd needs but its host key.
func (h *Host) configureSSH() error {
	if err := h.write("/etc/ssh/sshd_config", sshdConfig, os.O_CREATE|os.O_TRUNC, 0o644); err != nil {
		return err
	}
	// A locked account can't log in without PAM, whatever its key.
	_, err := h.Try("sed", "-i", "s/^root:![^:]*:/root:*:/", "/etc/shadow")
	return err
}

func (h *Host) startOpenSSH() error {
	return h.serveSSH([]string{"sshd", "-D", "-e"}, "Server listening on 0.0.0.0 port 22", "Server listening on :: port 22")
}

// serveSSH makes a program the host's SSH server, now and after each restart,
// in place of one that is running. It waits until the program has printed what
// says that it listens.
func (h *Host) serveSSH(command []string, ready ...string) error {
	if h.ssh != nil {
		h.ssh.Stop()
	}
	serve := func() (err error) {
		if h.ssh, err = h.start(command[0], command[1:]...); err != nil {
			return err
		}
		return h.ssh.await(ready...)
	}
	if h.startSSH == nil {
		h.startSSH = serve
		return h.do(func() error { return h.startSSH() })
	}
	h.startSSH = serve
	return serve()
}

// LetIn lets root of another host log in as root by SSH, with its key
// ~/.ssh/id_ed25519, which is made if need be. The other host knows h by the
// given names or addresses, with h's present host key.
func (h *Host) LetIn(other *Host, addrs ...string) {
	h.lab.t.Helper()
	if _, err := other.Try("test", "-e", userKey); err != nil {
		other.makeKey(userKey)
	}
	h.AppendFile(authorized, other.ReadFile(userKey+".pub"), 0o600)
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(h.ReadFile(hostKey + ".pub")))
	if err != nil {
		h.lab.t.Fatalf("lab: %s: %s.pub: %v", h.Name, hostKey, err)
	}
	other.AppendFile(knownHosts, knownhosts.Line(addrs, key)+"\n", 0o600)
}

// makeKey makes a key pair, in path and path.pub.
func (h *Host) makeKey(path string) {
	h.lab.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		h.lab.t.Fatalf("lab: make a key: %v", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "root@"+h.Name)
	if err != nil {
		h.lab.t.Fatalf("lab: make a key: %v", err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		h.lab.t.Fatalf("lab: make a key: %v", err)
	}
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n")
	h.WriteFile(path, string(pem.EncodeToMemory(block)), 0o600)
	h.WriteFile(path+".pub", fmt.Sprintf("%s root@%s\n", line, h.Name), 0o600)
}
