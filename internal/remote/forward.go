package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// DialContext makes a TCP connection from the target to an address, "host:port"
// as seen from there: over SSH by a direct-tcpip channel (RFC 4254, 7.2) of the
// Runner's own connection, which is made if there is none. Its signature is that
// of [net/http.Transport]'s field. The network is "tcp", "tcp4" or "tcp6"; over
// SSH, the target looks a name up, and chooses.
//
// The errors are an [*UnreachableError] if there is no way to the target, and a
// [*DialError] if it makes no connection to the address. ctx bounds only the
// making. Connections don't wait for scripts, nor scripts for them, but what
// ends the Runner's connection ends them too: Hangup, Close, and a Run that is
// cut short.
func (r *Runner) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if err := checkDial(network, address); err != nil {
		return nil, err
	}
	if r.target.Local {
		return r.dialHere(ctx, network, address)
	}
	defer r.dialing.clear()
	for again := false; ; again = true {
		conn, err := r.connection(ctx, &r.dialing)
		if err != nil {
			return nil, r.unreachable(err)
		}
		r.dialing.set("a connection from %s to %s", r.target, printable(address))
		channel, err := conn.client.DialContext(ctx, network, address)
		var answer *ssh.OpenChannelError
		switch {
		case err == nil:
			return conn.forward(channel, address), nil
		case errors.As(err, &answer):
			return nil, &DialError{r.target, address, answer.Reason != ssh.ConnectionFailed, err}
		case ctx.Err() != nil:
			return nil, &DialError{r.target, address, false, ctx.Err()}
		}
		// The connection has ended, perhaps long ago.
		r.drop(conn)
		if why := conn.whyLost(); why != nil {
			err = why
		}
		if again {
			return nil, r.unreachable(err)
		}
	}
}

// dialHere is DialContext on this computer.
func (r *Runner) dialHere(ctx context.Context, network, address string) (net.Conn, error) {
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return nil, r.unreachable(errClosed)
	}
	r.dialing.set("a connection to %s", printable(address))
	defer r.dialing.clear()
	conn, err := r.pool.dial(ctx, network, address)
	if err != nil {
		return nil, &DialError{Target: r.target, Address: address, Err: err}
	}
	return conn, nil
}

// checkDial refuses what x/crypto/ssh takes for something else, or for the end
// of the connection.
func checkDial(network, address string) error {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return net.UnknownNetworkError(network)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return &net.AddrError{Err: "the port is not a number up to 65535", Addr: address}
	}
	return nil
}

// DialError is a connection that a target did not make. The target itself was
// reached.
type DialError struct {
	Target    Target
	Address   string // that it was to connect to
	Forbidden bool   // its SSH server makes no such connections
	Err       error  // what it said, or the end of the context
}

// Error says what the target said, and what to do.
func (e *DialError) Error() string {
	address, said := printable(e.Address), printable(e.said())
	switch {
	case e.Forbidden:
		return fmt.Sprintf("the SSH server of %s refused to make a connection to %s (%s): allow it there, with OpenSSH by AllowTcpForwarding and PermitOpen in sshd_config and no restriction of the key in authorized_keys", e.Target, address, said)
	case isRefusal(e.Err):
		return fmt.Sprintf("%s gets no connection to %s (%s): nothing listens on that port there", e.Target, address, said)
	case errors.Is(e.Err, context.Canceled):
		return fmt.Sprintf("the connection from %s to %s was given up (%s)", e.Target, address, said)
	case errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("%s got no connection to %s in time (%s): is the address right, and no firewall in between?", e.Target, address, said)
	}
	return fmt.Sprintf("%s gets no connection to %s (%s): is the address right, and the device switched on?", e.Target, address, said)
}

// said is the reason in as few words as there are.
func (e *DialError) said() string {
	var answer *ssh.OpenChannelError
	var errno syscall.Errno
	switch {
	case errors.As(e.Err, &answer) && answer.Message != "":
		return answer.Message
	case errors.As(e.Err, &answer):
		return answer.Reason.String()
	case errors.As(e.Err, &errno):
		return errno.Error()
	}
	return e.Err.Error()
}

func (e *DialError) Unwrap() error { return e.Err }
