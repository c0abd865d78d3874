package remote

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// startAgent runs an SSH agent and tells how often it was asked.
func (s *server) startAgent(keys ...agent.AddedKey) *atomic.Int32 {
	s.t.Helper()
	keyring := agent.NewKeyring()
	for _, key := range keys {
		check(s.t, keyring.Add(key))
	}
	return s.serveAgent(keyring)
}

func (s *server) serveAgent(a agent.Agent) *atomic.Int32 {
	s.t.Helper()
	// Not t.TempDir: a socket's path has to be short.
	dir, err := os.MkdirTemp("", "agent")
	check(s.t, err)
	s.t.Cleanup(func() { check(s.t, os.RemoveAll(dir)) })
	s.here.agentSocket = filepath.Join(dir, "s")
	listener, err := net.Listen("unix", s.here.agentSocket)
	check(s.t, err)
	s.t.Cleanup(func() { check(s.t, listener.Close()) })
	var asked atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			go func() { _ = agent.ServeAgent(a, conn) }()
		}
	}()
	return &asked
}

// noKeyFile removes the user's key file.
func (s *server) noKeyFile() {
	s.t.Helper()
	check(s.t, os.Remove(filepath.Join(s.here.home, ".ssh", "id_ed25519")))
}

func TestAgent(t *testing.T) {
	s := newServer(t).start()
	s.noKeyFile()
	asked := s.startAgent(agent.AddedKey{PrivateKey: newKey(t), Comment: "wrong"}, agent.AddedKey{PrivateKey: s.userKey, Comment: "right"})
	_, err := s.runner().Run(t.Context(), ":", nil)
	check(t, err)
	if n := asked.Load(); n != 1 {
		t.Errorf("the agent was asked %d times", n)
	}
}

// The agent's keys come first, and a file whose key the agent holds isn't tried
// again: a server takes few tries.
func TestOrderOfKeys(t *testing.T) {
	s := newServer(t)
	var tried []string
	s.config.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		tried = append(tried, ssh.FingerprintSHA256(key))
		return nil, errors.New("no")
	}
	s.start()
	agentKey, lockedKey := newKey(t), newKey(t)
	s.startAgent(agent.AddedKey{PrivateKey: agentKey, Comment: "my \x1b[31mlaptop"}, agent.AddedKey{PrivateKey: lockedKey}, agent.AddedKey{PrivateKey: s.userKey, Comment: "the file's"})
	s.writeKey("id_rsa", newKey(t), "secret")
	s.writeKey("id_ecdsa", lockedKey, "secret")
	_, err := s.runner().Run(t.Context(), ":", nil)
	auth := unreachable[*AuthError](t, err)
	if len(auth.Tried) != 3 || len(auth.Skipped) != 1 || len(tried) != 3 {
		t.Errorf("tried %q, skipped %q, the server saw %q", auth.Tried, auth.Skipped, tried)
	}
	id := filepath.Join(s.here.home, ".ssh", "id_rsa")
	says(t, err, "does not let tester log in", `the agent's key my \x1b[31mlaptop (ssh-ed25519 `+tried[0], "the agent's key (ssh-ed25519 "+tried[1],
		id+" needs a passphrase (ssh-add "+id, "authorized_keys", "identity_file")
}

func TestAgentsThatFail(t *testing.T) {
	t.Run("not there", func(t *testing.T) {
		s := newServer(t).start()
		s.here.agentSocket = filepath.Join(t.TempDir(), "none")
		_, err := s.runner().Run(t.Context(), ":", nil)
		check(t, err) // by the file
		s.noKeyFile()
		_, err = s.runner().Run(t.Context(), ":", nil)
		wantUnreachable[*AuthError](t, err)
		says(t, err, "No key was tried", "the SSH agent does not answer (dial unix "+s.here.agentSocket)
	})
	t.Run("none", func(t *testing.T) {
		s := newServer(t).start()
		s.noKeyFile()
		_, err := s.runner().Run(t.Context(), ":", nil)
		wantUnreachable[*AuthError](t, err)
		says(t, err, "there is no SSH agent (SSH_AUTH_SOCK is not set)")
	})
	t.Run("empty", func(t *testing.T) {
		s := newServer(t).start()
		s.startAgent()
		s.noKeyFile()
		_, err := s.runner().Run(t.Context(), ":", nil)
		wantUnreachable[*AuthError](t, err)
		says(t, err, "the SSH agent holds no keys")
	})
	t.Run("does not sign", func(t *testing.T) {
		s := newServer(t).start()
		keyring := agent.NewKeyring()
		check(t, keyring.Add(agent.AddedKey{PrivateKey: s.userKey, Comment: "card"}))
		s.serveAgent(unwilling{keyring})
		s.noKeyFile()
		_, err := s.runner().Run(t.Context(), ":", nil)
		wantUnreachable[*AuthError](t, err)
		says(t, err, "the agent's key card did not sign")
	})
}

