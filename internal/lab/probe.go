//go:build linux

package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What keeps a probe from being answered, for errors.Is.
var (
	// ErrRefused: the target, or a filter on the way, said no.
	ErrRefused = errors.New("refused")
	// ErrTimeout: nobody said anything.
	ErrTimeout = errors.New("no answer")
)

// Answer is what a listener of [Host.Listen] says to who reaches it.
type Answer struct {
	Host     string         // the name of the host that was reached
	Protocol string         // "tcp" or "udp"
	Port     uint16         // the port there
	Peer     netip.AddrPort // from where the probe came, as seen there
}

// String is the line that listeners send.
func (a Answer) String() string {
	return fmt.Sprintf("%s %s %d %s", a.Host, a.Protocol, a.Port, a.Peer)
}

// parseAnswer reads what [Answer.String] writes.
func parseAnswer(line string) (Answer, error) {
	fields := strings.Fields(line)
	if len(fields) != 4 {
		return Answer{}, fmt.Errorf("not an answer: %q", line)
	}
	port, err := strconv.ParseUint(fields[2], 10, 16)
	if err != nil {
		return Answer{}, fmt.Errorf("not an answer: %q: %w", line, err)
	}
	peer, err := netip.ParseAddrPort(fields[3])
	if err != nil {
		return Answer{}, fmt.Errorf("not an answer: %q: %w", line, err)
	}
	return Answer{Host: fields[0], Protocol: fields[1], Port: uint16(port), Peer: peer}, nil
}

// Dial connects from the host, in the manner of [net.Dial], to an IP address
// and port. The connection is closed when the lab goes, if not before.
func (h *Host) Dial(protocol, to string, timeout time.Duration) (net.Conn, error) {
	// A name would be looked up by another goroutine, outside the host.
	if _, err := netip.ParseAddrPort(to); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var conn net.Conn
	err := enter(h.pidfd, unix.CLONE_NEWNET, func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, protocol, to)
		return err
	})
	if err != nil {
		return nil, err
	}
	h.keep(conn)
	return conn, nil
}

// Probe connects from the host to an IP address and port, by "tcp" or "udp",
// and gives the answer of the listener there. [Patient] and [Brief] are usual
// timeouts. The error wraps [ErrRefused] or [ErrTimeout] where it is one of
// these. Each probe is a new flow, from another port.
func (h *Host) Probe(protocol, to string, timeout time.Duration) (Answer, error) {
	answer, err := h.probe(protocol, to, timeout)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		err = fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%w in %v: %w", ErrTimeout, timeout, err)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %s %s: %w", h.Name, protocol, to, err)
	}
	return answer, nil
}

func (h *Host) probe(protocol, to string, timeout time.Duration) (Answer, error) {
	deadline := time.Now().Add(timeout)
	conn, err := h.Dial(protocol, to, timeout)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = conn.Close() }() // all that mattered was read, or failed
	if strings.HasPrefix(protocol, "udp") {
		return ask(conn, deadline)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return Answer{}, err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return Answer{}, err
	}
	return parseAnswer(line)
}

// ask sends a datagram, again and again as datagrams get lost, until one is
// answered.
func ask(conn net.Conn, deadline time.Time) (Answer, error) {
	buf := make([]byte, 512)
	for {
		if _, err := conn.Write([]byte("?\n")); err != nil {
			return Answer{}, err
		}
		next := time.Now().Add(Brief / 3)
		if next.After(deadline) {
			next = deadline
		}
		if err := conn.SetReadDeadline(next); err != nil {
			return Answer{}, err
		}
		switch n, err := conn.Read(buf); {
		case err == nil:
			return parseAnswer(string(buf[:n]))
		case !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(deadline):
			return Answer{}, err
		}
	}
}

// Result is what came of one probe of several.
type Result struct {
	Answer
	Err error
}

// ProbeAll probes several ports of an address at once.
func (h *Host) ProbeAll(protocol, addr string, timeout time.Duration, ports ...uint16) map[uint16]Result {
	results := make(map[uint16]Result, len(ports))
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, port := range ports {
		wait.Go(func() {
			answer, err := h.Probe(protocol, net.JoinHostPort(addr, strconv.Itoa(int(port))), timeout)
			mu.Lock()
			defer mu.Unlock()
			results[port] = Result{answer, err}
		})
	}
	wait.Wait()
	return results
}
