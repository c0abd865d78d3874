package remote

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickAck makes the kernel acknowledge what comes over conn at once.
//
// An SSH handshake and an exec are made of small packets. A server that has
// Nagle's algorithm on, as sshd has, sends the second of two only after the
// first was acknowledged, and Linux delays that by up to 40 ms in the hope of
// data to send along. TCP_QUICKACK isn't permanent (tcp(7)): the kernel goes
// back to delaying, so it is set again after each read.
func quickAck(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	c := &quickAckConn{TCPConn: tcp, raw: raw}
	c.ackNow()
	return c
}

type quickAckConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

func (c *quickAckConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if err == nil {
		c.ackNow()
	}
	return n, err
}

// ackNow sets the option. Without it all is only slower, so that a failure is
// of no account.
func (c *quickAckConn) ackNow() {
	_ = c.raw.Control(setQuickAck)
}

func setQuickAck(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}
