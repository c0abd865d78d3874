package portctl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// ErrNoAnswer is a server that did not answer in time, or that is not there.
var ErrNoAnswer = errors.New("no answer")

// errIgnored marks a packet that is not the answer. RFC 6886, section 3.1, and
// RFC 6887, section 8.3, have such packets dropped silently.
var errIgnored = errors.New("not the answer")

func ignored(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errIgnored, fmt.Sprintf(format, args...))
}

// maxPacket is the most bytes of a PCP message (RFC 6887, section 7); those of
// NAT-PMP are shorter.
const maxPacket = 1100

// exchange sends a request, again whenever a wait is over, until read makes
// sense of an answer: with nil, or with an error that is not errIgnored.
func (c Client) exchange(ctx context.Context, waits []time.Duration, request func(local netip.Addr) []byte, read func(packet []byte) error) (netip.Addr, error) {
	if c.Waits != nil {
		waits = c.Waits
	}
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "udp", c.Server.String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { _ = conn.Close() }() // nothing is left to be sent
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("this computer's address towards %s: %w", c.Server, err)
	}
	from := local.Addr().Unmap()
	// A deadline of the past ends a Read at once.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	packet := request(from.WithZone(""))
	var odd error
	start := time.Now()
	for _, wait := range waits {
		err := c.send(ctx, conn, packet, wait, read)
		switch {
		case err == nil:
			return from, nil
		case ctx.Err() != nil:
			return from, ctx.Err()
		case errors.Is(err, errIgnored):
			odd = err
		case errors.Is(err, syscall.ECONNREFUSED):
			return from, fmt.Errorf("%w: nothing listens on UDP port %d of %s", ErrNoAnswer, c.Server.Port(), c.Server.Addr())
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return from, err
		}
	}
	err = fmt.Errorf("%w from UDP port %d of %s to %d requests in %v", ErrNoAnswer,
		c.Server.Port(), c.Server.Addr(), len(waits), time.Since(start).Round(time.Millisecond))
	if odd != nil {
		err = fmt.Errorf("%w (but something else: %w)", err, odd)
	}
	return from, err
}

// send sends a packet once and reads what comes back in the time to wait. If
// that is never the answer, the error is why the last of it was ignored.
func (c Client) send(ctx context.Context, conn net.Conn, packet []byte, wait time.Duration, read func(packet []byte) error) error {
	// Set before the write: ctx may end at any moment, and its deadline must
	// be the last that is set.
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := conn.Write(packet); err != nil {
		return err
	}
	var odd error
	buf := make([]byte, maxPacket+1)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			if odd != nil && errors.Is(err, os.ErrDeadlineExceeded) {
				return odd
			}
			return err
		}
		if err = read(buf[:n]); !errors.Is(err, errIgnored) {
			return err
		}
		odd = err
	}
}
