package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// connection is one SSH connection.
type connection struct {
	client *ssh.Client
	conn   *watchedConn // what the client talks over
}

func (c *connection) close() {
	// It is an error to close what the other side has closed already: of no
	// interest here.
	_ = c.client.Close()
}

// connection gives the Runner's connection, made now if there is none.
func (r *Runner) connection(ctx context.Context) (*connection, error) {
	r.mu.Lock()
	conn, closed := r.conn, r.closed
	r.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if conn != nil {
		return conn, nil
	}
	conn, err := r.connect(ctx)
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

// drop closes the connection and forgets it.
func (r *Runner) drop() {
	r.mu.Lock()
	conn := r.conn
	r.conn = nil
	r.mu.Unlock()
	if conn != nil {
		conn.close()
	}
}

// connect dials, checks the host's key and logs in, all within the target's
// timeout.
func (r *Runner) connect(ctx context.Context) (*connection, error) {
	known, err := readKnownHosts(r.target, r.here)
	if err != nil {
		return nil, err
	}
	dialCtx, cancel := context.WithTimeout(ctx, r.target.Timeout)
	defer cancel()
	raw, err := r.dial(dialCtx)
	if err != nil {
		return nil, r.dialError(ctx, dialCtx, err)
	}
	conn := &watchedConn{Conn: raw}
	login := newLogin(dialCtx, r.target, r.here)
	defer login.close()
	client, err := handshake(dialCtx, conn, r.target, known, login)
	if err != nil {
		return nil, r.handshakeError(ctx, dialCtx, login, err)
	}
	return &connection{client, conn}, nil
}

// dial makes the connection that SSH talks over.
func (r *Runner) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", r.target.address())
	if err != nil {
		return nil, err
	}
	return quickAck(conn), nil
}

// watchedConn is a connection of which is known whether someone waits for
// what comes over it.
type watchedConn struct {
	net.Conn
	reading atomic.Bool
}

func (c *watchedConn) Read(p []byte) (int, error) {
	c.reading.Store(true)
	defer c.reading.Store(false)
	return c.Conn.Read(p)
}

// handshake makes an SSH client of conn, which it closes if that fails. The
// end of ctx ends it.
//
// The key exchanges and ciphers are x/crypto/ssh's defaults, post-quantum
// mlkem768x25519 first: it costs under a millisecond more than curve25519 and
// no round trip.
func handshake(ctx context.Context, conn net.Conn, t Target, known *knownHosts, login *login) (*ssh.Client, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, t.address(), &ssh.ClientConfig{
		User: t.User,
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

// dialError says why no connection came about.
func (r *Runner) dialError(ctx, dialCtx context.Context, err error) error {
	host, port := r.target.Host, r.target.Port
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &dns) && dns.IsNotFound:
		return explain(err, "there is no host named %q: check the host of the ssh block, or write the IP address", host)
	case errors.As(err, &dns):
		return explain(err, "the name %q could not be looked up (%s): try again, or write the IP address", host, printable(dns.Err))
	case dialCtx.Err() != nil:
		return explain(os.ErrDeadlineExceeded, "no answer from %s within %s: is it switched on, its address right, and no firewall in between? The ssh block's timeout gives it more time", r.target.address(), r.target.Timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return explain(err, "%s refused the connection: nothing listens on TCP port %d there. Start its SSH server, or set the ssh block's port", host, port)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return explain(err, "there is no route to %s: check the address and this computer's network", host)
	}
	return explain(err, "no connection to %s: %s", r.target.address(), printable(err.Error()))
}

// handshakeError says why a connection came to nothing.
func (r *Runner) handshakeError(ctx, dialCtx context.Context, login *login, err error) error {
	var refused *refusal
	var none *ssh.AlgorithmNegotiationError
	address := r.target.address()
	switch {
	case errors.As(err, &refused):
		return refused.error
	case ctx.Err() != nil:
		return ctx.Err()
	case dialCtx.Err() != nil:
		return explain(os.ErrDeadlineExceeded, "%s took the connection but did not finish the SSH handshake within %s: it may be overloaded, or not be an SSH server. The ssh block's timeout gives it more time", address, r.target.Timeout)
	case errors.As(err, &none):
		return explain(err, "%s and btplan have no %s algorithm in common: it offers only %s, which are not safe any more. Update its SSH server", address, none.What, printable(fmt.Sprint(none.RequestedAlgorithms)))
	case login.begun:
		return login.failed(err)
	}
	return explain(err, "the SSH handshake with %s failed (%s): is it an SSH server, and does it take connections from here?", address, printable(err.Error()))
}
