package remote

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// server is an SSH server in this process, on loopback, with the account of a
// user who may log in. A test changes its fields before start.
type server struct {
	t        *testing.T
	config   *ssh.ServerConfig
	hostKeys []ssh.Signer
	port     int
	here     surroundings // the user's
	userKey  ed25519.PrivateKey

	// raw has the connection in place of SSH, if set.
	raw func(net.Conn)
	// wrap makes another of each connection, if set.
	wrap func(net.Conn) net.Conn
	// exec runs a command, in place of shell.
	exec func(s *session)
	// shell is what runs commands: /bin/sh and -c.
	shell []string
	// longest is how long a command may be.
	longest int
	// path is the PATH of commands; "": ours.
	path       string
	noForward  bool // it forwards no connections
	noSessions bool // it opens no sessions
	// silent gets requests to forward, in place of an answer, if set.
	silent chan ssh.NewChannel

	conns    atomic.Int32 // how many connections there were
	forwards atomic.Int32 // how many it was asked to forward
}

// session is one exec request.
type session struct {
	ssh.Channel
	conn    net.Conn
	command string
	signals chan string // those that were sent; closed with the session
}

// newServer gives a server whose host key and whose user's key are an Ed25519
// key, each known to the other side.
func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, shell: []string{"/bin/sh", "-c"}, longest: 1 << 20, hostKeys: []ssh.Signer{newEd25519(t)}}
	home := t.TempDir()
	s.here = surroundings{user: "tester", home: home, knownHosts: filepath.Join(home, "etc_known_hosts"), sudo: "sudo"}
	s.userKey = newKey(t)
	s.writeKey("id_ed25519", s.userKey, "")
	s.config = &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			authorized, err := ssh.NewPublicKey(s.userKey.Public())
			if err != nil {
				return nil, err
			}
			if string(key.Marshal()) != string(authorized.Marshal()) {
				return nil, errors.New("not authorized")
			}
			return nil, nil
		},
	}
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t testing.TB) ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	return key
}

func newEd25519(t testing.TB) ssh.Signer {
	signer, err := ssh.NewSignerFromKey(newKey(t))
	check(t, err)
	return signer
}

func newECDSA(t testing.TB) ssh.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	check(t, err)
	return signer
}

// writeKey writes a private key into the user's ~/.ssh and gives its path.
func (s *server) writeKey(name string, key ed25519.PrivateKey, passphrase string) string {
	s.t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	check(s.t, err)
	file := filepath.Join(s.here.home, ".ssh", name)
	check(s.t, os.MkdirAll(filepath.Dir(file), 0o700))
	check(s.t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	return file
}

// start listens, and writes the known_hosts file with the host's keys.
func (s *server) start() *server {
	s.t.Helper()
	for _, key := range s.hostKeys {
		s.config.AddHostKey(key)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(s.t, err)
	s.port = listener.Addr().(*net.TCPAddr).Port
	var lines []string
	for _, key := range s.hostKeys {
		lines = append(lines, s.entry(key.PublicKey()))
	}
	s.know(lines...)
	done := make(chan struct{})
	s.t.Cleanup(func() {
		check(s.t, listener.Close())
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			s.t.Cleanup(func() { _ = conn.Close() })
			if s.wrap != nil {
				conn = s.wrap(conn)
			}
			if s.raw != nil {
				go s.raw(conn)
			} else {
				go s.serve(conn)
			}
		}
	}()
	return s
}

// entry is a known_hosts line that names this server.
func (s *server) entry(key ssh.PublicKey) string {
	return knownhosts.Line([]string{s.target().address()}, key)
}

// know writes the user's known_hosts file.
func (s *server) know(lines ...string) string {
	s.t.Helper()
	file := filepath.Join(s.here.home, ".ssh", "known_hosts")
	check(s.t, os.MkdirAll(filepath.Dir(file), 0o700))
	check(s.t, os.WriteFile(file, []byte(strings.Join(append(lines, ""), "\n")), 0o600))
	return file
}

func (s *server) target() Target {
	return Target{Host: "127.0.0.1", Port: s.port, Timeout: 20 * time.Second}
}

// runner opens the server, and closes it at the test's end.
func (s *server) runner(change ...func(*Target)) *Runner {
	target := s.target()
	for _, c := range change {
		c(&target)
	}
	r := open(target, s.here)
	s.t.Cleanup(func() { check(s.t, r.Close()) })
	return r
}

// freePort gives a TCP port that nobody has on loopback.
func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { check(t, listener.Close()) }()
	return listener.Addr().(*net.TCPAddr).Port
}

// routeTo works out the way to a target.
func routeTo(t *testing.T, target Target, here surroundings) *route {
	t.Helper()
	pool := newPool(here)
	t.Cleanup(func() { check(t, pool.Close()) })
	rt, err := pool.route(target)
	check(t, err)
	return rt
}

func (s *server) serve(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		if c.ChannelType() == "direct-tcpip" {
			s.forwards.Add(1)
			if s.silent != nil {
				s.silent <- c
				continue
			}
			go s.forward(c)
			continue
		}
		if s.noSessions {
			_ = c.Reject(ssh.Prohibited, "no")
			continue
		}
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go s.session(conn, channel, requests)
	}
}

// forward makes a connection for a client (RFC 4254, 7.2).
func (s *server) forward(c ssh.NewChannel) {
	if s.noForward {
		_ = c.Reject(ssh.Prohibited, "open \x1b[31mfailed")
		return
	}
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(c.ExtraData(), &to); err != nil {
		panic(err)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(to.Host, fmt.Sprint(to.Port)))
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	channel, requests, err := c.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(conn, channel)
		_ = conn.Close()
	}()
	_, _ = io.Copy(channel, conn)
	_ = channel.Close()
}

func (s *server) session(conn net.Conn, channel ssh.Channel, requests <-chan *ssh.Request) {
	signals := make(chan string, 10)
	defer close(signals)
	for request := range requests {
		switch request.Type {
		case "exec":
			var exec struct{ Command string }
			if err := ssh.Unmarshal(request.Payload, &exec); err != nil {
				panic(err)
			}
			run := s.run
			if s.exec != nil {
				run = s.exec
			}
			if len(exec.Command) > s.longest {
				_ = request.Reply(false, nil)
				continue
			}
			_ = request.Reply(true, nil)
			go run(&session{channel, conn, exec.Command, signals})
		case "signal":
			var signal struct{ Name string }
			if err := ssh.Unmarshal(request.Payload, &signal); err != nil {
				panic(err)
			}
			signals <- signal.Name
		}
	}
}

// run runs a command with the server's shell.
func (s *server) run(ses *session) {
	cmd := exec.Command(s.shell[0], append(s.shell[1:], ses.command)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = ses, ses, ses.Stderr()
	if s.path != "" {
		cmd.Env = []string{"PATH=" + s.path}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		_, _ = fmt.Fprintln(ses.Stderr(), err)
		ses.exit(255)
		return
	}
	ses.exit(cmd.ProcessState.ExitCode())
}

func (s *session) exit(code int) {
	_, _ = s.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
	_ = s.Close()
}
