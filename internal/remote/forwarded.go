package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
)

// forwarded is a TCP connection that a target has made for us.
//
// A channel of x/crypto/ssh knows no deadlines, and takes the end of the SSH
// connection for the end of the data. So a net.Pipe stands in front of it.
type forwarded struct {
	net.Conn // the near end of the pipe
	remote   net.Addr
	lost     atomic.Pointer[error] // why it broke off; nil: it didn't
}

// forward makes a connection with deadlines of a channel to address.
func (c *connection) forward(channel net.Conn, address string) net.Conn {
	near, far := net.Pipe()
	f := &forwarded{Conn: near, remote: &net.TCPAddr{}}
	if to, err := netip.ParseAddrPort(address); err == nil {
		f.remote = net.TCPAddrFromAddrPort(to)
	}
	// Whatever ends one direction ends the other. An error of a copy is
	// nothing new: the side that it comes from is at its end.
	go func() {
		_, _ = io.Copy(channel, far)
		_ = channel.Close()
	}()
	go func() {
		_, _ = io.Copy(far, channel)
		if err := c.check(); err != nil {
			if why := c.whyLost(); why != nil {
				err = why
			}
			err = explain(fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err), "the SSH connection to %s ended, and with it the one to %s", c.to, printable(address))
			f.lost.Store(&err)
		}
		_ = far.Close()
	}()
	return f
}

func (f *forwarded) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	return n, f.why(err)
}

func (f *forwarded) Write(p []byte) (int, error) {
	n, err := f.Conn.Write(p)
	return n, f.why(err)
}

// why gives, for the error of an end, that of a loss if there was one.
func (f *forwarded) why(err error) error {
	if lost := f.lost.Load(); lost != nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)) {
		return *lost
	}
	return err
}

// LocalAddr is not known: it is the target's.
func (f *forwarded) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is what was dialled; of a name, the address is not known.
func (f *forwarded) RemoteAddr() net.Addr { return f.remote }