// unwilling is an agent whose owner declines every signature.
type unwilling struct{ agent.Agent }

func (unwilling) Sign(ssh.PublicKey, []byte) (*ssh.Signature, error) {
	return nil, errors.New("declined")
}

func TestIdentityFile(t *testing.T) {
	s := newServer(t).start()
	s.noKeyFile()
	good := s.writeKey("mine", s.userKey, "")
	locked := s.writeKey("locked", s.userKey, "secret")
	signer, err := ssh.NewSignerFromKey(s.userKey)
	check(t, err)
	public := good + ".pub"
	check(t, os.WriteFile(public, ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600))
	garbage := filepath.Join(s.here.home, "garbage")
	check(t, os.WriteFile(garbage, []byte("\x1b[31mno key"), 0o600))
	wrong := s.writeKey("wrong", newKey(t), "")

	run := func(file string) error {
		_, err := s.runner(func(target *Target) { target.IdentityFile = file }).Run(t.Context(), ":", nil)
		return err
	}
	// With the file alone, the agent isn't asked.
	asked := s.startAgent(agent.AddedKey{PrivateKey: s.userKey})
	check(t, run(good))
	check(t, run("~/.ssh/mine"))
	err = run(wrong)
	if auth := unreachable[*AuthError](t, err); len(auth.Tried) != 1 || !strings.HasPrefix(auth.Tried[0], wrong) {
		t.Errorf("tried %q: only the identity_file counts", auth.Tried)
	}
	if asked.Load() > 0 {
		t.Error("the agent was asked for nothing")
	}
	check(t, run(locked))
	check(t, run(public))

	s.startAgent(agent.AddedKey{PrivateKey: newKey(t)})
	err = run(locked)
	var missing *ssh.PassphraseMissingError
	wantUnreachable[*IdentityError](t, err)
	if !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	says(t, err, "identity_file "+locked+" needs a passphrase", "`ssh-add "+locked+"`")
	err = run(public)
	wantUnreachable[*IdentityError](t, err)
	says(t, err, "is a public key, and no SSH agent holds the private one")
	err = run(garbage)
	wantUnreachable[*IdentityError](t, err)
	says(t, err, "is not a private key that btplan can read (ssh: no key found)")
	err = run(garbage + "2")
	wantUnreachable[*IdentityError](t, err)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	says(t, err, "does not exist", "ssh-keygen")
}

func TestOtherWaysToLogIn(t *testing.T) {
	password := func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, errors.New("no") }
	t.Run("a password only", func(t *testing.T) {
		s := newServer(t)
		s.config.PublicKeyCallback, s.config.PasswordCallback = nil, password
		asked := s.startAgent()
		_, err := s.start().runner().Run(t.Context(), ":", nil)
		wantUnreachable[*AuthError](t, err)
		says(t, err, "it takes no keys, only password", "No key was tried")
		if asked.Load() > 0 {
			t.Error("the agent was asked for nothing")
		}
	})
	t.Run("a key and a password", func(t *testing.T) {
		s := newServer(t)
		s.config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{PasswordCallback: password}}
		}
		_, err := s.start().runner().Run(t.Context(), ":", nil)
		wantUnreachable[*AuthError](t, err)
		says(t, err, "it took the key and wants password too")
	})
	t.Run("nothing at all", func(t *testing.T) {
		s := newServer(t)
		s.config.NoClientAuth = true
		asked := s.startAgent()
		_, err := s.start().runner().Run(t.Context(), ":", nil)
		check(t, err)
		if asked.Load() > 0 {
			t.Error("the agent was asked for nothing")
		}
	})
	t.Run("too many tries", func(t *testing.T) {
		s := newServer(t)
		s.config.MaxAuthTries = 2
		s.start()
		s.startAgent(agent.AddedKey{PrivateKey: newKey(t)}, agent.AddedKey{PrivateKey: newKey(t)}, agent.AddedKey{PrivateKey: newKey(t)})
		_, err := s.runner().Run(t.Context(), ":", nil)
		if auth := unreachable[*AuthError](t, err); auth.Err == nil {
			t.Error("no cause")
		}
		says(t, err, "too many authentication failures", "name another key by identity_file")
	})
}

