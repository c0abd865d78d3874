package remote

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// stuckConn is a connection over which, once it is stuck, nothing comes any
// more, and which swallows what is sent.
type stuckConn struct {
	net.Conn
	stuck atomic.Bool
}

func (c *stuckConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.stuck.Load() {
			return n, err
		}
	}
}

func (c *stuckConn) Write(p []byte) (int, error) {
	if c.stuck.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// A connection over which nothing comes is given up after a minute; an idle
// one, and one with a slow answer, are not. That no goroutine is left over,
// synctest sees to.
func TestKeepAlive(t *testing.T) {
	tests := []struct {
		name string
		// serve is the other side, once the handshake is done.
		serve func(conn *stuckConn, server ssh.Conn, requests <-chan *ssh.Request)
		lost  time.Duration // 0: it is not
	}{
		{"idle", func(_ *stuckConn, _ ssh.Conn, requests <-chan *ssh.Request) { ssh.DiscardRequests(requests) }, 0},
		{"stuck", func(c *stuckConn, _ ssh.Conn, requests <-chan *ssh.Request) {
			c.stuck.Store(true)
			ssh.DiscardRequests(requests)
		}, time.Minute},
		{"stuck later", func(c *stuckConn, _ ssh.Conn, requests <-chan *ssh.Request) {
			time.AfterFunc(5*time.Minute+time.Second, func() { c.stuck.Store(true) })
			ssh.DiscardRequests(requests)
		}, 6 * time.Minute},
		{"no answers, but something comes", func(_ *stuckConn, server ssh.Conn, requests <-chan *ssh.Request) {
			often := time.NewTicker(40 * time.Second)
			defer often.Stop()
			for {
				select {
				case _, open := <-requests:
					if !open {
						return
					}
				case <-often.C:
					_, _, _ = server.SendRequest("hello", false, nil)
				}
			}
		}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := connectInBubble(t, test.serve)
				begin := time.Now()
				patience := time.After(time.Hour)
				select {
				case <-conn.ended:
					if took := time.Since(begin); took != test.lost {
						t.Errorf("given up after %s, want %s", took, test.lost)
					}
					err := conn.whyLost()
					if err == nil || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "root@edge:22 has not answered for 45s") {
						t.Errorf("because of %v", err)
					}
				case <-patience:
					if test.lost != 0 {
						t.Error("not given up")
					}
				}
				conn.close()
				<-conn.ended
			})
		})
	}
}

// queuedConn never makes a writer wait for the reader, as a socket wouldn't:
// both sides of an SSH handshake begin by writing.
type queuedConn struct {
	net.Conn
	queue chan []byte
}

func newQueuedConn(conn net.Conn) *queuedConn {
	c := &queuedConn{conn, make(chan []byte, 1000)}
	go func() {
		for p := range c.queue {
			if _, err := conn.Write(p); err != nil {
				return
			}
		}
	}()
	return c
}

func (c *queuedConn) Write(p []byte) (int, error) {
	c.queue <- bytes.Clone(p)
	return len(p), nil
}

// connectInBubble makes a connection that doesn't leave this process.
func connectInBubble(t *testing.T, serve func(*stuckConn, ssh.Conn, <-chan *ssh.Request)) *connection {
	t.Helper()
	here, there := net.Pipe()
	queued := newQueuedConn(there)
	stuck := &stuckConn{Conn: queued}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(newEd25519(t))
	go func() {
		server, channels, requests, err := ssh.NewServerConn(stuck, config)
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			for c := range channels {
				_ = c.Reject(ssh.Prohibited, "")
			}
		}()
		serve(stuck, server, requests)
		_ = stuck.Close()
		_ = server.Wait()
		close(queued.queue)
	}()
	watched := &watchedConn{Conn: here}
	c, channels, requests, err := ssh.NewClientConn(watched, "edge:22", &ssh.ClientConfig{
		User: "root", HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	check(t, err)
	rt := &route{Target: Target{Host: "edge", User: "root"}}
	return newConnection(rt, ssh.NewClient(c, channels, requests), watched, nil, 15*time.Second)
}

// A script whose device falls silent is cut short, and the next one gets
// another connection.
func TestSilentDevice(t *testing.T) {
	for _, name := range []string{"the device", "its jump host"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conn atomic.Pointer[stuckConn]
			var again atomic.Bool
			all := startNetwork(t, 2, func(servers []*server) {
				silent := servers[1]
				if name == "its jump host" {
					silent = servers[0]
				}
				silent.wrap = func(c net.Conn) net.Conn {
					conn.Store(&stuckConn{Conn: c})
					return conn.Load()
				}
				servers[1].exec = func(s *session) {
					if again.Swap(true) {
						s.exit(0)
						return
					}
					conn.Load().stuck.Store(true)
				}
			})
			p := newTestPool(t, all[0].here)
			p.keepAlive = 300 * time.Millisecond // three of them have to do for a busy machine
			r := p.Open(through(all...))
			defer func() { check(t, r.Close()) }()
			_, err := r.Run(t.Context(), "sleep 1000", nil)
			var interrupted *InterruptedError
			if !errors.As(err, &interrupted) || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("got %T: %v", err, err)
			}
			says(t, err, "the connection is lost", "has not answered for 900ms", "How much of it was done is not known")
			_, err = r.Run(t.Context(), ":", nil)
			check(t, err)
		})
	}
}
