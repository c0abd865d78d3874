package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// listen serves one conversation after the other on loopback, and gives the
// address.
func listen(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { check(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				talk(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// echo gives back what it gets.
func echo(conn net.Conn) { _, _ = io.Copy(conn, conn) }

// both runs a test over SSH and on this computer.
func both(t *testing.T, test func(t *testing.T, r *Runner)) {
	t.Run("SSH", func(t *testing.T) { test(t, newServer(t).start().runner()) })
	t.Run("local", func(t *testing.T) {
		r := open(Target{Local: true}, surroundings{user: "tester"})
		defer func() { check(t, r.Close()) }()
		test(t, r)
	})
}

// dial makes a connection that closes with the test.
func dial(t *testing.T, r *Runner, address string) net.Conn {
	t.Helper()
	conn, err := r.DialContext(t.Context(), "tcp", address)
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// What a connection is for: HTTP as from there, in the middle of a script.
func TestDial(t *testing.T) {
	both(t, func(t *testing.T, r *Runner) {
		const size = 3 << 20 // more than the windows of a channel
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			body, err := io.ReadAll(request.Body)
			if err != nil || len(body) != size {
				t.Errorf("the server got %d bytes, %v", len(body), err)
			}
			_, _ = w.Write(body)
		}))
		defer web.Close()
		transport := &http.Transport{DialContext: r.DialContext}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}

		in, out := t.TempDir()+"/in", t.TempDir()+"/out"
		for _, fifo := range []string{in, out} {
			if _, err := r.Run(t.Context(), "mkfifo "+Quote(fifo), nil); err != nil {
				t.Fatal(err)
			}
		}
		script := make(chan error, 1)
		go func() {
			_, err := r.Run(t.Context(), "echo begun >"+Quote(out)+"; cat "+Quote(in), nil)
			script <- err
		}()
		if _, err := os.ReadFile(out); err != nil { // waits for the script
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				answer, err := client.Post(web.URL, "text/plain", strings.NewReader(strings.Repeat("x", size)))
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = answer.Body.Close() }()
				if body, err := io.ReadAll(answer.Body); err != nil || len(body) != size {
					t.Errorf("the client got %d bytes, %v", len(body), err)
				}
			})
		}
		all.Wait()
		check(t, os.WriteFile(in, nil, 0o600))
		check(t, <-script)
	})
}

// All share one connection, also those that want it at once.
func TestDialsShareTheConnection(t *testing.T) {
	s := newServer(t).start()
	r := s.runner()
	address := listen(t, echo)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			conn, err := r.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		})
		all.Go(func() {
			if _, err := r.Run(t.Context(), ":", nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	wantConns(t, "the target", s, 1, 8)
	if got := r.Waiting(); got != "" {
		t.Errorf("it waits for %q", got)
	}

	// What has ended since is made anew.
	r.conn.close()
	conn := dial(t, r, address)
	if conn.RemoteAddr().String() != address {
		t.Errorf("the other end is %s, want %s", conn.RemoteAddr(), address)
	}
	wantConns(t, "the target", s, 2, 9)
}

func TestDialByJump(t *testing.T) {
	all := startNetwork(t, 2, nil)
	r := open(through(all...), all[0].here)
	defer func() { check(t, r.Close()) }()
	dial(t, r, listen(t, echo))
	wantConns(t, "the jump host", all[0], 1, 1)
	wantConns(t, "the target", all[1], 1, 1)
}

func TestDialFails(t *testing.T) {
	nobody := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	failed := func(t *testing.T, r *Runner) *DialError {
		t.Helper()
		_, err := r.DialContext(t.Context(), "tcp", nobody)
		var failed *DialError
		if !errors.As(err, &failed) || failed.Address != nobody {
			t.Fatalf("got %T (%[1]v), want a DialError", err)
		}
		return failed
	}
	both(t, func(t *testing.T, r *Runner) {
		err := failed(t, r)
		if err.Forbidden {
			t.Error("it is said to be forbidden")
		}
		says(t, err, r.target.String()+" gets no connection to "+nobody, "onnection refused)", "nothing listens")

		for network, address := range map[string]string{"udp": nobody, "unix": "/run/x", "tcp": "127.0.0.1:99999", "tcp4": "127.0.0.1"} {
			if _, err := r.DialContext(t.Context(), network, address); err == nil {
				t.Errorf("%s %s: no error", network, address)
			}
		}
		check(t, r.Close())
		_, closed := r.DialContext(t.Context(), "tcp", nobody)
		if wantUnreachable[error](t, closed); !errors.Is(closed, errClosed) {
			t.Errorf("after Close: %v", closed)
		}
	})
	t.Run("forbidden", func(t *testing.T) {
		s := newServer(t)
		s.noForward = true
		err := failed(t, s.start().runner())
		if !err.Forbidden {
			t.Error("it is not said to be forbidden")
		}
		says(t, err, `refused to make a connection to `+nobody+` (open \x1b[31mfailed)`, "AllowTcpForwarding")
	})
	t.Run("no way to the target", func(t *testing.T) {
		s := newServer(t).start()
		_, err := s.runner(func(t *Target) { t.Port = freePort(s.t) }).DialContext(t.Context(), "tcp", nobody)
		wantUnreachable[error](t, err)
		says(t, err, "Start its SSH server")
	})
}

// A target that neither makes the connection nor says no.
func TestDialGetsNoAnswer(t *testing.T) {
	s := newServer(t)
	s.silent = make(chan ssh.NewChannel, 2)
	r := s.start().runner()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-s.silent
		if got, want := r.Waiting(), fmt.Sprintf("a connection from %s to 10.0.0.1:80", r.target); got != want {
			t.Errorf("it waits for %q, want %q", got, want)
		}
		cancel()
	}()
	_, err := r.DialContext(ctx, "tcp", "10.0.0.1:80")
	var failed *DialError
	if !errors.As(err, &failed) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %T (%[1]v), want a DialError", err)
	}
	says(t, err, "given up (context canceled)")

	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = r.DialContext(ctx, "tcp", "10.0.0.1:80")
	says(t, err, "in time (context deadline exceeded)")
	_, err = r.Run(t.Context(), ":", nil)
	check(t, err)
	wantConns(t, "the target", s, 1, 2)
}