// IdentityFile and IdentitiesOnly of ssh_config: which keys a server sees, and
// in which order.
func TestIdentities(t *testing.T) {
	tests := []struct {
		name   string
		config string
		keys   map[string]string // files: "key", "locked", "public" (the other half is in the agent), "beside" (only FILE.pub)
		want   []string          // what the server sees: names of files, and "agent" for the agent's other key
		says   []string
	}{
		{"several", "IdentityFile ~/.ssh/a\nIdentityFile ~/.ssh/b", map[string]string{"a": "key", "b": "key"}, []string{"agent", "a", "b"}, nil},
		{"not the usual ones", "IdentityFile ~/.ssh/a", map[string]string{"a": "key", "id_ed25519": "key"}, []string{"agent", "a"}, nil},
		{"the agent's own come first", "IdentityFile ~/.ssh/a", map[string]string{"a": "public"}, []string{"a", "agent"}, nil},
		{"only", "IdentitiesOnly yes\nIdentityFile ~/.ssh/a", map[string]string{"a": "key"}, []string{"a"}, nil},
		{"only, from the agent", "IdentitiesOnly yes\nIdentityFile ~/.ssh/a\nIdentityFile ~/.ssh/b", map[string]string{"a": "public", "b": "beside"}, []string{"a", "b"}, nil},
		{"only the usual ones", "IdentitiesOnly yes", map[string]string{"id_ed25519": "key"}, []string{"id_ed25519"}, nil},
		{"no file", "IdentityFile none", map[string]string{"id_ed25519": "key"}, []string{"agent"}, nil},
		{"no agent", "IdentityAgent none", map[string]string{"id_ed25519": "key"}, []string{"id_ed25519"}, []string{"no SSH agent is to be used (IdentityAgent none)"}},
		{"what can't be used", "IdentitiesOnly yes\nIdentityFile ~/.ssh/a\nIdentityFile ~/.ssh/b\nIdentityFile ~/.ssh/c", map[string]string{"a": "locked", "c": "stranger"}, nil,
			[]string{"No key was tried", "a needs a passphrase", "b does not exist", "of HOME/.ssh/c there is only the public half"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t)
			s.noKeyFile()
			names := map[string]string{}
			var seen []string
			s.config.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				seen = append(seen, names[ssh.FingerprintSHA256(key)])
				return nil, errors.New("no")
			}
			s.start()
			other := newKey(t)
			held := []agent.AddedKey{{PrivateKey: other}}
			name := func(key ed25519.PrivateKey, name string) ssh.PublicKey {
				public, err := ssh.NewPublicKey(key.Public())
				check(t, err)
				names[ssh.FingerprintSHA256(public)] = name
				return public
			}
			name(other, "agent")
			for file, kind := range test.keys {
				key := newKey(t)
				public := ssh.MarshalAuthorizedKey(name(key, file))
				path := filepath.Join(s.here.home, ".ssh", file)
				switch kind {
				case "key":
					s.writeKey(file, key, "")
				case "locked":
					s.writeKey(file, key, "secret")
				case "public", "stranger":
					check(t, os.WriteFile(path, public, 0o600))
				case "beside":
					check(t, os.WriteFile(path+".pub", public, 0o600))
				}
				if kind == "public" || kind == "beside" {
					held = append(held, agent.AddedKey{PrivateKey: key})
				}
			}
			s.startAgent(held...)
			check(t, os.WriteFile(filepath.Join(s.here.home, ".ssh", "config"), []byte(test.config), 0o600))
			_, err := s.runner().Run(t.Context(), ":", nil)
			wantUnreachable[*AuthError](t, err)
			if !slices.Equal(seen, test.want) {
				t.Errorf("the server saw %q, want %q: %v", seen, test.want, err)
			}
			for _, part := range test.says {
				says(t, err, strings.ReplaceAll(part, "HOME", s.here.home))
			}
		})
	}
}
