package remote

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// connection is one SSH connection.
type connection struct {
	to     Target
	client *ssh.Client
	conn   *watchedConn  // what the client talks over
	via    *connection   // to the host that it goes by; nil: there is none
	ended  chan struct{} // closed as soon as it has ended

	lost atomic.Pointer[error] // why it was given up; nil: it was not
}

func newConnection(rt *route, client *ssh.Client, conn *watchedConn, via *connection, keepAlive time.Duration) *connection {
	c := &connection{to: rt.Target, client: client, conn: conn, via: via, ended: make(chan struct{})}
	go func() {
		_ = client.Wait() // whoever uses the connection sees the error
		close(c.ended)
	}()
	go c.keepAlive(keepAlive)
	return c
}

// over says that the connection is of no use any more.
func (c *connection) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return c.lost.Load() != nil
	}
}

// giveUp ends a connection that is of no use any more, and notes why.
func (c *connection) giveUp(why error) {
	c.lost.CompareAndSwap(nil, &why)
	c.close()
}

// whyLost says why the connection, or one that it goes by, was given up; nil
// if none was.
func (c *connection) whyLost() error {
	for ; c != nil; c = c.via {
		if err := c.lost.Load(); err != nil {
			return *err
		}
	}
	return nil
}

// check gives nil if the connection is good. It is if it is being read: the
// reader stops before a channel hears of the connection's end, which looks to it
// like the end of its data. Else, an answer shows it.
func (c *connection) check() error {
	if c.conn.reading.Load() {
		return nil
	}
	_, _, err := c.client.SendRequest(keepAliveRequest, true, nil)
	return err
}

func (c *connection) close() {
	// It is an error to close what the other side has closed already: of no
	// interest here.
	_ = c.client.Close()
}

// connection gives the Runner's connection, made now if there is none.
func (r *Runner) connection(ctx context.Context, now *stage) (*connection, error) {
	select {
	case r.making <- struct{}{}:
		defer func() { <-r.making }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	conn, closed := r.conn, r.closed
	r.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if conn != nil {
		return conn, nil
	}
	if r.routeErr != nil {
		return nil, r.routeErr
	}
	conn, err := r.pool.connect(ctx, r.route, now)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		conn.close()
		return nil, errClosed
	}
	r.conn = conn
	return conn, nil
}

// drop closes a connection, and forgets it if it is still the Runner's.
func (r *Runner) drop(conn *connection) {
	r.mu.Lock()
	if r.conn == conn {
		r.conn = nil
	}
	r.mu.Unlock()
	conn.close()
}

// watchedConn is a connection of which is known whether someone waits for
// what comes over it, and how much has come.
type watchedConn struct {
	net.Conn
	reading  atomic.Bool
	received atomic.Int64 // bytes
}

func (c *watchedConn) Read(p []byte) (int, error) {
	c.reading.Store(true)
	defer c.reading.Store(false)
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// handshake makes an SSH client of conn, which it closes if that fails. The
// end of ctx ends it.
//
// The key exchanges and ciphers are x/crypto/ssh's defaults, post-quantum
// mlkem768x25519 first: it costs under a millisecond more than curve25519 and
// no round trip.
func handshake(ctx context.Context, conn net.Conn, rt *route, known *knownHosts, login *login) (*ssh.Client, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, rt.address(), &ssh.ClientConfig{
		User: rt.User,
		HostKeyCallback: func(_ string, remote net.Addr, key ssh.PublicKey) error {
			return refuse(known.check(remote, key))
		},
		HostKeyAlgorithms: known.algorithms(),
		AuthCallback: func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			method, err := login.next(c)
			return method, refuse(err)
		},
	})
	if err != nil {
		stop()
		return nil, err
	}
	client := ssh.NewClient(c, channels, requests)
	if !stop() {
		_ = client.Close()
		return nil, ctx.Err()
	}
	return client, nil
}

// refusal is an error of ours that ends a handshake. It needs no explaining.
type refusal struct{ error }

func refuse(err error) error {
	if err == nil {
		return nil
	}
	return &refusal{err}
}
