package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// startNetwork starts servers that let the same user in. Each is behind those
// before it, as far as its target says so.
func startNetwork(t *testing.T, n int, change func(servers []*server)) []*server {
	t.Helper()
	var all []*server
	for range n {
		s := newServer(t)
		if len(all) > 0 {
			s.here, s.userKey = all[0].here, all[0].userKey
		}
		all = append(all, s)
	}
	if change != nil {
		change(all)
	}
	var entries []string
	for _, s := range all {
		s.start()
		entries = append(entries, s.entry(s.hostKeys[0].PublicKey()))
	}
	all[0].know(entries...)
	return all
}

// through is the target of the last server, by way of those before it.
func through(servers ...*server) Target {
	var jump *Target
	for _, s := range servers {
		target := s.target()
		target.Jump = jump
		jump = &target
	}
	return *jump
}

// newTestPool gives a pool that closes with the test.
func newTestPool(t *testing.T, here surroundings) *Pool {
	t.Helper()
	p := newPool(here)
	t.Cleanup(func() { check(t, p.Close()) })
	return p
}

func wantConns(t *testing.T, what string, s *server, conns, forwards int32) {
	t.Helper()
	if c, f := s.conns.Load(), s.forwards.Load(); c != conns || f != forwards {
		t.Errorf("%s had %d connections and forwarded %d, want %d and %d", what, c, f, conns, forwards)
	}
}

func TestJump(t *testing.T) {
	all := startNetwork(t, 3, nil)
	r := open(through(all...), all[0].here)
	defer func() { check(t, r.Close()) }()
	for range 2 {
		out, err := r.Run(t.Context(), "cat", []byte("data"))
		check(t, err)
		if string(out) != "data" {
			t.Errorf("got %q", out)
		}
	}
	wantConns(t, "the first", all[0], 1, 1)
	wantConns(t, "the second", all[1], 1, 1)
	wantConns(t, "the target", all[2], 1, 0)

	// The proof that the target can be reached needs a new connection to it alone.
	r.Hangup()
	_, err := r.Run(t.Context(), ":", nil)
	check(t, err)
	wantConns(t, "the second", all[1], 1, 2)
	wantConns(t, "the target", all[2], 2, 0)
}

