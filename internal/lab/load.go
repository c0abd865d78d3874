//go:build linux

package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// answerLimit is how long a connection of a load may take: longer than TCP
// waits before it sends a first packet again, which is a second (RFC 6298).
const answerLimit = 4 * time.Second

// ErrResent is in the error of a new TCP connection that came about only
// because its first packet was sent again.
var ErrResent = errors.New("a packet was lost and sent again")

// Load is new connections from a host, at a steady pace.
type Load struct {
	stop chan struct{}
	done chan struct{}

	once   sync.Once
	mu     sync.Mutex
	opened int
	failed []error
}

// Load opens n new connections to an IP address and port, rate of them in a
// second, from now on and beside the test. By "tcp" each reads the line of the
// listener there, by "udp" each sends one datagram and awaits the answer. It
// counts as failed if nothing comes or if a packet was lost: of TCP that is
// one that the kernel sent again, of UDP the datagram or its answer.
func (h *Host) Load(protocol, to string, rate, n int) *Load {
	h.lab.t.Helper()
	if _, err := netip.ParseAddrPort(to); err != nil || rate < 1 || n < 1 || protocol != "tcp" && protocol != "udp" {
		h.lab.t.Fatalf("lab: %s: no load of %d %q connections, %d in a second, to %q", h.Name, n, protocol, rate, to)
	}
	l := &Load{stop: make(chan struct{}), done: make(chan struct{})}
	h.lab.watches.Go(func() {
		defer close(l.done)
		var wait sync.WaitGroup
		defer wait.Wait()
		pace := time.NewTicker(time.Second / time.Duration(rate))
		defer pace.Stop()
		for range n {
			select {
			case <-pace.C:
			case <-l.stop:
				return
			case <-h.lab.gone:
				return
			}
			wait.Go(func() { l.note(h.tryOnce(protocol, to)) })
		}
	})
	return l
}

func (l *Load) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened++
	if err != nil {
		l.failed = append(l.failed, err)
	}
}

// Wait waits until all connections were opened and answered, or failed. It
// gives how many there were and what failed.
func (l *Load) Wait() (opened int, failed []error) {
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened, l.failed
}

// Stop opens no more connections, and waits as [Load.Wait] does.
func (l *Load) Stop() (opened int, failed []error) {
	l.once.Do(func() { close(l.stop) })
	return l.Wait()
}

// tryOnce opens a connection, hears the answer and says what was lost on the
// way.
func (h *Host) tryOnce(protocol, to string) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	var conn net.Conn
	err := enter(h.pidfd, unix.CLONE_NEWNET, func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, protocol, to)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	defer func() { _ = conn.Close() }() // all that mattered was read, or failed
	if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return err
	}
	if protocol == "udp" {
		if _, err := conn.Write([]byte("?\n")); err != nil {
			return err
		}
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		return resent(tcp)
	}
	return nil
}

// resent says whether a packet of this end had to be sent again. See tcp(7).
func resent(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var info *unix.TCPInfo
	var infoErr error
	err = raw.Control(func(socket uintptr) {
		info, infoErr = unix.GetsockoptTCPInfo(int(socket), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err := errors.Join(err, infoErr); err != nil {
		return err
	}
	if info.Total_retrans > 0 {
		return fmt.Errorf("%s to %s: %w", conn.LocalAddr(), conn.RemoteAddr(), ErrResent)
	}
	return nil
}
