//go:build linux

package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// ListenLines answers each line of TCP connections to these ports with an
// [Answer], until the other end closes the connection or the host ends: the
// far end of [Host.Hold]. It listens when ListenLines returns.
func (h *Host) ListenLines(ports ...uint16) *Listener {
	h.lab.t.Helper()
	return h.listen(ports, func(port uint16) (io.Closer, error) {
		return h.serveTCP(port, func(conn net.Conn, answer string) {
			h.keep(conn)
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				if _, err := io.WriteString(conn, answer); err != nil {
					return // the other end is gone
				}
			}
		})
	})
}

// Flow is a connection that stays open, or datagrams between the same two
// ports all the time.
type Flow struct {
	conn  net.Conn
	lines *bufio.Reader
	name  string
}

// Hold opens a flow to an IP address and port, by "tcp" to one of
// [Host.ListenLines] or by "udp" to one of [Host.Listen], and has its first
// answer.
func (h *Host) Hold(protocol, to string) *Flow {
	h.lab.t.Helper()
	conn, err := h.Dial(protocol, to, Patient)
	if err != nil {
		h.lab.t.Fatalf("lab: %s: %v", h.Name, err)
	}
	f := &Flow{conn: conn, lines: bufio.NewReader(conn), name: fmt.Sprintf("the flow of %s to %s %s", h.Name, protocol, to)}
	if _, err := f.Ask(Patient); err != nil {
		h.lab.t.Fatalf("lab: %v", err)
	}
	return f
}

// Ask sends a line on the flow and gives the answer, and by that who is at its
// other end now.
func (f *Flow) Ask(timeout time.Duration) (Answer, error) {
	answer, err := f.ask(time.Now().Add(timeout))
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", f.name, err)
	}
	return answer, nil
}

func (f *Flow) ask(deadline time.Time) (Answer, error) {
	if strings.HasPrefix(f.conn.LocalAddr().Network(), "udp") {
		return ask(f.conn, deadline)
	}
	if err := f.conn.SetDeadline(deadline); err != nil {
		return Answer{}, err
	}
	if _, err := io.WriteString(f.conn, "?\n"); err != nil {
		return Answer{}, err
	}
	line, err := f.lines.ReadString('\n')
	if err != nil {
		return Answer{}, err
	}
	return parseAnswer(line)
}

// Alive is nil if the flow still passes both ways. It waits for an answer for
// as long as one may take on a busy computer.
func (f *Flow) Alive() error {
	_, err := f.Ask(Patient)
	return err
}

// From is the flow's own end.
func (f *Flow) From() netip.AddrPort {
	return netip.MustParseAddrPort(f.conn.LocalAddr().String())
}

// Close ends the flow.
func (f *Flow) Close() error { return f.conn.Close() }