// Runners of one pool share the connection to their jump host, also when they
// all want it at once.
func TestJumpIsShared(t *testing.T) {
	all := startNetwork(t, 5, nil)
	jump, gateways := all[0], all[1:]
	p := newPool(jump.here)
	var group sync.WaitGroup
	for _, g := range gateways {
		group.Go(func() {
			r := p.Open(through(jump, g))
			defer func() { check(t, r.Close()) }()
			if _, err := r.Run(t.Context(), ":", nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	wantConns(t, "the jump host", jump, 1, int32(len(gateways)))

	// Another user's connection is another.
	other := through(jump, gateways[0])
	other.Jump.User = "other"
	_, err := p.Open(other).Run(t.Context(), ":", nil)
	check(t, err)
	wantConns(t, "the jump host", jump, 2, int32(len(gateways))+1)

	ended := p.jumps[p.Open(other).route.via.key()].conn.ended
	check(t, p.Close())
	<-ended
	_, err = p.Open(other).Run(t.Context(), ":", nil)
	if !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}

// A jump host that has restarted is connected to anew, by the Runner that used
// it and by others.
func TestJumpEndsBetweenScripts(t *testing.T) {
	all := startNetwork(t, 2, nil)
	p := newTestPool(t, all[0].here)
	r := p.Open(through(all...))
	defer func() { check(t, r.Close()) }()
	_, err := r.Run(t.Context(), ":", nil)
	check(t, err)
	r.conn.via.close() // that it has ended, nobody may have seen yet
	other := p.Open(through(all...))
	defer func() { check(t, other.Close()) }()
	for _, runner := range []*Runner{other, r} {
		_, err = runner.Run(t.Context(), ":", nil)
		check(t, err)
	}
	wantConns(t, "the jump host", all[0], 2, 3)
}

// The key of every host on the way is checked.
func TestJumpKeys(t *testing.T) {
	for i, name := range []string{"the first", "the second", "the target"} {
		t.Run(name, func(t *testing.T) {
			all := startNetwork(t, 3, nil)
			entries := make([]string, len(all))
			for j, s := range all {
				key := s.hostKeys[0].PublicKey()
				if i == j {
					key = newEd25519(t).PublicKey()
				}
				entries[j] = s.entry(key)
			}
			all[0].know(entries...)
			_, err := open(through(all...), all[0].here).Run(t.Context(), ":", nil)
			changed := unreachable[*ChangedKeyError](t, err)
			if changed.Target.Port != all[i].port {
				t.Errorf("it is told of %s", changed.Target)
			}
			if i < 2 {
				says(t, err, fmt.Sprintf("its jump host tester@127.0.0.1:%d can't be used: the host key of 127.0.0.1:%[1]d has changed", all[i].port))
				wantConns(t, "what is behind it", all[i+1], 0, 0)
			}
			if i > 0 {
				says(t, err, fmt.Sprintf("`ssh -J tester@127.0.0.1:%d", all[0].port))
			}
		})
	}
}

func TestJumpThatRefuses(t *testing.T) {
	t.Run("to forward", func(t *testing.T) {
		all := startNetwork(t, 2, func(s []*server) { s[0].noForward = true })
		_, err := open(through(all...), all[0].here).Run(t.Context(), ":", nil)
		wantUnreachable[*ssh.OpenChannelError](t, err)
		says(t, err, fmt.Sprintf(`the jump host tester@127.0.0.1:%d forwards no connections (open \x1b[31mfailed)`, all[0].port), "AllowTcpForwarding")
		wantConns(t, "the jump host", all[0], 1, 1)
	})
	t.Run("nobody listens behind it", func(t *testing.T) {
		all := startNetwork(t, 1, nil)
		target := through(all[0], all[0])
		target.Port = freePort(t)
		_, err := open(target, all[0].here).Run(t.Context(), ":", nil)
		wantUnreachable[*ssh.OpenChannelError](t, err)
		says(t, err, fmt.Sprintf("gets no connection to 127.0.0.1:%d (Connection refused)", target.Port), "is it switched on")
		wantConns(t, "the jump host", all[0], 1, 2) // it is asked again once
	})
	t.Run("to log in", func(t *testing.T) {
		all := startNetwork(t, 2, func(s []*server) { s[0].userKey = newKey(t) })
		_, err := open(through(all...), all[0].here).Run(t.Context(), ":", nil)
		auth := unreachable[*AuthError](t, err)
		if auth.Target.Port != all[0].port {
			t.Errorf("it is told of %s", auth.Target)
		}
	})
}

func TestCancelWhileWaitingForJump(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	all := startNetwork(t, 2, func(s []*server) { s[0].raw = func(net.Conn) { cancel() } })
	_, err := open(through(all...), all[0].here).Run(ctx, ":", nil)
	wantUnreachable[error](t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The whole of it as people have it: aliases, files and the way in ssh_config.
func TestJumpBySSHConfig(t *testing.T) {
	all := startNetwork(t, 2, nil)
	jump, gateway := all[0], all[1]
	home := jump.here.home
	ssh := filepath.Join(home, ".ssh")
	check(t, os.Rename(filepath.Join(ssh, "id_ed25519"), filepath.Join(ssh, "my key")))
	entry := gateway.entry(gateway.hostKeys[0].PublicKey())
	_, key, _ := strings.Cut(entry, " ")
	check(t, os.WriteFile(filepath.Join(home, "hosts"), []byte("the-edge "+key+"\n"), 0o600))
	check(t, os.WriteFile(filepath.Join(ssh, "config"), fmt.Appendf(nil, `
Host edge
  HostName 127.0.0.1
  Port %d
  HostKeyAlias the-edge
  UserKnownHostsFile ~/hosts
  ProxyJump bastion
Host bastion
  HostName 127.0.0.1
  Port %d
Host *
  User tester
  IdentityFile "~/.ssh/my key"
`, gateway.port, jump.port), 0o600))
	r := open(Target{Host: "edge"}, jump.here)
	defer func() { check(t, r.Close()) }()
	_, err := r.Run(t.Context(), ":", nil)
	check(t, err)
	wantConns(t, "the jump host", jump, 1, 1)
	if want := fmt.Sprintf("tester@127.0.0.1:%d", gateway.port); r.target.String() != want {
		t.Errorf("the target is %s, want %s", r.target, want)
	}
}
