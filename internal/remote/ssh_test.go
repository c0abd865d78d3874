package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// unreachable demands an UnreachableError that holds a T.
func unreachable[T error](t *testing.T, err error) T {
	t.Helper()
	var outer *UnreachableError
	if !errors.As(err, &outer) {
		t.Fatalf("got %T (%v), want an UnreachableError", err, err)
	}
	var inner T
	if !errors.As(err, &inner) {
		t.Fatalf("got %T (%v), want a %T", outer.Err, err, inner)
	}
	return inner
}

// wantUnreachable is unreachable for those who only want it to be so.
func wantUnreachable[T error](t *testing.T, err error) {
	t.Helper()
	_ = unreachable[T](t, err)
}

func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message lacks %q: %v", part, err)
		}
	}
}

func TestRunOverSSH(t *testing.T) {
	s := newServer(t)
	s.config.BannerCallback = func(ssh.ConnMetadata) string { return "\x1b[31mAuthorized users only!\n" }
	s.start()
	r := s.runner()
	ctx := t.Context()

	out, err := r.Run(ctx, "printf '%s\\n' \"it's\" '!' \"$#\"; cat", []byte("data\x00\xff"))
	check(t, err)
	if want := "it's\n!\n0\ndata\x00\xff"; string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if out, err := r.Run(ctx, "exit 0", []byte(strings.Repeat("x", 10<<20))); err != nil || len(out) > 0 {
		t.Errorf("a script that does not read its input: got %q, %v", out, err)
	}

	_, err = r.Run(ctx, "echo one; echo '\x1b[2Jnft: no'>&2; echo more >&2; exit 3", nil)
	var exit *ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("got %v, want an ExitError", err)
	}
	if exit.Code != 3 || exit.Stderr != "\x1b[2Jnft: no\nmore\n" || !strings.Contains(exit.Script, "echo one") {
		t.Errorf("got %+v", exit)
	}
	says(t, err, fmt.Sprintf(`the script on tester@127.0.0.1:%d ended with code 3: \x1b[2Jnft: no`, s.port))

	if n := s.conns.Load(); n != 1 {
		t.Errorf("three scripts took %d connections", n)
	}
}

func TestExitSignal(t *testing.T) {
	s := newServer(t)
	s.exec = func(ses *session) {
		_, _ = ses.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Name          string
			Core          bool
			Message, Lang string
		}{Name: "KILL"}))
		_ = ses.Close()
	}
	_, err := s.start().runner().Run(t.Context(), ":", nil)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 137 || exit.Signal != "KILL" {
		t.Errorf("got %#v", err)
	}
	says(t, err, "was ended by signal KILL: it printed no message")
}