// A deadline ends a read that nothing comes for, and a write that nobody takes;
// the connection goes on.
func TestDeadlines(t *testing.T) {
	both(t, func(t *testing.T, r *Runner) {
		conn := dial(t, r, listen(t, echo))
		check(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		buf := make([]byte, 4)
		_, err := conn.Read(buf)
		var timeout net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("read: %v", err)
		}
		check(t, conn.SetDeadline(time.Time{}))
		_, err = conn.Write([]byte("data"))
		check(t, err)
		if _, err = io.ReadFull(conn, buf); err != nil || string(buf) != "data" {
			t.Errorf("after it: %q, %v", buf, err)
		}

		deaf := dial(t, r, listen(t, func(net.Conn) { <-t.Context().Done() }))
		check(t, deaf.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		for range 1000 {
			if _, err = deaf.Write(make([]byte, 1<<20)); err != nil {
				break
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
	})
}

// An http.Client's timeout and the end of a request's context end a call that
// is stuck.
func TestStuckCall(t *testing.T) {
	both(t, func(t *testing.T, r *Runner) {
		asked := make(chan struct{}, 2)
		address := listen(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1))
			asked <- struct{}{}
			_, _ = io.Copy(io.Discard, conn)
		})
		transport := &http.Transport{DialContext: r.DialContext}
		defer transport.CloseIdleConnections()
		call := func(ctx context.Context, client *http.Client) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
			check(t, err)
			answer, err := client.Do(request)
			if err == nil {
				_ = answer.Body.Close()
			}
			return err
		}
		if err := call(t.Context(), &http.Client{Transport: transport, Timeout: 50 * time.Millisecond}); !os.IsTimeout(err) {
			t.Errorf("with a timeout: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for range 2 {
				<-asked
			}
			cancel()
		}()
		if err := call(ctx, &http.Client{Transport: transport}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

// The end of the data is told from that of the SSH connection.
func TestDialEnds(t *testing.T) {
	s := newServer(t).start()
	r := s.runner()
	const said = "all there is"
	conn := dial(t, r, listen(t, func(conn net.Conn) { _, _ = io.WriteString(conn, said) }))
	if got, err := io.ReadAll(conn); err != nil || string(got) != said {
		t.Errorf("got %q, %v", got, err)
	}

	conn = dial(t, r, listen(t, echo))
	r.Hangup()
	_, err := io.ReadAll(conn)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the SSH connection's end: %v", err)
	}
	says(t, err, fmt.Sprintf("the SSH connection to tester@127.0.0.1:%d ended", s.port))
	if _, err = conn.Write([]byte("x")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a write after it: %v", err)
	}
}

// What was written before Close gets there.
func TestWriteAndClose(t *testing.T) {
	const size = 5 << 20
	got := make(chan int64, 1)
	address := listen(t, func(conn net.Conn) {
		n, _ := io.Copy(io.Discard, conn)
		got <- n
	})
	conn := dial(t, newServer(t).start().runner(), address)
	_, err := conn.Write(make([]byte, size))
	check(t, err)
	check(t, conn.Close())
	if n := <-got; n != size {
		t.Errorf("%d bytes of %d came", n, size)
	}
	if _, err = conn.Read(make([]byte, 1)); err == nil {
		t.Error("a read after Close: no error")
	}
}
