package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// connect makes a connection, and before it those to the hosts on the way.
func (p *Pool) connect(ctx context.Context, rt *route, now *stage) (*connection, error) {
	known, err := p.knownHosts(rt)
	if err != nil {
		return nil, err
	}
	if rt.via == nil {
		return p.connectBy(ctx, rt, nil, known, now)
	}
	for again := false; ; again = true {
		via, err := p.jump(ctx, rt.via, now)
		if err != nil {
			return nil, explain(err, "its jump host %s can't be used: %s", rt.via, err)
		}
		c, err := p.connectBy(ctx, rt, via, known, now)
		// A connection that was made for another may have ended since.
		if err == nil || again || !via.over() {
			return c, err
		}
	}
}

// connectBy dials, checks the host's key and logs in, all within the route's
// timeout. via is the connection to the host on the way; nil: there is none.
func (p *Pool) connectBy(ctx context.Context, rt *route, via *connection, known *knownHosts, now *stage) (*connection, error) {
	dialCtx, cancel := context.WithTimeout(ctx, rt.Timeout)
	defer cancel()
	now.set("a connection to %s", rt.address())
	raw, err := p.reach(dialCtx, rt, via)
	if err != nil {
		return nil, rt.dialError(ctx, dialCtx, err)
	}
	now.set("the SSH handshake with %s", rt)
	conn := &watchedConn{Conn: raw}
	login := newLogin(dialCtx, p, rt, now)
	defer login.close()
	client, err := handshake(dialCtx, conn, rt, known, login)
	if err != nil {
		return nil, rt.handshakeError(ctx, dialCtx, login, err)
	}
	return newConnection(rt, client, conn, via, p.keepAlive), nil
}

// retryAfter is how long after a refusal a host is dialled once more: an SSH
// server that restarts listens to nobody for a moment.
const retryAfter = 250 * time.Millisecond

// reach makes the connection that SSH talks over.
func (p *Pool) reach(ctx context.Context, rt *route, via *connection) (net.Conn, error) {
	dial := p.dial
	if via != nil {
		dial = via.client.DialContext
	}
	conn, err := dial(ctx, "tcp", rt.address())
	if isRefusal(err) {
		select {
		case <-time.After(retryAfter):
			conn, err = dial(ctx, "tcp", rt.address())
		case <-ctx.Done():
		}
	}
	if err == nil {
		return quickAck(conn), nil
	}
	var answer *ssh.OpenChannelError
	if via != nil && ctx.Err() == nil && !errors.As(err, &answer) {
		via.giveUp(explain(err, "the connection to %s has ended", via.to))
		return nil, via.whyLost()
	}
	return nil, err
}

// isRefusal says whether the host is there, but nothing listens. A jump host
// says so in words only: OpenSSH's are those of strerror(3).
func isRefusal(err error) bool {
	var forward *ssh.OpenChannelError
	if errors.As(err, &forward) {
		return forward.Reason == ssh.ConnectionFailed && strings.Contains(strings.ToLower(forward.Message), "refused")
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// dialError says why no connection came about.
func (rt *route) dialError(ctx, dialCtx context.Context, err error) error {
	host, port := rt.Host, rt.Port
	var dns *net.DNSError
	var forward *ssh.OpenChannelError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &forward) && forward.Reason != ssh.ConnectionFailed:
		return explain(err, "the jump host %s forwards no connections (%s): allow it there, with OpenSSH by AllowTcpForwarding yes in sshd_config", rt.via, printable(forward.Message))
	case errors.As(err, &forward):
		return explain(err, "the jump host %s gets no connection to %s (%s): is it switched on, its address right as seen from there, and does its SSH server listen on TCP port %d?", rt.via, rt.address(), printable(forward.Message), port)
	case errors.Is(err, syscall.ECONNREFUSED):
		return explain(err, "%s refused the connection: nothing listens on TCP port %d there. Start its SSH server, or set the ssh block's port", host, port)
	case errors.As(err, &dns) && dns.IsNotFound:
		return explain(err, "there is no host named %q: check the host of the ssh block, or write the IP address", host)
	case errors.As(err, &dns):
		return explain(err, "the name %q could not be looked up (%s): try again, or write the IP address", host, printable(dns.Err))
	// The dialler's own clock may be a moment ahead of the context's.
	case dialCtx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return explain(os.ErrDeadlineExceeded, "no answer from %s within %s: is it switched on, its address right, and no firewall in between? The ssh block's timeout gives it more time", rt.address(), rt.Timeout)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return explain(err, "there is no route to %s: check the address and this computer's network", host)
	}
	return explain(err, "no connection to %s: %s", rt.address(), printable(err.Error()))
}

// handshakeError says why a connection came to nothing.
func (rt *route) handshakeError(ctx, dialCtx context.Context, login *login, err error) error {
	var refused *refusal
	var none *ssh.AlgorithmNegotiationError
	address := rt.address()
	switch {
	case errors.As(err, &refused):
		return refused.error
	case ctx.Err() != nil:
		return ctx.Err()
	case dialCtx.Err() != nil:
		return explain(os.ErrDeadlineExceeded, "%s took the connection but did not finish the SSH handshake within %s: it may be overloaded, or not be an SSH server. The ssh block's timeout gives it more time", address, rt.Timeout)
	case errors.As(err, &none):
		return explain(err, "%s and btplan have no %s algorithm in common: it offers only %s, which are not safe any more. Update its SSH server", address, none.What, printable(fmt.Sprint(none.RequestedAlgorithms)))
	case login.begun:
		return login.failed(err)
	}
	return explain(err, "the SSH handshake with %s failed (%s): is it an SSH server, and does it take connections from here?", address, printable(err.Error()))
}