func TestRunIsSerial(t *testing.T) {
	s := newServer(t).start()
	r := s.runner()
	file := filepath.Join(t.TempDir(), "file")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			// mkdir fails where another script is at work.
			if _, err := r.Run(t.Context(), "mkdir "+Quote(file)+" && rmdir "+Quote(file), nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestRunAfterClose(t *testing.T) {
	s := newServer(t).start()
	r := s.runner()
	_, err := r.Run(t.Context(), ":", nil)
	check(t, err)
	check(t, r.Close())
	check(t, r.Close())
	_, err = r.Run(t.Context(), ":", nil)
	if !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}

func TestScriptsThatCannotTravel(t *testing.T) {
	s := newServer(t)
	s.longest = 9000 // Dropbear's MAX_CMD_LEN
	r := s.start().runner()

	_, err := r.Run(t.Context(), "echo \x00", nil)
	wantUnreachable[error](t, err)
	says(t, err, "byte 5 of the script is a NUL")
	_, err = r.Run(t.Context(), strings.Repeat("#", 128<<10), nil)
	wantUnreachable[error](t, err)
	says(t, err, "too long")
	if s.conns.Load() > 0 {
		t.Error("a connection was made for nothing")
	}

	_, err = r.Run(t.Context(), strings.Repeat("#", 10000), nil)
	wantUnreachable[error](t, err)
	says(t, err, "the server refused to run a command", "9,000 bytes")
	// The connection is as good as before.
	_, err = r.Run(t.Context(), ":", nil)
	check(t, err)
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestFloods(t *testing.T) {
	s := newServer(t).start()
	r := s.runner()

	_, err := r.Run(t.Context(), "yes | head -c 1000000 >&2; exit 1", nil)
	var exit *ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("[%d more bytes left out]", 1000000-maxStderr); !strings.Contains(exit.Stderr, want) || len(exit.Stderr) > maxStderr+100 {
		t.Errorf("%d bytes of stderr, want %d and %q", len(exit.Stderr), maxStderr, want)
	}

	out, err := r.Run(t.Context(), fmt.Sprintf("head -c %d /dev/zero", maxStdout), nil)
	check(t, err)
	if len(out) != maxStdout {
		t.Errorf("got %d bytes of %d", len(out), maxStdout)
	}

	_, err = r.Run(t.Context(), "cat /dev/zero", nil)
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || !errors.Is(err, errFlood) {
		t.Fatalf("got %v", err)
	}
	says(t, err, "it printed more than 64 MiB", "not known")
	// The next script gets a connection of its own.
	_, err = r.Run(t.Context(), ":", nil)
	check(t, err)
}

// A connection that breaks in the middle of a script leaves it open whether
// the script was run.
func TestConnectionLost(t *testing.T) {
	s := newServer(t)
	s.exec = func(ses *session) { _ = ses.conn.Close() }
	r := s.start().runner()
	_, err := r.Run(t.Context(), "echo hello", nil)
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || !errors.Is(err, io.ErrUnexpectedEOF) || interrupted.Script != "echo hello" {
		t.Fatalf("got %T: %v", err, err)
	}
	says(t, err, "the connection ended before all of the script's output came", "How much of it was done is not known")
	var unreachable *UnreachableError
	if errors.As(err, &unreachable) {
		t.Error("an UnreachableError says that nothing was run")
	}

	s.exec = nil
	_, err = r.Run(t.Context(), ":", nil)
	check(t, err)
	if n := s.conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// sshd may send the exit code before the output: a list that was cut off must
// not pass for a short one.
func TestConnectionLostAfterExitCode(t *testing.T) {
	s := newServer(t)
	s.exec = func(ses *session) {
		_, _ = io.WriteString(ses, "first of many\n")
		_, _ = ses.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{0}))
		_ = ses.conn.Close()
	}
	r := s.start().runner()
	out, err := r.Run(t.Context(), "list", nil)
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) {
		t.Errorf("got %q, %v", out, err)
	}
}

// One that breaks between two scripts is made again: nothing is left open.
func TestConnectionLostBetweenScripts(t *testing.T) {
	s := newServer(t)
	var conn net.Conn
	s.exec = func(ses *session) {
		conn = ses.conn
		s.run(ses)
	}
	r := s.start().runner()
	_, err := r.Run(t.Context(), ":", nil)
	check(t, err)
	check(t, conn.Close())
	_ = r.conn.client.Wait() // until the client has seen it
	_, err = r.Run(t.Context(), ":", nil)
	check(t, err)
	if n := s.conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestServerThatRefusesSessions(t *testing.T) {
	s := newServer(t)
	s.noSessions = true
	_, err := s.start().runner().Run(t.Context(), ":", nil)
	wantUnreachable[*ssh.OpenChannelError](t, err)
	says(t, err, "the server takes connections, but runs nothing over them")
}

func TestCancel(t *testing.T) {
	s := newServer(t)
	started, got := make(chan struct{}), make(chan string, 1)
	s.exec = func(ses *session) {
		close(started)
		got <- <-ses.signals
	}
	r := s.start().runner()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, err := r.Run(ctx, "sleep 1000", nil)
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %T: %v", err, err)
	}
	if signal := <-got; signal != "KILL" {
		t.Errorf("the script got the signal %q", signal)
	}
	s.exec = nil
	if _, err := r.Run(t.Context(), ":", nil); err != nil {
		t.Error(err)
	}

	_, err = r.Run(ctx, ":", nil)
	var notRun *UnreachableError
	if !errors.As(err, &notRun) || !errors.Is(err, context.Canceled) {
		t.Errorf("begun after the end of its context: %v", err)
	}
}

// A peer that says nothing any more can't hold Run.
func TestCancelWhileStuck(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.config.PublicKeyCallback = nil
	s.config.NoClientAuth = true
	s.raw = func(conn net.Conn) {
		_, channels, _, err := ssh.NewServerConn(conn, s.config)
		if err == nil {
			<-channels // the session: never accepted
			cancel()
		}
	}
	_, err := s.start().runner().Run(ctx, ":", nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantUnreachable[error](t, err)
}

func TestCancelInHandshake(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.raw = func(net.Conn) { cancel() }
	_, err := s.start().runner().Run(ctx, ":", nil)
	wantUnreachable[error](t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHandshakes(t *testing.T) {
	short := func(target *Target) { target.Timeout = 200 * time.Millisecond }
	tests := []struct {
		name   string
		raw    func(net.Conn)
		change func(*Target)
		want   error
		says   string
	}{
		{"silent", func(net.Conn) {}, short, os.ErrDeadlineExceeded, "did not finish the SSH handshake within 200ms"},
		{"slow", func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-slow\r\n") }, short, os.ErrDeadlineExceeded, "did not finish"},
		{"closes", func(c net.Conn) { _ = c.Close() }, func(*Target) {}, nil, "is it an SSH server"},
		{"not SSH", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.0 400 \x1b[31mno\r\n\r\n"+strings.Repeat("x", 1000))
			_ = c.Close()
		}, func(*Target) {}, nil, "is it an SSH server"},
		{"no time to dial", func(net.Conn) {}, func(target *Target) { target.Timeout = 1 }, os.ErrDeadlineExceeded, "no answer from 127.0.0.1:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t)
			s.raw = test.raw
			_, err := s.start().runner(test.change).Run(t.Context(), ":", nil)
			wantUnreachable[error](t, err)
			says(t, err, test.says)
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v below it", err, test.want)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("the caller would take it for the end of its own context")
			}
		})
	}
}

func TestNoCommonAlgorithm(t *testing.T) {
	s := newServer(t)
	s.config.KeyExchanges = []string{ssh.InsecureKeyExchangeDH1SHA1}
	_, err := s.start().runner().Run(t.Context(), ":", nil)
	wantUnreachable[*ssh.AlgorithmNegotiationError](t, err)
	says(t, err, "no key exchange algorithm in common", "diffie-hellman-group1-sha1", "Update its SSH server")
}

func TestRefusedConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	check(t, listener.Close())
	r := open(Target{Host: "127.0.0.1", Port: port}, surroundings{home: t.TempDir()})
	_, err = r.Run(t.Context(), ":", nil)
	wantUnreachable[error](t, err)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
	says(t, err, fmt.Sprintf("nothing listens on TCP port %d there", port))
}

func TestDialErrors(t *testing.T) {
	r := routeTo(t, Target{Host: "edge.example"}, surroundings{})
	tests := []struct {
		err  error
		says string
	}{
		{&net.DNSError{Err: "no such host", Name: "edge.example", IsNotFound: true}, `there is no host named "edge.example"`},
		{&net.DNSError{Err: "server misbehaving", IsTemporary: true}, `could not be looked up (server misbehaving)`},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, "there is no route to edge.example"},
		{&net.OpError{Op: "dial", Err: errors.New("odd")}, "no connection to edge.example:22: dial: odd"},
	}
	for _, test := range tests {
		err := r.dialError(t.Context(), t.Context(), test.err)
		says(t, err, test.says)
		if !errors.Is(err, test.err) {
			t.Errorf("%v does not hold its cause", err)
		}
	}
}

func TestSudoOverSSH(t *testing.T) {
	asRoot := func(target *Target) { target.Sudo = true }
	s := newServer(t)
	s.path = fakeSudo(t, `echo "sudo: unable to resolve host edge" >&2; test "$1" = -n && shift && exec "$@"`)
	r := s.start().runner(asRoot)
	out, err := r.Run(t.Context(), "cat; echo done $#", []byte("data\n"))
	check(t, err)
	if string(out) != "data\ndone 0\n" {
		t.Errorf("got %q", out)
	}
	// sudo has complained, but the script was run.
	_, err = r.Run(t.Context(), "echo no >&2; exit 1", nil)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Stderr != "sudo: unable to resolve host edge\nno\n" {
		t.Errorf("got %#v", err)
	}

	s.path = fakeSudo(t, `echo "sudo: a password is required" >&2; exit 1`)
	_, err = r.Run(t.Context(), "exit 0", nil)
	if sudo := unreachable[*SudoError](t, err); sudo.Missing {
		t.Error("it is not missing")
	}
	says(t, err, "sudo: a password is required", "visudo", "tester ALL=(root) NOPASSWD: ALL")

	s.path = t.TempDir()
	_, err = r.Run(t.Context(), "exit 0", nil)
	if sudo := unreachable[*SudoError](t, err); !sudo.Missing {
		t.Error("it is missing")
	}
	says(t, err, "there is no sudo", "not found", "install")
}

// fakeSudo gives a PATH with a sudo of our own and what scripts need.
func fakeSudo(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return dir + ":/usr/bin:/bin"
}
