//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// Listener answers on ports of a host until it is closed or the lab goes.
type Listener struct{ sockets []io.Closer }

// Listen answers every connection ("tcp") or datagram ("udp") to these ports
// of all addresses of the host with an [Answer], one line, and closes the
// connection. It listens when Listen returns.
func (h *Host) Listen(protocol string, ports ...uint16) *Listener {
	h.lab.t.Helper()
	return h.listen(ports, func(port uint16) (io.Closer, error) {
		switch protocol {
		case "tcp":
			return h.serveTCP(port, func(conn net.Conn, answer string) {
				// A line fits the empty send buffer: this never waits. If the
				// peer is gone already, it has its answer.
				_, _ = io.WriteString(conn, answer)
			})
		case "udp":
			return h.serveUDP(port)
		default:
			return nil, fmt.Errorf("no such protocol: %q", protocol)
		}
	})
}

// listen opens a listener with one socket for each port.
func (h *Host) listen(ports []uint16, open func(port uint16) (io.Closer, error)) *Listener {
	h.lab.t.Helper()
	l := &Listener{}
	h.keep(l)
	for _, port := range ports {
		socket, err := open(port)
		if err != nil {
			h.lab.t.Fatalf("lab: %s: listen on port %d: %v", h.Name, port, err)
		}
		l.sockets = append(l.sockets, socket)
	}
	return l
}

// Close stops listening.
func (l *Listener) Close() error {
	var errs []error
	for _, s := range l.sockets {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// serveTCP calls talk for each connection, and closes that when it returns.
func (h *Host) serveTCP(port uint16, talk func(conn net.Conn, answer string)) (io.Closer, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // what BitTorrent clients speak is plain TCP
	var socket net.Listener
	err := h.Enter(func() (err error) {
		socket, err = config.Listen(context.Background(), "tcp", fmt.Sprintf(":%d", port))
		return err
	})
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer func() { _ = conn.Close() }() // all was said
				talk(conn, h.answer("tcp", port, netip.MustParseAddrPort(conn.RemoteAddr().String())))
			}()
		}
	}()
	return socket, nil
}

func (h *Host) serveUDP(port uint16) (io.Closer, error) {
	var socket *net.UDPConn
	err := h.Enter(func() (err error) {
		socket, err = net.ListenUDP("udp", &net.UDPAddr{Port: int(port)})
		return err
	})
	if err != nil {
		return nil, err
	}
	go func() {
		buf := make([]byte, 512)
		for {
			_, peer, err := socket.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // an ICMP error about an earlier answer
			}
			_, _ = socket.WriteToUDPAddrPort([]byte(h.answer("udp", port, peer)), peer) // the prober asks again
		}
	}()
	return socket, nil
}

func (h *Host) answer(protocol string, port uint16, peer netip.AddrPort) string {
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	return Answer{Host: h.Name, Protocol: protocol, Port: port, Peer: peer}.String() + "\n"
}
